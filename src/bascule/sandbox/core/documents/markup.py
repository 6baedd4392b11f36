"""Markup that a caller sent, as Frappe cleans it before it is stored."""

import json
import re
from html import escape, unescape
from html.parser import HTMLParser

_TAG = re.compile(
    r"(?P<comment><!--.*?-->)|<(?P<end>/?)(?P<name>[A-Za-z][\w:-]*)(?P<rest>\s[^<>]*)?/?>"
)
_ATTRIBUTE = re.compile(r"([^\s=/\"'>]+)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s>]+))?")
_HARMLESS = {
    *("a", "abbr", "acronym", "address", "area", "article", "aside", "audio", "b", "big"),
    *("blockquote", "br", "button", "canvas", "caption", "center", "cite", "code", "col"),
    *("colgroup", "dd", "del", "details", "dfn", "dialog", "dir", "div", "dl", "dt", "em"),
    *("fieldset", "figcaption", "figure", "font", "footer", "form", "h1", "h2", "h3", "h4", "h5"),
    *("h6", "header", "hr", "i", "img", "input", "ins", "kbd", "label", "legend", "li", "map"),
    *("mark", "menu", "meter", "nav", "ol", "optgroup", "option", "output", "p", "pre"),
    *("progress", "q", "s", "samp", "section", "select", "small", "sound", "source", "span"),
    *("strike", "strong", "style", "sub", "summary", "sup", "table", "tbody", "td", "textarea"),
    *("tfoot", "th", "thead", "time", "tr", "tt", "u", "ul", "var", "video"),
}
_WITHOUT_END = {"area", "br", "col", "hr", "img", "input", "source"}
_BLOCKS = {
    *("address", "article", "aside", "blockquote", "center", "details", "dir", "div", "dl"),
    *("fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6"),
    *("header", "hr", "menu", "nav", "ol", "p", "pre", "section", "summary", "table", "ul"),
}
_OF_TABLES = {"caption", "col", "colgroup", "tbody", "td", "tfoot", "th", "thead", "tr"}
_ADDRESSES = {"action", "background", "cite", "href", "longdesc", "poster", "src"}
_DANGEROUS = {"srcdoc", "formaction", "srcset"}
_SCHEME = re.compile(r"\s*([\w.+-]+)\s*:")
_SCHEMES = {"cid", "http", "https", "mailto"}
# What a description of an item may have.
_PLAIN = {
    *("div", "p", "br", "ul", "ol", "li", "strong", "b", "em", "i", "u"),
    *("table", "thead", "tbody", "td", "tr"),
}
_UNSEEN = {"script", "style"}


_RUNNING = re.compile(r"<(script|style)\b.*?(</\1\s*>|$)", re.DOTALL | re.IGNORECASE)


def is_markup(text: str) -> bool:
    """Whether there is a tag in it; JSON is none, whatever is in that."""
    if not _TAG.search(text):
        return False
    try:
        json.loads(text)
    except ValueError:
        return True
    return False


def clean(markup: str, *, strip: bool = False) -> str:
    """The markup with what could run in a browser made into text, or taken away with `strip`, and
    every tag closed.
    """
    if strip:
        markup = _RUNNING.sub("", markup)
    out: list[str] = []
    opened: list[str] = []
    place = 0
    for tag in _TAG.finditer(markup):
        out.append(_as_text(markup[place : tag.start()]))
        place = tag.end()
        if tag["comment"]:
            out.append(tag[0])
            continue
        name = tag["name"].lower()
        if name not in _HARMLESS and strip:
            continue
        if name not in _HARMLESS:
            out.append(_as_text(tag[0]))
        elif name in _OF_TABLES and "table" not in opened and name != "table":
            continue  # there is none to be a part of
        elif not tag["end"]:
            if name in _BLOCKS and "p" in opened[-1:]:
                out.append(f"</{opened.pop()}>")
            out.append(f"<{name}{_attributes(tag['rest'] or '')}>")
            opened += [name] if name not in _WITHOUT_END else []
        elif name in opened:
            while opened:
                out.append(f"</{opened[-1]}>")
                if opened.pop() == name:
                    break
    out.append(_as_text(markup[place:]))
    out += [f"</{name}>" for name in reversed(opened)]
    return "".join(out)


def _attributes(text: str) -> str:
    kept = []
    for match in _ATTRIBUTE.finditer(text):
        name, value = match[1].lower(), (match[2] or "").strip("\"'")
        if name.startswith("on") or name in _DANGEROUS:
            continue
        scheme = _SCHEME.match(unescape(value))
        if name in _ADDRESSES and scheme and scheme[1].lower() not in _SCHEMES:
            continue
        if name == "style" and value.strip():
            value = value.strip().rstrip(";") + ";"
        kept.append(f' {name}="{value.replace(chr(34), "&quot;")}"')
    return "".join(kept)


def _as_text(text: str) -> str:
    text = re.sub(r"&(?!\w+;|#\d+;)", "&amp;", text)
    return text.replace("<", "&lt;").replace(">", "&gt;")


class _Markup(HTMLParser):
    """Text with the few tags that may stay, without their attributes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag in _PLAIN:
            self.out.append(f"<{tag}>")

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen -= 1
        elif tag in _PLAIN and tag != "br":
            self.out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.out.append(escape(unescape(data), quote=False))


def as_plain_markup(value: object) -> object:
    """As a description is kept: what could run is gone, and what only decorates."""
    if not isinstance(value, str) or not re.search("[<>&]", value):
        return value
    markup = _Markup()
    markup.feed(value)
    markup.close()
    return "".join(markup.out)
