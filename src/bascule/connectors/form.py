"""A connector type's form as pages show it: what was typed, what is wrong with it, what the site
said. A secret goes in and never comes out again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from bascule.accounts.tables import User
from bascule.connections.check_report import CheckReport
from bascule.connections.frequency import parts_of, zones
from bascule.connections.permissions import CONNECTIONS_MANAGE
from bascule.connections.types.fields import FormField
from bascule.connections.types.forms import missing_fields, read_form, refuse_wrong, wrong_fields
from bascule.connections.types.registry import GROUPS, ConnectorType
from bascule.errors import Conflict, HubError, Invalid
from bascule.mirror.streams.presets import PRESETS
from bascule.settings import Settings
from bascule.sites.service import CheckFailed
from bascule.sites.trial import Group, Trial, groups_of, helping_roles
from bascule.ui import is_htmx, render

MENDABLE = (Invalid, CheckFailed, Conflict)  # by who fills in the form, so it is shown again
LISTED = "listed_warehouses"  # those that the site has, kept in the form from its test on


@dataclass
class Form:
    """`fixed`: shown, but not this person's to change, and why. `keeps`: secrets that are saved
    already, so that nothing typed means the saved one.
    """

    kind: ConnectorType
    values: dict[str, Any]
    action: str
    may_share: bool
    fixed: Mapping[str, str] = field(default_factory=dict)
    keeps: frozenset[str] = frozenset()
    listed: list[str] = field(default_factory=list)
    wrong: dict[str, str] = field(default_factory=dict)
    refused: HubError | None = None
    report: CheckReport | None = None
    full_name: str | None = None
    groups: list[Group] = field(default_factory=list)
    doctypes: list[str] = field(default_factory=list)
    saving: bool = False  # refused while it was saved, not while it was tried

    def parts(self) -> list[tuple[str, list[FormField]]]:
        """The fields group by group."""
        found = [(group, [f for f in self.kind.fields if f.group == group]) for group in GROUPS]
        return [(group, fields) for group, fields in found if fields]

    @property
    def other_streams(self) -> list[str]:
        return [name for name in self.values.get("streams", []) if name not in PRESETS]

    @property
    def warehouses(self) -> list[str]:
        """The site's, and those chosen that it has not."""
        chosen = self.values.get("warehouse_filter", [])
        return list(dict.fromkeys([*self.listed, *chosen]))

    def says(self, each: FormField) -> str:
        """A field's helper text, and where to find its value."""
        if why := self.fixed.get(each.name):
            return why
        kept = "Leave it empty to keep the one that is saved." if each.name in self.keeps else ""
        return " ".join(filter(None, [kept, each.help, each.where]))

    def wrong_in(self, fields: list[FormField]) -> bool:
        return any(each.name in self.wrong for each in fields)

    def roles(self) -> dict[str, list[str]]:
        """Which roles there would help, and to what."""
        return helping_roles(self.report) if self.report else {}

    def judge(self, settings: Settings) -> None:
        """Invalid with every field that is wrong or missing."""
        refuse_wrong(self._given(), self._asking(), settings)

    def look_over(self, settings: Settings) -> None:
        """Says by each field what is wrong so far, also that it is missing."""
        given, kind = self._given(), self._asking()
        self.wrong = dict.fromkeys(missing_fields(given, kind), "is needed")
        self.wrong |= wrong_fields(given, kind, settings)

    def refuse(self, error: HubError) -> None:
        self.refused = error
        if isinstance(error, Invalid):
            self.wrong = error.fields
        if isinstance(error, CheckFailed):
            self.report = error.report
            self.groups = groups_of(error.report, self.values.get("streams", []))

    def tried(self, trial: Trial) -> None:
        self.report, self.groups, self.full_name = trial.report, trial.groups, trial.full_name
        self.listed = trial.warehouses or self.listed
        self.doctypes = trial.doctypes or []

    def _given(self) -> dict[str, Any]:
        kept = {name for name in self.keeps if not self.values.get(name)}
        return {name: v for name, v in self.values.items() if name not in kept | self.fixed.keys()}

    def _asking(self) -> ConnectorType:
        """The type with what has to be typed here, which is less where it is saved already."""
        fields = [f for f in self.kind.fields if f.name not in self.keeps | self.fixed.keys()]
        more = [
            f.model_copy(update={"required": False})
            for f in self.kind.fields
            if f.name in self.keeps
        ]
        return replace(self.kind, fields=[*fields, *more])


def blank(kind: ConnectorType, user: User) -> Form:
    """A new connection's form, with what is usual filled in."""
    values = {each.name: each.default for each in kind.fields}
    may_share = user.may(CONNECTIONS_MANAGE)
    return Form(kind, {**values, "shared": may_share}, f"/connectors/new/{kind.id}", may_share)


async def filled(request: Request, form: Form) -> Form:
    """The same form with what this request has typed into it."""
    typed = await request.form()
    form.values |= read_form(typed, [f for f in form.kind.fields if f.name not in form.fixed])
    if "shared" not in form.fixed and (whose := typed.get("shared")) is not None:
        form.values["shared"] = whose == "everybody"
    form.listed = _lines(typed, LISTED)
    return form


def show(request: Request, template: str, form: Form, status: int = 200, **more: Any) -> Response:
    """The page with this form. What is secret is left out of it."""
    for each in form.kind.fields:
        if each.secret:
            form.values[each.name] = ""
    return render(
        request,
        template,
        status,
        form=form,
        presets=PRESETS,
        parts_of=parts_of,
        zones=sorted(zones().values()),
        part=is_htmx(request),
        **more,
    )


def onwards(request: Request, to: RedirectResponse) -> Response:
    """To another page after a form; htmx, which follows redirects by itself, is told to leave."""
    if is_htmx(request):
        to.headers["HX-Redirect"] = to.headers["Location"]
        del to.headers["Location"]
        to.status_code = 200
    return to


def _lines(typed: FormData, name: str) -> list[str]:
    value = typed.get(name)
    return value.splitlines()[:5000] if isinstance(value, str) else []
