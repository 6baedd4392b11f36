"""Errors over HTTP: `application/problem+json` (RFC 9457).

A problem has `type`, `title`, `status` and `detail`, and as extensions `next_step`, and `fields`
where values are wrong. `type` names the kind for programs and never changes:
`urn:bascule:problem:conflict`.
"""

import json
from dataclasses import dataclass
from typing import Any

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem. `name` is the end of its type; `title` is the same at every occurrence."""

    name: str
    title: str
    status: int

    @property
    def type(self) -> str:
        return f"urn:bascule:problem:{self.name}"


UNAUTHENTICATED = ProblemType("unauthenticated", "Sign-in needed", 401)
CODE_NEEDED = ProblemType("code-needed", "Code of the authenticator app needed", 401)
FORBIDDEN = ProblemType("forbidden", "Not allowed", 403)
CONFIRMATION_NEEDED = ProblemType("confirmation-needed", "Password or passkey needed again", 403)
TOO_MANY = ProblemType("too-many", "Too many attempts", 429)
BUSY = ProblemType("busy", "Busy", 503)
NOT_FOUND = ProblemType("not-found", "Not found", 404)
CONFLICT = ProblemType("conflict", "Not possible now", 409)
INVALID = ProblemType("invalid", "Invalid value", 422)
BAD_REQUEST = ProblemType("bad-request", "Not possible", 400)
CHECK_FAILED = ProblemType("check-failed", "Check of the connection failed", 400)
METHOD_NOT_ALLOWED = ProblemType("method-not-allowed", "Method not allowed", 405)
REQUEST_TIMEOUT = ProblemType("request-timeout", "Request took too long", 408)
TOO_LARGE = ProblemType("too-large", "Request too large", 413)
UNAVAILABLE = ProblemType("unavailable", "Not available", 503)
SITE_REFUSED = ProblemType("site-refused", "Refused by the site", 400)
SITE_UNREACHABLE = ProblemType("site-unreachable", "Site cannot be reached", 502)
SITE_NOT_FOUND = ProblemType("site-not-found", "Not found on the site", 404)
FAILED = ProblemType("failed", "The hub failed", 500)

PROBLEMS = (
    *(UNAUTHENTICATED, CODE_NEEDED, FORBIDDEN, CONFIRMATION_NEEDED, TOO_MANY, BUSY, NOT_FOUND),
    *(CONFLICT, INVALID, BAD_REQUEST, CHECK_FAILED, METHOD_NOT_ALLOWED, REQUEST_TIMEOUT),
    *(TOO_LARGE, UNAVAILABLE, SITE_REFUSED, SITE_UNREACHABLE, SITE_NOT_FOUND, FAILED),
)
# For what has a status alone. The first of each status is the general one.
BY_STATUS = {problem.status: problem for problem in reversed(PROBLEMS)}


def of_status(status: int) -> ProblemType:
    """The general problem type of an HTTP status; a new one for a status that none here has."""
    found = BY_STATUS.get(status)
    return found or ProblemType(f"http-{status}", "Not possible", status)


def body(problem: ProblemType, detail: str, next_step: str, **more: Any) -> bytes:
    """ASCII only: a detail may quote text that UTF-8 cannot hold."""
    said = {"type": problem.type, "title": problem.title, "status": problem.status}
    return json.dumps({**said, "detail": detail, "next_step": next_step, **more}).encode("ascii")
