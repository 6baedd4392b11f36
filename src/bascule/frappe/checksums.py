"""A number for each row, computed by the site, that changes with any of its values.

Frappe up to version 15 passes functions in `fields` to its database, so one request can tell
whether any value of a DocType is another than before, whatever its `modified` says. Version 16
takes no such function.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

CHECKSUM = "_checksum"
ARGUMENTS = 100  # of one function


class Total(NamedTuple):
    """So many rows, and the XOR of their checksums: 0 where there are none."""

    rows: int
    checksum: int


def row_checksum(fields: Sequence[str]) -> str:
    """For the `fields` of a list: 32 bits of a row's values as the site's database has them."""
    return f"{row_expression(_quoted(fields))} as {CHECKSUM}"


def total_checksum(fields: Sequence[str], guards: Sequence[str] = ()) -> tuple[str, ...]:
    """For the `fields` of a list: a `Total` of all its rows. `guards`: those of the fields that
    the user may be kept from: of a function of many fields Frappe judges the first alone.
    """
    guarded = (f"count(`{field}`) as guard{number}" for number, field in enumerate(guards))
    checksum = f"bit_xor({row_expression(_quoted(fields))}) as {CHECKSUM}"
    return "count(name) as total", checksum, *guarded


def as_total(row: dict[str, Any], guards: Sequence[str] = ()) -> Total | None:
    """None where the site left the checksum out, or a guard: a field is withheld."""
    if CHECKSUM not in row or not all(f"guard{number}" in row for number in range(len(guards))):
        return None
    return Total(int(row["total"] or 0), int(row[CHECKSUM] or 0))


def row_expression(columns: Sequence[str]) -> str:
    """Of `columns` as SQL names them. JSON keeps null and empty, and the places of values, apart;
    concat is not allowed.

    A CRC alone is linear: the same change in two rows of one length would cancel out in the XOR.
    """
    parts = [",".join(some) for some in _batched(columns, ARGUMENTS)]
    if len(parts) > 1:
        parts = [",".join(f"json_array({part})" for part in parts)]
    return f"crc32(md5(json_array({parts[0]})))"


def _quoted(fields: Sequence[str]) -> list[str]:
    return [f"`{field}`" for field in fields]


def _batched(items: Sequence[str], size: int) -> list[Sequence[str]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
