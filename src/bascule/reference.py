"""docs/api.md, made from the OpenAPI: `python -m bascule.reference > docs/api.md`.

A test compares the two, so what the API takes is always what is written.
"""

import json
import re
import textwrap
from typing import Any

from bascule.app import create_app

INTRODUCTION = """# The API

Made from the OpenAPI by `python -m bascule.reference`; do not edit it here.

{about}
```sh
curl -H "Authorization: Bearer $(bascule token)" http://127.0.0.1:8003/api/connectors/status
```

`GET /openapi.json` is the same for machines, with every schema; it wants the token too. So would a
page made from it, which a browser cannot send: therefore there is none.

| status | what it means |
|---|---|
| 200, 201, 202 | done, made, queued |
| 400 | a body cannot be read; the site does not let the hub in, or refused what was asked |
| 401 | no token, or one that opens nothing |
| 403 | your role, or your token's scope, does not let you |
| 404 | what was named is not there |
| 405, 413 | an address that does not take this method; a body over 1 MB |
| 409 | not now, or not together with what is there already |
| 422 | a value cannot be taken; `fields` names it |
| 429 | too many attempts to sign in; `Retry-After` tells how long to wait |
| 502 | a connected site did not answer as one |
| 503 | the hub's database cannot be reached |
"""


def markdown(openapi: dict[str, Any]) -> str:
    routes: dict[str, list[str]] = {}
    shown: set[str] = set()
    for path, methods in openapi["paths"].items():
        for method, route in methods.items():
            tag = route.get("tags", ["Other"])[0]
            routes.setdefault(tag, []).append(_route(openapi, method.upper(), path, route, shown))
    parts = [INTRODUCTION.format(about=openapi["info"]["description"])]
    for tag, written in routes.items():
        parts += [f"## {tag}\n", *_worked_example(openapi, tag), *written]
    return "\n".join(parts)


# What stands in the addresses of examples.
NAMED = {
    **{"connector": "acme_trading", "stream": "Item", "relation": "inventory", "run": "42"},
    **{"user": "3", "number": "12", "records": "customers", "what": "customers"},
}


# Where another route than the first says more of its area.
TELLING = {"Signing in": "/api/auth/me"}


def _worked_example(openapi: dict[str, Any], tag: str) -> list[str]:
    """A call of this area and its answer: the first route that has a body, else the first, of which
    the OpenAPI has whole examples.
    """
    found = []
    for path, methods in openapi["paths"].items():
        for method, route in methods.items():
            if tag != route.get("tags", ["Other"])[0] or method == "delete":
                continue
            body = route.get("requestBody")
            sent = (
                _example(openapi, body["content"]["application/json"]["schema"]) if body else None
            )
            answer = _answered(openapi, route["responses"])
            if answer and (sent or not body):
                rank = 0 if path == TELLING.get(tag) else 1 if sent else 2
                found.append((rank, method, path, sent, answer))
    if not found:
        return []
    _, method, path, sent, answer = min(found, key=lambda one: one[0])
    call = _curl(method, path, sent, "security" in openapi["paths"][path][method])
    return [f"For instance:\n\n```sh\n{call}\n```\n\n{answer}\n"]


def _curl(method: str, path: str, sent: Any, guarded: bool) -> str:
    path = re.sub(r"\{(\w+)(?::path)?\}", lambda m: NAMED.get(m[1], m[0]), path)
    words = ["curl"]
    if method != "get":
        words[0] += f" -X {method.upper()}"
    if guarded:
        words[0] += ' -H "Authorization: Bearer $(bascule token)"'
    if sent is not None:
        words.append('-H "Content-Type: application/json"')
        written = json.dumps(sent, indent=1, ensure_ascii=False).replace("'", "'\\''")
        words.append(f"-d '{written}'")
    words.append(f"http://127.0.0.1:8003{path}")
    return (" \\\n  " if sent is not None else " ").join(words)


def _answered(openapi: dict[str, Any], responses: dict[str, Any]) -> str:
    """The example of a good answer, as a block; empty where there is none that is whole."""
    good: list[dict[str, Any]] = [r for s, r in responses.items() if s.startswith("2")]
    content = good[0].get("content", {}) if good else {}
    if "text/event-stream" in content:
        return f"```\n{content['text/event-stream']['example'].strip()}\n```"
    if "application/json" not in content:
        return ""
    example = _example(openapi, content["application/json"]["schema"])
    return _json("It answers", example) if example else ""


def _example(openapi: dict[str, Any], schema: dict[str, Any]) -> Any:
    """The example of a schema, put together from those of its parts; None where one is missing."""
    model = _model(openapi, schema)
    if "example" in model:
        return model["example"]
    for given in ("examples", "enum"):
        if given in model:
            return model[given][0]
    if model.get("type") == "array":
        item = _example(openapi, model.get("items", {}))
        return None if item is None else [item]
    if "properties" not in model:
        return None
    parts = {name: _example(openapi, part) for name, part in model["properties"].items()}
    needed = set(model.get("required", ()))
    if any(parts[name] is None for name in needed if not _may_be_null(model["properties"][name])):
        return None
    return {name: part for name, part in parts.items() if part is not None or name in needed}


def _may_be_null(schema: dict[str, Any]) -> bool:
    return {"type": "null"} in schema.get("anyOf", ())


def _route(
    openapi: dict[str, Any], method: str, path: str, route: dict[str, Any], shown: set[str]
) -> str:
    parts = [f"### `{method} {path}`", wrapped(route.get("description") or route["summary"])]
    if parameters := route.get("parameters"):
        rows = [
            f"| `{p['name']}` | {p['in']} | {_kind(openapi, p['schema'])} | {_cell(p)} |"
            for p in parameters
        ]
        parts.append(
            "| parameter | in | type | what it is |\n|---|---|---|---|\n" + "\n".join(rows)
        )
    if body := route.get("requestBody"):
        parts.append(_body(openapi, body["content"]["application/json"]["schema"]))
    parts.append(_answer(openapi, route["responses"], shown))
    return "\n\n".join(parts) + "\n"


def _body(openapi: dict[str, Any], schema: dict[str, Any]) -> str:
    model = _model(openapi, schema)
    required = set(model.get("required", ()))
    rows = [
        f"| `{name}` | {_kind(openapi, field)} |"
        f" {'required' if name in required else _default(field)} | {_cell(field)} |"
        for name, field in model["properties"].items()
    ]
    table = "| in the body | type | default | what it is |\n|---|---|---|---|\n" + "\n".join(rows)
    if example := model.get("example"):
        table += "\n\n" + _json("Such as", example)
    return table


def _answer(openapi: dict[str, Any], responses: dict[str, Any], shown: set[str]) -> str:
    """What comes back; a model that was shown before is only named."""
    status, response = next((s, r) for s, r in responses.items() if s.startswith("2"))
    content = response.get("content", {})
    if "application/json" not in content or len(content) > 1:
        kinds = ", ".join(f"`{kind}`" for kind in content if kind != "application/json")
        return wrapped(f"Answers {status} with a file: {kinds}.")
    model = _model(openapi, content["application/json"]["schema"])
    title = model["title"]
    if title in shown:
        return f"Answers {status} with `{title}`, as above."
    shown.add(title)
    answer = wrapped(f"Answers {status} with `{title}`: {_fields(openapi, model)}.")
    if example := model.get("example"):
        answer += "\n\n" + _json("Such as", example)
    return answer


def _fields(openapi: dict[str, Any], model: dict[str, Any]) -> str:
    return ", ".join(
        f"`{name}` ({_kind(openapi, field)})" for name, field in model["properties"].items()
    )


def _model(openapi: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    for option in schema.get("anyOf", [schema]):
        if "$ref" in option:
            name = option["$ref"].rsplit("/", 1)[1]
            found: dict[str, Any] = openapi["components"]["schemas"][name]
            return found
    return schema


def _kind(openapi: dict[str, Any], schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        model = _model(openapi, schema)
        return (
            " or ".join(model["enum"]) if "enum" in model else str(schema["$ref"]).rsplit("/")[-1]
        )
    if "anyOf" in schema:
        return " or ".join(_kind(openapi, option) for option in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(str(choice) for choice in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(openapi, schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "anything")


def _default(field: dict[str, Any]) -> str:
    return f"`{json.dumps(field['default'], ensure_ascii=False)}`" if "default" in field else ""


def _cell(described: dict[str, Any]) -> str:
    return _flowing(described.get("description", "")).replace("|", "\\|")


def _flowing(text: str) -> str:
    return re.sub(r"(?<!\n)\n(?!\n)", " ", text.strip())


def wrapped(text: str) -> str:
    """Paragraphs of 120 columns at most; what is in backticks stays on one line."""
    paragraphs = _flowing(text).split("\n\n")
    whole = [re.sub(r"`[^`]+`", lambda m: m[0].replace(" ", "\0"), one) for one in paragraphs]
    lines = [
        textwrap.fill(one, 116, break_long_words=False, break_on_hyphens=False) for one in whole
    ]
    return "\n\n".join(lines).replace("\0", " ")


def _json(lead: str, example: Any) -> str:
    return f"{lead}\n\n```json\n{json.dumps(example, indent=2, ensure_ascii=False)}\n```"


if __name__ == "__main__":
    print(markdown(create_app().openapi()), end="")
