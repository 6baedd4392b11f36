"""The page Audit: who did what, when and from where, filtered by the address and live."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from bascule.accounts.access import TheHub
from bascule.accounts.people.users import list_people
from bascule.audit.dependencies import MayReadAudit
from bascule.audit.entries import EntryQuery, connections_seen, entries
from bascule.audit.labels import GROUPS, WORDS, label_of, labelled
from bascule.ui import is_htmx, page_url, render

pages = APIRouter(include_in_schema=False)
PAGE = 50
BIGGEST = 2**63 - 1  # of a bigint
Asked = Annotated[str, Query(max_length=300)]


@pages.get("/audit")
async def audit_page(
    request: Request,
    hub: TheHub,
    user: MayReadAudit,
    person: Annotated[str, Query(alias="user", max_length=300)] = "",
    action: Asked = "",
    connection: Asked = "",
    since: Asked = "",
    until: Asked = "",
    before: Annotated[int | None, Query(ge=1, le=BIGGEST)] = None,
) -> Response:
    """`since` and `until` are days, in UTC, both of them included."""
    asked = {"user": person, "action": action, "connection": connection}
    asked |= {"since": since, "until": until}
    days, wrong = _days(since, until)
    wanted = EntryQuery(person or None, action or None, connection or None, *days)
    async with hub.db.session() as session:
        found = [] if wrong else await entries(session, user, wanted, before=before, limit=PAGE + 1)
        people = await list_people(session)
        connections = await connections_seen(session, user)
    shown = found[:PAGE]
    same: dict[str, Any] = {**asked, **_moments(*days)}  # as the API wants it
    page = render(
        request,
        "audit/audit.html",
        422 if wrong else 200,
        entries=[labelled(entry) for entry in shown],
        asked=asked,
        filtered=any(asked.values()),
        wrong=wrong,
        people={each.username: each.id for each in people},
        connections=connections,
        actions=_actions(action),
        older=page_url("/audit", asked.items(), before=shown[-1].id) if len(found) > PAGE else "",
        newest=page_url("/audit", asked.items()) if before else "",
        file=page_url("/api/audit.csv", same.items()),
        twin=page_url("/api/audit", same.items(), before=before),
    )
    if is_htmx(request):
        page.headers["HX-Replace-Url"] = page_url("/audit", asked.items(), before=before)
    return page


def _days(since: str, until: str) -> tuple[tuple[datetime | None, datetime | None], dict[str, str]]:
    wrong: dict[str, str] = {}
    found: list[datetime | None] = []
    for name, said, more in (("since", since, 0), ("until", until, 1)):
        day = None
        if said:
            try:
                start = datetime.combine(date.fromisoformat(said), time(), UTC)
                day = start + timedelta(days=more)
            except (ValueError, OverflowError):
                wrong[name] = "is no day, such as 2026-11-20"
        found.append(day)
    return (found[0], found[1]), wrong


def _moments(since: datetime | None, until: datetime | None) -> dict[str, str]:
    return {
        "since": f"{since:%Y-%m-%dT%H:%M:%SZ}" if since else "",
        "until": f"{until:%Y-%m-%dT%H:%M:%SZ}" if until else "",
    }


def _actions(chosen: str) -> dict[str, dict[str, str]]:
    """What there is to choose from, and what the address asks for."""
    if not chosen or chosen in WORDS:
        return GROUPS
    return {**GROUPS, "As asked for": {chosen: label_of(chosen)}}
