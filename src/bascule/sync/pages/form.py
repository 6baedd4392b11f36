"""The form of a record, made from the fields that its type and its connection have.

A field that was not touched is not sent back: what somebody else changed meanwhile stays, and a
default that nobody chose is a default.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import FormData

from bascule.accounts.access import TheHub
from bascule.accounts.tables import User
from bascule.connections.tables import Connection
from bascule.errors import Conflict, HubError, Invalid
from bascule.hub import Hub
from bascule.sync import queries, records
from bascule.sync.dependencies import MayEditRecords
from bascule.sync.fields import LONGEST, USUAL_LENGTH, Field, RecordType
from bascule.sync.history import history_of
from bascule.sync.mapping import Mapped, mapped, unmapped
from bascule.sync.pages.labels import is_first, shown
from bascule.sync.pages.record_type import Number, TheKind, note, page_of
from bascule.sync.queries import LinkedRecord
from bascule.sync.setup.settings import two_ways
from bascule.sync.tables import TwoWay
from bascule.ui import back_to, render

GROUPS = {
    "who": "Who",
    "contact": "Contact",
    "address": "Address",
    "terms": "Terms",
    "own": "Your own fields",
}
PREFIX, WAS = "f-", "was-"  # of names in the form
INPUTS = {
    "number": {"inputmode": "decimal"},
    "url": {"inputmode": "url", "spellcheck": "false"},
}
ALONE = "kept here alone"
TYPES = {"flag": "switch", "long": "textarea", "email": "email", "phone": "tel", "date": "date"}


@dataclass
class Input:
    """A field in the form. `was`: what it was when the form was made; `meanwhile`: what it has
    become since, in the hands of somebody else. `alone`: why it is kept here alone.
    """

    field: Field
    text: str
    was: str
    alone: str = ""
    error: str = ""
    meanwhile: str = ""

    @property
    def name(self) -> str:
        return f"{PREFIX}{self.field.name}"

    @property
    def kind(self) -> str:
        return TYPES.get(self.field.kind, "text")

    @property
    def attributes(self) -> dict[str, str]:
        if self.fixed:
            return {"disabled": "disabled"}
        if self.field.kind in ("flag", "date"):
            return {}
        longest = self.field.longest or LONGEST.get(self.field.kind, USUAL_LENGTH)
        return {"maxlength": str(longest), **INPUTS.get(self.field.kind, {})}

    @property
    def fixed(self) -> bool:
        return self.field.direction == "from_erpnext"

    @property
    def help(self) -> str:
        told = [self.field.help]
        if self.field.choices:
            told.append(f"One of: {', '.join(self.field.choices)}.")
        if self.fixed:
            told.append("Comes from ERPNext and is changed there.")
        elif self.alone:
            told.append(self.alone if ALONE in self.alone else f"It is {ALONE}: {self.alone}")
        return " ".join(filter(None, told))


@dataclass
class RecordForm:
    kind: RecordType
    inputs: dict[str, Input]
    action: str
    version: int | None = None
    connector: str = ""
    refused: HubError | None = None
    changed: list[tuple[str, str, str, str]] = field(default_factory=list)

    def groups(self) -> list[tuple[str, list[Input]]]:
        found: dict[str, list[Input]] = {name: [] for name in GROUPS}
        for one in self.inputs.values():
            found["own" if one.field.own else one.field.group].append(one)
        return [(GROUPS[name], inputs) for name, inputs in found.items() if inputs]

    def fill(self, typed: FormData) -> None:
        for one in self.inputs.values():
            if not one.fixed:
                one.text, one.was = _typed(typed, PREFIX, one), _typed(typed, WAS, one)

    def given(self) -> dict[str, Any]:
        """What somebody said: what was touched."""
        return {
            name: one.text == "on" if one.field.kind == "flag" else one.text
            for name, one in self.inputs.items()
            if not one.fixed and one.text != one.was
        }

    def refuse(self, error: HubError) -> None:
        self.refused = error
        if isinstance(error, Invalid):
            for name, why in error.fields.items():
                if name in self.inputs:
                    self.inputs[name].error = why


def _typed(typed: FormData, prefix: str, one: Input) -> str:
    value = typed.get(f"{prefix}{one.field.name}")
    return value.replace("\r\n", "\n") if isinstance(value, str) else ""


def form_of(
    fields: Mapped,
    values: dict[str, Any],
    action: str,
    version: int | None = None,
    *,
    synced: bool,
) -> RecordForm:
    """`synced`: there is a site, so that it says something which fields it cannot hold."""
    inputs = {}
    for one in fields.fields:
        text = _text(one, values.get(one.name))
        alone = (fields.why_not(one) or "") if synced else ""
        inputs[one.name] = Input(one, text, text, alone)
    return RecordForm(fields.type, inputs, action, version)


def _text(one: Field, value: Any) -> str:
    """A value as it is typed."""
    if one.kind == "flag":
        return "on" if value else ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def add_to(router: APIRouter, kind: RecordType) -> None:
    router.get("/new")(new_page)
    router.post("/new", name=f"create_{kind.name}")(create)
    router.get("/{number}/edit")(edit_page)
    router.post("/{number}/edit", name=f"change_{kind.name}")(save)


Slug = Annotated[str, Query(max_length=100)]
PAGE = "sync/form.html"
On = list[tuple[TwoWay, Connection]]


async def _blank(
    hub: Hub, kind: RecordType, user: User, connector: str
) -> tuple[RecordForm | None, On]:
    """None: there are several sites that it could belong to, and none is chosen."""
    async with hub.db.session() as session:
        on: On = [
            (two_way, connection)
            for two_way, connection in await two_ways(session, user)
            if two_way.record_type == kind.name and two_way.status == "on"
        ]
        session.expunge_all()
    if not connector and len(on) > 1:
        return None, on
    chosen = next((two for two, c in on if connector in ("", c.slug)), None)
    fields = mapped(chosen) if chosen else unmapped(kind)
    defaults = {one.name: one.default for one in fields.fields}
    form = form_of(fields, defaults, f"/{kind.plural}/new", synced=chosen is not None)
    form.connector = connector
    return form, on


async def new_page(
    request: Request, hub: TheHub, user: MayEditRecords, kind: TheKind, connector: Slug = ""
) -> Response:
    form, on = await _blank(hub, kind, user, connector)
    return _show(request, kind, form, on=on)


async def create(request: Request, hub: TheHub, user: MayEditRecords, kind: TheKind) -> Response:
    typed = await request.form()
    connector = str(typed.get("connector") or "")[:100]
    form, on = await _blank(hub, kind, user, connector)
    if form is None:
        return _show(request, kind, None, on=on)
    form.fill(typed)
    try:
        whole = await records.create(hub, kind, form.given(), by=user, connector=connector or None)
    except Invalid as refused:
        form.refuse(refused)
        return _show(request, kind, form, 422, on=on)
    note(request, whole)
    site = whole.connection.name if whole.link and whole.connection else ""
    away = f"It is on its way to {site}." if site else ""
    return back_to(page_of(whole), f"{whole.record.title} is saved.", next_step=away)


async def edit_page(
    request: Request,
    hub: TheHub,
    user: MayEditRecords,
    kind: TheKind,
    number: Number,
    since: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
) -> Response:
    """`since`: the version that a form was made from; what was changed after it is told."""
    async with hub.db.session() as session:
        whole = await queries.find(session, kind, number, user)
        form = _of(whole)
        if since is not None and since < whole.record.version:
            form.changed = await _changed(session, whole, since)
        session.expunge_all()
    if whole.link is not None:
        for name, said in whole.link.wrong.items():
            if name in form.inputs:
                form.inputs[name].error = f"is refused by ERPNext: “{said.rstrip('.')}”"
    return _show(request, kind, form, whole=whole)


async def save(
    request: Request, hub: TheHub, user: MayEditRecords, kind: TheKind, number: Number
) -> Response:
    async with hub.db.session() as session:
        whole = await queries.find(session, kind, number, user)
        session.expunge_all()
    typed = await request.form()
    form = _of(whole)
    form.fill(typed)
    version = str(typed.get("version") or "")
    form.version = int(version) if version.isdecimal() and len(version) < 10 else 0
    try:
        saved = await records.change(hub, kind, number, form.given(), by=user, version=form.version)
    except Invalid as refused:
        form.refuse(refused)
        return _show(request, kind, form, 422, whole=whole)
    except Conflict as refused:
        form = await _meanwhile(hub, kind, user, number, form)
        form.refuse(refused)
        return _show(request, kind, form, 409, whole=whole)
    note(request, saved)
    if saved.record.version == form.version:
        return back_to(page_of(saved), "Nothing was changed.", kind="note")
    return back_to(page_of(saved), f"{saved.record.title} is saved.")


def _of(whole: LinkedRecord) -> RecordForm:
    record = whole.record
    at, synced = f"{page_of(whole)}/edit", whole.two_way is not None
    return form_of(whole.fields, record.values, at, record.version, synced=synced)


async def _meanwhile(
    hub: Hub, kind: RecordType, user: User, number: int, typed: RecordForm
) -> RecordForm:
    """The form over what the record is now, with what was typed kept."""
    async with hub.db.session() as session:
        whole = await queries.find(session, kind, number, user)
        form = _of(whole)
        form.changed = await _changed(session, whole, typed.version or 0)
        session.expunge_all()
    for name, old in typed.inputs.items():
        new = form.inputs.get(name)
        if new is not None and old.text != old.was:
            if new.was != old.was:
                new.meanwhile = shown(new.field, whole.record.values.get(name)) or "nothing"
            new.text = old.text
    return form


async def _changed(
    session: AsyncSession, whole: LinkedRecord, since: int
) -> list[tuple[str, str, str, str]]:
    """(label, before, after, who) of each field that was changed after this version, the latest
    last.
    """
    told = []
    for step in reversed(await history_of(session, whole.record, limit=100)):
        if step.version <= since or step.origin == "conflict" or is_first(step, whole.fields):
            continue
        for name, (before, after) in step.changes.items():
            one = whole.fields.by_name.get(name)
            label = one.label if one else name
            told.append((label, shown(one, before), shown(one, after), step.by))
    return told


def _show(
    request: Request,
    kind: RecordType,
    form: RecordForm | None,
    status: int = 200,
    *,
    whole: LinkedRecord | None = None,
    on: Sequence[tuple[TwoWay, Connection]] = (),
) -> Response:
    there = whole.connection.name if whole and whole.link and whole.connection else ""
    if whole is None and on:
        there = next(
            (c.name for _, c in on if form and form.connector in ("", c.slug)), on[0][1].name
        )
    return render(
        request, PAGE, status, kind=kind, form=form, whole=whole, on=on, there=there,
        page=page_of(whole) if whole else f"/{kind.plural}", was=WAS,
    )  # fmt: skip
