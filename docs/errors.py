"""docs/errors.md, from the errors as the code has them: `python docs/errors.py > docs/errors.md`.

What each says and its next step are read off the source; causes and order are docs/errors.toml's. A
test compares, so no error is there without its line.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from bascule.problems import PROBLEMS

HERE = Path(__file__).parent
ROOMS = HERE.parent / "src" / "bascule"
# Helpers that make an error out of texts in this order.
MAKERS = {"_invalid": (0, 1, 2), "Problem": (0, 1), "refused": (2, 3), "_last_word": (1, 2)}
BETWEEN = re.compile(r"<[^>]*>")
Error = tuple[str, str]


def main() -> None:
    plan = tomllib.loads((HERE / "errors.toml").read_text())
    symptoms = Symptoms(plan["symptom"])
    parts = []
    left = {path.relative_to(ROOMS).as_posix() for path in ROOMS.rglob("*.py")}
    used: set[str] = set()
    for section in plan["section"]:
        files = sorted(name for name in left if name.startswith(tuple(section["files"])))
        left -= set(files)
        found = [error for name in files for error in errors_of(ROOMS / name)]
        parts += [
            f"## {section['title']}\n\n{section['about']}",
            _table(section, found, used, symptoms),
        ]
    wrong = [f"no section for src/bascule/{name}" for name in sorted(left) if _errors_in(name)]
    if wrong:
        sys.exit("docs/errors.toml: " + "; ".join(wrong))
    symptoms.refuse_what_leads_nowhere()
    print(
        "\n\n".join(
            part.strip()
            for part in [plan["introduction"], symptoms.index(), _problem_types(), *parts]
        )
    )


class Symptoms:
    """The way in for who sees something and has no words to search for: each leads to rows of the
    tables below, which get a name for it, and to pages.
    """

    def __init__(self, symptoms: list[dict[str, Any]]) -> None:
        self.symptoms = symptoms
        beginnings = (key for one in symptoms for key in one.get("errors", ()))
        self.names = {key: _anchor(key) for key in beginnings}
        self.led_to: dict[str, str] = {}

    def named(self, said: str) -> str:
        """What stands before this error: the name that links lead to, where one does."""
        fitting = [key for key in self.names if said.startswith(key) and key not in self.led_to]
        for key in fitting:
            self.led_to[key] = said
        return "".join(f'<a id="{self.names[key]}"></a>' for key in fitting)

    def refuse_what_leads_nowhere(self) -> None:
        if lost := self.names.keys() - self.led_to.keys():
            sys.exit(f"docs/errors.toml: a symptom leads to what no error says: {sorted(lost)}")

    def index(self) -> str:
        parts = ["## Start from what you see"]
        for group in dict.fromkeys(one["group"] for one in self.symptoms):
            rows = [self._row(one) for one in self.symptoms if one["group"] == group]
            table = ["| what you see | it may be | read on |", "|---|---|---|", *rows]
            parts.append(f"### {group}\n\n" + "\n".join(table))
        return "\n\n".join(parts)

    def _row(self, symptom: dict[str, Any]) -> str:
        errors = [
            f"[{_cell(self.led_to[key])}](#{self.names[key]})" for key in symptom.get("errors", ())
        ]
        pages = [f"[{_heading(page)}]({page})" for page in symptom.get("pages", ())]
        return f"| {symptom['see']} | {'<br>'.join(errors)} | {'<br>'.join(pages)} |"


def _anchor(beginning: str) -> str:
    return "says-" + "-".join(re.findall(r"[a-z0-9]+", beginning.lower()))


def _heading(link: str) -> str:
    """The title of the page or of its part that this leads to."""
    page, _, part = link.partition("#")
    headings: list[str] = re.findall(r"^#+ (.+)$", (HERE / page).read_text(), re.MULTILINE)
    if not part:
        return headings[0]
    for heading in headings:
        if re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") == part:
            return f"{headings[0]}: {heading}"
    sys.exit(f"docs/errors.toml: a symptom leads to {link}, and there is no such heading")


def _problem_types() -> str:
    about = (
        "## Problem types\n\nOver HTTP each error is `application/problem+json`. Its `type` tells a"
        " program which kind it is, and never changes."
    )
    rows = [f"| `{one.type}` | {one.status} | {one.title} |" for one in PROBLEMS]
    return "\n".join([f"{about}\n", "| `type` | `status` | `title` |", "|---|---|---|", *rows])


def errors_of(path: Path) -> list[Error]:
    """What each error in this file says, and its next step, as far as they stand there."""
    tree = ast.parse(path.read_text())
    names = dict(_constants(tree))
    return [
        (said, step)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for said, step in _made(node, names)
    ]


def _errors_in(name: str) -> bool:
    return not name.startswith("sandbox/") and bool(errors_of(ROOMS / name))


def _made(call: ast.Call, names: dict[str, str]) -> Iterator[Error]:
    step = next((key.value for key in call.keywords if key.arg == "next_step"), None)
    texts: list[ast.expr] = [call.args[0], step] if step is not None and call.args else []
    maker = getattr(call.func, "id", getattr(call.func, "attr", ""))
    if maker == "back_to":
        return  # what a page says of what was done
    if step is None and maker in MAKERS and len(call.args) > max(MAKERS[maker]):
        texts = [call.args[place] for place in MAKERS[maker]]
    written = [_text(part, names) for part in texts]
    if len(written) > 1 and all(written):
        yield ": ".join(map(str, written[:-1])), str(written[-1])


def _text(node: ast.expr, names: dict[str, str]) -> str | None:
    """A text with a name in place of each value that is put into it; None if it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else _named(part, names)
            for part in node.values
        )
    if isinstance(node, ast.BinOp):
        return _text(node.left, names)
    if isinstance(node, ast.BoolOp):
        return _text(node.values[-1], names)
    if isinstance(node, ast.IfExp):
        either = _text(node.body, names), _text(node.orelse, names)
        return " Or: ".join(text for text in either if text) or None
    return None


def _named(node: ast.AST, names: dict[str, str]) -> str:
    match node:
        case ast.FormattedValue(value=inner) | ast.Subscript(value=inner):
            return _named(inner, names)
        case ast.Call(args=[*_, last]):
            return _named(last, names)
        case ast.Call(func=ast.Attribute(value=inner)):
            return _named(inner, names)
        case ast.BinOp(right=last):
            return _named(last, names)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return names.get(name, f"<{name.strip('_').lower().replace('_', ' ')}>")
    return "<...>"


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=value)):
                yield name, str(value)


@cache
def _all_texts() -> list[str]:
    return [
        node.value
        for path in ROOMS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def _table(section: dict[str, Any], found: list[Error], used: set[str], symptoms: Symptoms) -> str:
    causes: dict[str, str] = section.get("causes", {})
    rows = []
    for said, step in dict.fromkeys([*found, *map(tuple, section.get("also", ()))]):
        key = next((key for key in causes if said.startswith(key)), "")
        used.add(key)
        name = symptoms.named(said)
        rows.append(f"| {name}{_cell(said)} | {_cell(causes.get(key, ''))} | {_cell(step)} |")
    if stale := [key for key in causes if key not in used]:
        sys.exit(f"docs/errors.toml: no error says any more: {stale}")
    written = "\n".join(_all_texts())
    for piece in (p for pair in section.get("also", ()) for p in BETWEEN.split(": ".join(pair))):
        if any(part.strip(" .':()") not in written for part in piece.split(": ")):
            sys.exit(f"docs/errors.toml: the code says nowhere {piece!r}")
    return "\n".join(["| it says | because | next step |", "|---|---|---|", *rows])


def _cell(text: str) -> str:
    plain = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")
    return plain.replace("*", "\\*").replace("__", "\\_\\_")


if __name__ == "__main__":
    main()
