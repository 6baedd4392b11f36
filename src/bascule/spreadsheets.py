"""Which texts a spreadsheet would compute when it opens a CSV file that holds them.

Excel, LibreOffice and Google's Sheets take a cell for a formula that begins with =, @ or a sign, in
narrow or full width, also after blanks; a telephone number such as +1-800-555-0199 becomes a
difference. A plain number is left: it is a number there as well.
"""

import re

_BLANK = " \x01-\x1f\x7f\xa0\xad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff"
_NUMBER = r"[-+]?(?:[0-9]+(?:[.,][0-9]+)*(?:[eE][-+]?[0-9]+)?)?"  # or a sign, and nothing
# Read alike by Python and by PostgreSQL.
COMPUTED = rf"^(?:[\t\n\r]|[{_BLANK}]*[=@＝＠﹦﹫]|(?!{_NUMBER}\Z)[{_BLANK}]*[-+−－＋﹣﹢])"
_COMPUTED = re.compile(COMPUTED)


def disarmed(cell: str) -> str:
    """The text as it may stand in a CSV file: with an apostrophe before what would be computed."""
    return f"'{cell}" if _COMPUTED.match(cell) else cell
