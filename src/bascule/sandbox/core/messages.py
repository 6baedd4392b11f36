"""What version 16 leaves of the markup in a message: some tags of text, and links.

Follows `clean_html` of frappe/utils/html_utils.py and the cleaner that it calls.
"""

from html import escape
from html.parser import HTMLParser

_TAGS = {
    *("div", "p", "br", "ul", "ol", "li", "strong", "b", "em", "i", "u"),
    *("table", "thead", "tbody", "td", "tr", "a"),
}
_WITH_CONTENT = {"script", "style"}  # what is in them goes too
_ATTRIBUTES = {"title", "lang"}
_OF_LINKS = _ATTRIBUTES | {"href", "hreflang"}
_SCHEMES = ("http:", "https:", "mailto:", "tel:", "ftp:")


def cleaned(text: str) -> str:
    """The text with those tags alone, closed, and the rest of it escaped."""
    if not any(sign in text for sign in "<>&"):
        return text
    cleaner = _Cleaner()
    cleaner.feed(text)
    cleaner.close()
    return cleaner.result()


class _Cleaner(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._open: list[str] = []
        self._skipping = ""

    def result(self) -> str:
        return "".join([*self._parts, *(f"</{tag}>" for tag in reversed(self._open))])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _WITH_CONTENT:
            self._skipping = tag
        if self._skipping or tag not in _TAGS:
            return
        kept = _OF_LINKS if tag == "a" else _ATTRIBUTES
        given = [(name, value or "") for name, value in attrs if name in kept]
        shown = [f' {name}="{escape(value)}"' for name, value in given if _harmless(name, value)]
        if tag == "a":
            shown.append(' rel="noopener noreferrer"')
        self._parts.append(f"<{tag}{''.join(shown)}>")
        if tag != "br":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._skipping:
            self._skipping = "" if tag == self._skipping else self._skipping
        elif tag in self._open:
            while (last := self._open.pop()) != tag:
                self._parts.append(f"</{last}>")
            self._parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._skipping:
            self._parts.append(escape(data, quote=False).replace("\xa0", "&nbsp;"))


def _harmless(name: str, value: str) -> bool:
    """Links go to pages and people; a relative one goes nowhere else."""
    return name != "href" or ":" not in value or value.lower().startswith(_SCHEMES)
