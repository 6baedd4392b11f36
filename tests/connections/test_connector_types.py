"""Connector types: registered once, found by words, those to come without a form."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bascule.connections.check_report import CheckReport
from bascule.connections.schemas import ConnectorTypeAnswer
from bascule.connections.tables import Connection
from bascule.connections.types import coming, registry
from bascule.connections.types.fields import FormField
from bascule.connections.types.forms import missing_fields, read_form, refuse_wrong
from bascule.connections.types.registry import (
    CATEGORIES,
    Behaviour,
    ConnectorType,
    find_types,
    register_connector,
    registered_types,
    type_named,
)
from bascule.errors import Invalid, NoSuch
from bascule.hub import Hub
from bascule.settings import Settings
from bascule.sites.connector import ERPNEXT


class Weather(Behaviour):
    """Of a service that is asked with a token."""

    def wrong(self, values: Mapping[str, Any], settings: Settings) -> dict[str, str]:
        address = str(values.get("address", ""))
        return {} if address.startswith("https://") else {"address": "is no https:// address"}

    async def check(self, hub: Hub, connection: Connection) -> CheckReport:
        return CheckReport(health="ok", user=connection.name)


WEATHER = ConnectorType(
    id="weather",
    label="Weather",
    description="Forecasts for building sites.",
    icon="🌦️",
    category="construction",
    words=("rain",),
    fields=(
        FormField(
            name="address", label="Address", type="url", group="Site", required=True, help="Base."
        ),
        FormField(
            name="token",
            label="Token",
            type="password",
            group="Sign-in",
            required=True,
            secret=True,
            help="Kept encrypted.",
        ),
    ),
    behaviour=Weather(),
)


class Typed(dict[str, list[str]]):
    """A form as Starlette gives it."""

    def getlist(self, key: str) -> list[str]:
        return self.get(key, [])


@pytest.fixture
def weather(monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectorType]:
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    yield register_connector(WEATHER)


def test_registered_type_is_listed_and_found_before_those_to_come(weather: ConnectorType) -> None:
    there = [kind.id for kind in registered_types() if kind.available]
    assert {"erpnext", "weather"} <= set(there)
    assert [kind.id for kind in registered_types()][: len(there)] == there
    assert find_types("rain forecasts") == [weather]
    assert find_types("rain", "erp") == []
    assert type_named("weather") is weather
    told = ConnectorTypeAnswer.model_validate(weather).model_dump()
    assert told["available"] is True
    assert [each["name"] for each in told["fields"]] == ["address", "token"]
    assert "behaviour" not in told


def test_form_of_a_registered_type_is_read_and_refused_in_its_own_words(
    weather: ConnectorType, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path)
    given = read_form(Typed(address=["ftp://sky"], token=[""]), weather.fields)
    assert given == {"address": "ftp://sky", "token": ""}
    assert missing_fields(given, weather) == ["token"]
    with pytest.raises(Invalid) as refused:
        refuse_wrong({**given, "colour": "red"}, weather, settings)
    assert refused.value.fields == {
        "token": "is needed",
        "colour": "is no field of this form",
        "address": "is no https:// address",
    }
    refuse_wrong({"address": "https://sky.example", "token": "t"}, weather, settings)


def test_type_is_registered_once_and_in_a_known_category(weather: ConnectorType) -> None:
    with pytest.raises(ValueError, match="registered already"):
        register_connector(WEATHER)
    with pytest.raises(ValueError, match="registered already"):
        register_connector(coming.COMING[0])
    with pytest.raises(ValueError, match="no category"):
        register_connector(
            ConnectorType(id="x", label="X", description="X.", icon="x", category="sky")
        )


@pytest.mark.parametrize("id", ["bank", "payments", "ifc", "shipping", "mongodb"])
def test_type_to_come_is_shown_without_a_form_until_it_has_come(
    id: str, weather: ConnectorType
) -> None:
    [kind] = [kind for kind in registered_types() if kind.id == id]
    assert (kind.available, kind.coming, list(kind.fields)) == (False, "Later", [])
    with pytest.raises(NoSuch):
        type_named(id)
    come = register_connector(
        ConnectorType(
            id=id,
            label=kind.label,
            description=kind.description,
            icon=kind.icon,
            category=kind.category,
            behaviour=Weather(),
        )
    )
    assert type_named(id) is come


def test_each_category_has_a_type() -> None:
    assert {kind.category for kind in registered_types()} == set(CATEGORIES)
    assert type_named("erpnext") is ERPNEXT
