"""docs/cli.md, made from the verbs themselves: `python -m bascule.cli.reference > docs/cli.md`."""

from collections.abc import Iterator
from typing import Any

import typer.main

from bascule.cli.exit_codes import MEANINGS
from bascule.cli.program import app

INTRODUCTION = """# The command line

`bascule VERB --help` says the same as this page, which is made from the code.

Answers go to stdout, progress and refusals to stderr. With `--json` a verb prints one JSON document
on stdout and nothing else there; what could not be done is `{"error", "next_step", "exit_code"}`.
Every refusal is two lines: what is wrong, and the next step. `BASCULE_LOG_LEVEL=DEBUG` shows the
traceback, and each request to a site with its status, size and time.

Bars with rows, rate and time left are drawn where stderr is a terminal, of more than 16 streams one
for all and one for each that is read; elsewhere lines tell when a stream is done.
"""


def reference() -> str:
    root = typer.main.get_command(app)
    codes = "\n".join(f"| {int(code)} | {meaning} |" for code, meaning in MEANINGS.items())
    parts = [INTRODUCTION, f"## Exit codes\n\n| code | meaning |\n|---|---|\n{codes}\n"]
    parts += [_section(path, command) for path, command in _walk("bascule", root)]
    return "\n".join(parts)


def _walk(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    for name, child in getattr(command, "commands", {}).items():
        if child.hidden:
            continue
        yield f"{path} {name}", child
        yield from _walk(f"{path} {name}", child)


def _section(path: str, command: Any) -> str:
    shown = [p for p in command.params if not getattr(p, "hidden", False) and p.name != "help"]
    arguments = [p for p in shown if p.param_type_name == "argument"]
    words = [path, *(["[OPTIONS]"] if len(shown) > len(arguments) else [])]
    words += [_argument(p) for p in arguments]
    if getattr(command, "commands", None):
        words.append("[COMMAND]")
    lines = [f"## `{' '.join(words)}`\n", _paragraphs(command.help or "")]
    rows = [f"| `{_names(p)}` | {_meaning(p)} |" for p in shown]
    if rows:
        lines += ["| option | meaning |\n|---|---|\n" + "\n".join(rows) + "\n"]
    return "\n".join(lines)


def _paragraphs(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines()) + "\n"


def _argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    return str(name) if parameter.required or str(name).startswith("[") else f"[{name}]"


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return _argument(parameter)
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    return names if parameter.is_flag else f"{names} {parameter.name.upper()}"


def _meaning(parameter: Any) -> str:
    text = (parameter.help or "").replace("|", "\\|")
    facts = []
    if parameter.default not in (None, False, True, [], ()) and not callable(parameter.default):
        facts.append(f"default `{parameter.default}`")
    elif parameter.default is True:
        facts.append("on unless told otherwise")
    if parameter.envvar:
        facts.append(f"environment `{parameter.envvar}`")
    return f"{text} ({'; '.join(facts)})" if facts else text


if __name__ == "__main__":
    print(reference(), end="")
