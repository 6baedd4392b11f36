"""The apps of every site here: Frappe itself, in `core`, and ERPNext, which registers with it.

Whoever opens a site or asks for DocTypes takes both from here, so that ERPNext has registered.
"""

from bascule.sandbox import erpnext
from bascule.sandbox.core.doctypes import builtin
from bascule.sandbox.core.loading import open_site

__all__ = ["APPS", "builtin", "open_site"]

APPS = (erpnext,)
