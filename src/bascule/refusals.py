"""Errors as HTTP answers: a problem (see `problems`) for programs, a page for people.

The only place that knows both our errors and HTTP's statuses. No part of a request is echoed,
except what an error quotes in its own message.
"""

import logging
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode, urlsplit

import psycopg
import sqlalchemy.exc
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from psycopg_pool import PoolClosed, PoolTimeout
from starlette.exceptions import HTTPException

from bascule import frappe, problems
from bascule.accounts.access import READING, get_hub, require_user
from bascule.accounts.origin import local_path
from bascule.accounts.reauthentication import passkey_options
from bascule.connections.schemas import CheckAnswer
from bascule.errors import (
    Busy,
    CodeNeeded,
    Conflict,
    Forbidden,
    HubError,
    Invalid,
    NoSuch,
    TooMany,
    Unauthenticated,
    Unconfirmed,
)
from bascule.problems import ProblemType
from bascule.sites.service import CheckFailed
from bascule.store import StoreError
from bascule.ui import render
from bascule.ui.headers import HEADERS

log = logging.getLogger(__name__)

# The first class that fits decides. A saved site that does not answer is a bad gateway; a proposed
# one (CheckFailed) is a bad request.
PROBLEMS: tuple[tuple[type[Exception], ProblemType], ...] = (
    (CodeNeeded, problems.CODE_NEEDED),
    (Unauthenticated, problems.UNAUTHENTICATED),
    (Unconfirmed, problems.CONFIRMATION_NEEDED),
    (Forbidden, problems.FORBIDDEN),
    (TooMany, problems.TOO_MANY),
    (Busy, problems.BUSY),
    (NoSuch, problems.NOT_FOUND),
    (Conflict, problems.CONFLICT),
    (Invalid, problems.INVALID),
    (CheckFailed, problems.CHECK_FAILED),
    (HubError, problems.BAD_REQUEST),
    (StoreError, problems.UNAVAILABLE),
    (frappe.NotFound, problems.SITE_NOT_FOUND),
    (frappe.Unavailable, problems.SITE_UNREACHABLE),
    (frappe.Timeout, problems.SITE_UNREACHABLE),
    (frappe.TLSFailure, problems.SITE_UNREACHABLE),
    (frappe.NotAFrappeSite, problems.SITE_UNREACHABLE),
    (frappe.FrappeError, problems.SITE_REFUSED),
)
DATABASE_GONE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.InterfaceError,
    PoolTimeout,
    PoolClosed,
)
UNSTORABLE = (psycopg.DataError, sqlalchemy.exc.DataError)
PAGE_TITLES = {
    403: "You may not do this",
    404: "There is nothing here",
    409: "Not now",
    422: "This cannot be taken",
    429: "Too many attempts",
    503: "Not just now",
}
GONE = (
    "It may have been removed, or the address be mistyped. Go back, or start from the first page."
)
PAGE_WORDS = {404: "No page has this address.", 405: "This address takes no such request."}
HTTP_STEPS = {
    404: "GET /openapi.json lists the addresses that there are.",
    405: "GET /openapi.json tells which methods this address takes.",
    413: "Send less at once; a request may have up to 1 MB.",
}


def refused(
    request: Request,
    problem: ProblemType,
    what: str,
    next_step: str,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> Response:
    """A problem for a program, a page for a person in a browser."""
    status = problem.status
    if not is_page(request):
        body = problems.body(problem, what, next_step, **more)
        return Response(body, status, headers, problems.MEDIA_TYPE)
    title = PAGE_TITLES.get(status, "That did not work")
    page = render(request, "ui/error.html", status, title=title, what=what, next_step=next_step)
    page.headers.update(headers or {})
    return page


async def _said(request: Request, error: Exception) -> Response:
    if isinstance(error, Unauthenticated) and is_page(request):
        return _to_sign_in(request)
    if isinstance(error, Unconfirmed) and is_page(request):
        return await _to_confirm(request, error)
    problem = next(problem for kind, problem in PROBLEMS if isinstance(error, kind))
    headers = {"WWW-Authenticate": 'Bearer realm="bascule"'} if problem.status == 401 else None
    if isinstance(error, TooMany | Busy):
        headers = {"Retry-After": str(error.retry_after)}
    more: dict[str, Any] = {}
    if isinstance(error, Invalid | frappe.Invalid) and error.fields:
        more["fields"] = error.fields
    if isinstance(error, CheckFailed):
        more["check"] = CheckAnswer.of(error.report).model_dump(mode="json")
    step: str = error.next_step  # type: ignore[attr-defined]
    if isinstance(error, NoSuch) and is_page(request) and step.startswith("GET /"):
        step = GONE
    return refused(request, problem, str(error), step, headers, **more)


def is_page(request: Request) -> bool:
    """Asked for by a person in a browser, who wants a page also where something is refused."""
    path = request.url.path
    return not path.startswith("/api/") and path not in ("/health", "/metrics", "/openapi.json")


def _to_sign_in(request: Request) -> Response:
    """Then back to where they were; htmx has a part of a page in mind, so it is told apart."""
    if request.method in READING and not _is_htmx(request):
        here = urlsplit(str(request.url))
    else:  # a form that was sent too late, or a part of a page, leads back to its page
        here = urlsplit(request.headers.get("hx-current-url") or request.headers.get("referer", ""))
    wanted = f"{here.path or '/'}?{here.query}" if here.query else here.path or "/"
    to = f"/sign-in?{urlencode({'next': local_path(wanted)})}"
    if _is_htmx(request):
        return Response(status_code=401, headers={"HX-Redirect": to})
    return RedirectResponse(to, 303)


async def _to_confirm(request: Request, error: Unconfirmed) -> Response:
    """The form that was sent, with a place for the password: what was typed is not lost."""
    hub = get_hub(request)
    options = await passkey_options(request, hub, request.state.user)
    return render(
        request,
        "accounts/confirm.html",
        403,
        path=request.url.path,
        fields=getattr(request.state, "form", []),
        wrong=error.wrong and str(error),
        provider=hub.settings.oidc_name,
        options=options,
    )


def _is_htmx(request: Request) -> bool:
    return request.headers.get("hx-request") == "true"


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    fields: dict[str, str] = {}
    for wrong in error.errors():
        place = [str(part) for part in wrong["loc"][1:]] or [str(wrong["loc"][0])]
        fields[".".join(place)[:200]] = str(wrong["msg"])
    said = "; ".join(f"{name}: {reason}" for name, reason in list(fields.items())[:5])
    step = "Correct what is named and send it again; GET /openapi.json tells what is taken."
    if is_page(request):
        step = "Go back, correct what is named, and try again."
    what = f"This request cannot be taken: {said}."
    return refused(request, problems.INVALID, what, step, fields=fields)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    step = HTTP_STEPS.get(error.status_code, "GET /openapi.json tells how to ask.")
    what = str(error.detail)
    if is_page(request):
        with suppress(HubError, *DATABASE_GONE):  # no route was found, so nobody asked who it is
            await require_user(request, get_hub(request), None)
        step = "Go back, or start from the first page."
        what = PAGE_WORDS.get(error.status_code, what)
    problem = problems.of_status(error.status_code)
    return refused(request, problem, what, step, dict(error.headers or {}))


async def _database_gone(request: Request, error: Exception) -> Response:
    log.error("The database cannot be reached: %s", type(error).__name__)
    return refused(
        request,
        problems.UNAVAILABLE,
        "The hub's database cannot be reached.",
        "Try again in a moment; 'bascule doctor' on the hub's machine tells what is wrong.",
        {"Retry-After": "5"},
    )


async def _busy(request: Request, error: Exception) -> Response:
    log.error("All connections to the database were taken for too long")
    return refused(
        request,
        problems.BUSY,
        "The hub has more to do at once than it can.",
        "Try again in a moment; 'bascule doctor' on the hub's machine tells who holds it up.",
        {"Retry-After": "5"},
    )


async def _unstorable(request: Request, error: Exception) -> Response:
    return refused(
        request,
        problems.INVALID,
        "A value in this request cannot be stored or compared.",
        "Leave out characters and numbers that are out of the ordinary.",
    )


async def _unforeseen(request: Request, error: Exception) -> Response:
    return refused(
        request,
        problems.FAILED,
        "The hub failed at this; the fault is its own.",
        "Try again; if it stays, look at the hub's log and report what it says.",
        dict(HEADERS),  # such an answer leaves outside of every middleware
    )


def install(app: FastAPI) -> None:
    for kind in (HubError, StoreError, frappe.FrappeError):
        app.add_exception_handler(kind, _said)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for gone in DATABASE_GONE:
        app.add_exception_handler(gone, _database_gone)
    app.add_exception_handler(sqlalchemy.exc.TimeoutError, _busy)
    for unstorable in UNSTORABLE:
        app.add_exception_handler(unstorable, _unstorable)
    app.add_exception_handler(Exception, _unforeseen)
