"""The kit that pages are made of: layout, components, static files, and `render`.

It knows a request and whoever `accounts` put there, and nothing of the rooms.
"""

from bascule.ui.flash import back_to
from bascule.ui.rendering import is_htmx, page_url, render

__all__ = ["back_to", "is_htmx", "page_url", "render"]
