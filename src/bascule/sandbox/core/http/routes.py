"""Which function answers a path: the rules of frappe/api/v1.py and v2.py as werkzeug matches them.

A rule whose name is a path of any length counts as known to other methods only with a slash at its
end: without one werkzeug does not find it, and that is a 404 instead of a 405.
"""

import re
from dataclasses import dataclass, field

from bascule.sandbox.core.errors import Refusal

_ONE = "(?P<doctype>[^/]+)"
_NAME = r"(?P<name>[^/].*?)"
_ALL = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass
class Route:
    """`endpoint` is the function's name, `given` what of the path it gets."""

    endpoint: str
    given: dict[str, str] = field(default_factory=dict)
    v2: bool = False


def _rules(
    *rules: tuple[str, str, tuple[str, ...]],
) -> list[tuple[re.Pattern[str], str, tuple[str, ...]]]:
    return [(re.compile(pattern), endpoint, verbs) for pattern, endpoint, verbs in rules]


_V1 = _rules(
    (r"method/(?P<method>[^/].*)", "method", _ALL),
    (f"resource/{_ONE}/?", "list", ("GET",)),
    (f"resource/{_ONE}/?", "create", ("POST",)),
    (f"resource/{_ONE}/{_NAME}/?", "read", ("GET",)),
    (f"resource/{_ONE}/{_NAME}/?", "update", ("PUT",)),
    (f"resource/{_ONE}/{_NAME}/?", "delete", ("DELETE",)),
    (f"resource/{_ONE}/{_NAME}/?", "run", ("POST",)),
)
_V2 = _rules(
    (r"method/run_doc_method/?", "run_doc_method", ("GET", "POST")),
    (r"method/(?P<method>[^/]+)/?", "method", _ALL),
    (f"method/{_ONE}/(?P<method>[^/]+)/?", "doctype_method", _ALL),
    (f"document/{_ONE}/?", "list", ("GET",)),
    (f"document/{_ONE}/?", "create", ("POST",)),
    (f"document/{_ONE}/{_NAME}/method/(?P<method>[^/]+)/?", "run", ("GET", "POST")),
    (f"document/{_ONE}/{_NAME}/?", "read", ("GET",)),
    (f"document/{_ONE}/{_NAME}/?", "update", ("PATCH", "PUT")),
    (f"document/{_ONE}/{_NAME}/?", "delete", ("DELETE",)),
    (f"doctype/{_ONE}/meta/?", "meta", ("GET",)),
    (f"doctype/{_ONE}/count/?", "count", ("GET",)),
)


def is_v2(path: str) -> bool:
    """As Frappe tells the versions of its API apart, whether or not there is such a path."""
    return path.startswith("/api/v2")


def route(verb: str, path: str) -> Route:
    """Of a decoded path; a 404 or a 405 where there is none."""
    v2 = path.startswith("/api/v2/")
    rest = path.removeprefix("/api/").removeprefix("v2/" if v2 else "v1/")
    known = False
    for pattern, endpoint, verbs in _V2 if v2 else _V1:
        match = pattern.fullmatch(rest)
        if match is None or not path.startswith("/api/"):
            continue
        if verb in verbs:
            return Route(endpoint, match.groupdict(), v2)
        known = known or rest.endswith("/") or "name" not in pattern.groupindex
    if known:
        raise Refusal("MethodNotAllowed", module="werkzeug.exceptions", status=405)
    raise Refusal("DoesNotExistError")
