"""The mirror in the shape that people ask for: one set of SQL views in each connection's schema.

What each view is made of stands beside it (`inventory`, `orders`, `parties`); `build` puts them
into the database. The tables underneath are `bascule.mirror.schema.migration`'s.
"""

from bascule.mirror.views import inventory, orders, parties  # noqa: F401  they define the views
from bascule.mirror.views.build import missing, others_in_the_way, rebuild_views, views_aside
from bascule.mirror.views.sources import FIELDS, INDEXES
from bascule.mirror.views.view import VIEWS, Column, View, views_markdown

# No DocType's table may take these names.
RESERVED = frozenset(VIEWS)

__all__ = [
    "FIELDS",
    "INDEXES",
    "RESERVED",
    "VIEWS",
    "Column",
    "View",
    "missing",
    "others_in_the_way",
    "rebuild_views",
    "views_aside",
    "views_markdown",
]
