"""Names in PostgreSQL for DocTypes and fields: what a person would type, and never two the same."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping

# 63 bytes is PostgreSQL's limit; the rest is room for the suffixes of index names.
LONGEST = 50


def identifier(text: str) -> str:
    """`Sales Order` -> `sales_order`: lower case ASCII letters, digits and underscores."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")
    if not name or name[0].isdigit():
        name = f"t_{name}" if name else f"t_{_digest(text)}"
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 9]}_{_digest(text)}"


def table_name(doctype: str, taken: Mapping[str, str], reserved: frozenset[str]) -> str:
    """The table of a DocType in its schema. `taken` maps the tables there to their DocTypes."""
    name = identifier(doctype)
    if name in reserved:
        name = f"{name}_doctype"
    if taken.get(name, doctype) != doctype:
        name = f"{name}_{_digest(doctype)}"
    return name


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
