"""Names in PostgreSQL for DocTypes and fields: what a person would type, and never two the same."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping

# 63 bytes is PostgreSQL's limit; the rest is room for the suffixes of index names.
LONGEST = 50
LONGEST_COLUMN = 59  # bytes; the rest is room for a number
# Columns that every table of PostgreSQL has anyway.
SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})


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


def column_names(
    wanted: Mapping[str, str], there: Mapping[str, str], reserved: Iterable[str]
) -> dict[str, str]:
    """Field -> column for the fields `wanted`, and for those of `there` whose names gave way.

    `wanted`: field -> the name that it should have, its own unless a person chose one. `there`:
    field -> the column that it has. `reserved`: names that no field's column may take, beside
    PostgreSQL's own. What a person chose comes first, then what is there, then a field's own name;
    who comes too late gets a number. So a name stays, in whatever order the site has its fields.
    """
    used = {*reserved, *SYSTEM_COLUMNS}
    given: dict[str, str] = {}

    def give(field: str, name: str) -> None:
        given[field] = name
        used.add(name)

    for field, name in wanted.items():
        if name != field and (first := _shortened(name)) not in used:
            give(field, first)
    for field, column in there.items():
        kept = field not in wanted or _is_for(column, wanted[field])
        if field not in given and kept and column not in used:
            give(field, column)
    for field, name in sorted(wanted.items(), key=lambda one: (_shortened(one[1]) != one[0], one)):
        if field not in given:
            give(field, _free(_shortened(name), used))
    for field, column in there.items():
        if field not in given:
            give(field, _free(_shortened(column), used))
    return given


def _shortened(name: str) -> str:
    return name.encode()[:LONGEST_COLUMN].decode(errors="ignore")


def _is_for(column: str, name: str) -> bool:
    """Whether this is the column that a field of that name gets, perhaps with a number."""
    own = _shortened(name)
    return column == own or (
        column.startswith(own) and re.fullmatch(r"_\d+", column[len(own) :]) is not None
    )


def _free(name: str, used: set[str]) -> str:
    candidate, count = name, 1
    while candidate in used:
        count += 1
        candidate = f"{name}_{count}"
    return candidate


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
