"""Characters that a terminal obeys, or that make one line of a log look like two.

Texts come from sites, files and strangers. Where they are shown to a person outside of HTML, what
is no printing character is written as Python writes it, such as \\x1b.
"""

import re

# C0, DEL, C1 (of which U+009B begins a command like ESC), the separators that end a line somewhere,
# and what turns the direction of writing.
_OBEYED = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069"
_ANY = re.compile(f"[{_OBEYED}]")
_BUT_LINES = re.compile(rf"(?![\n\t])[{_OBEYED}]")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def on_one_line(text: str) -> str:
    """Nothing of it is obeyed, and it ends no line."""
    return _ANY.sub(_written, text)


def in_lines(text: str) -> str:
    """The same, but for its own line breaks and tabs."""
    return _BUT_LINES.sub(_written, text)


def left_out(text: str) -> str:
    """Without them."""
    return _ANY.sub("", text)


def _written(found: re.Match[str]) -> str:
    character = found[0]
    return _NAMED.get(character) or (
        f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"
    )
