"""Checksums of rows, computed by the site's database: they change with any value of the row.

Frappe up to version 15 passes functions in `fields` to its database. So one request tells whether
any value of a DocType has changed, whatever `modified` says. Version 16 refuses such functions.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

CHECKSUM = "_checksum"
ARGUMENTS = 100  # of one function


class Total(NamedTuple):
    """The number of rows, and the XOR of their checksums (0 without rows)."""

    rows: int
    checksum: int


def row_checksum(fields: Sequence[str]) -> str:
    """An entry for the `fields` of a list: 32 bits over the values of a row as they are stored."""
    return f"{row_expression(_quoted(fields))} as {CHECKSUM}"


def total_checksum(fields: Sequence[str], guards: Sequence[str] = ()) -> tuple[str, ...]:
    """Entries for the `fields` of a list, which `as_total` reads: a `Total` of all rows.

    `guards` are those of the fields that may be withheld from the user: in a function of many
    fields, Frappe checks the right to the first alone.
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
    """An SQL expression over `columns`, which are written as SQL names them.

    JSON tells null from empty and keeps values apart; Frappe does not allow concat. MD5 comes
    first because a CRC is linear: the same change in two rows of one length would cancel out in
    the XOR.
    """
    parts = [",".join(some) for some in _batched(columns, ARGUMENTS)]
    if len(parts) > 1:
        parts = [",".join(f"json_array({part})" for part in parts)]
    return f"crc32(md5(json_array({parts[0]})))"


def _quoted(fields: Sequence[str]) -> list[str]:
    return [f"`{field}`" for field in fields]


def _batched(items: Sequence[str], size: int) -> list[Sequence[str]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
