"""What docs/api.md and the OpenAPI say is what there is."""

from pathlib import Path
from typing import Any

import jsonschema_rs

from bascule.app import create_app
from bascule.mirror.streams.presets import PRESETS
from bascule.reference import markdown
from bascule.settings import Settings
from bascule.sites.check import NEEDS
from tests.kit.api import Api


def test_the_reference_is_made_from_the_api_as_it_is() -> None:
    written = Path(__file__).parents[2] / "docs" / "api.md"
    assert written.read_text(encoding="utf-8") == markdown(create_app().openapi()), (
        "run: python -m bascule.reference > docs/api.md"
    )


def test_every_route_says_what_it_answers_and_how_it_refuses(api: Api) -> None:
    openapi: dict[str, Any] = api.get("/openapi.json").json
    for path, methods in openapi["paths"].items():
        for method, route in methods.items():
            where = (method, path)
            assert route.get("description") or route.get("summary"), where
            good = next(r for status, r in route["responses"].items() if status < "3")
            assert good["content"], where
            assert "HTTPValidationError" not in str(route), where
            if path == "/health" or path.startswith("/api/webhooks/"):
                continue
            assert {"401", "422", "503"} <= route["responses"].keys(), where
            if path not in ("/api/auth/login", "/api/auth/refresh"):
                assert "403" in route["responses"], where
                assert route["security"], where


def test_every_body_has_an_example(api: Api) -> None:
    openapi: dict[str, Any] = api.get("/openapi.json").json
    for methods in openapi["paths"].values():
        for route in methods.values():
            if body := route.get("requestBody"):
                schema = body["content"]["application/json"]["schema"]
                names = [s["$ref"] for s in schema.get("anyOf", [schema]) if "$ref" in s]
                known = openapi["components"]["schemas"]
                model = known[names[0].rsplit("/", 1)[1]] if names else schema
                fields = model["properties"].values()
                assert "example" in model or any("examples" in field for field in fields), names


MIRROR = {"Connectors", "Sync", "Streams", "Runs", "Rows", "Health"}


def with_nulls(known: dict[str, Any], schema: dict[str, Any], value: Any) -> Any:
    """FastAPI leaves nulls out of examples; here they are again, wherever a field is missing."""
    options = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
    schema = options[0]
    if "$ref" in schema:
        schema = known[schema["$ref"].rsplit("/", 1)[1]]
    if isinstance(value, list):
        return [with_nulls(known, schema.get("items", {}), one) for one in value]
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    fields = schema["properties"].items()
    found = {name: with_nulls(known, field, value.get(name)) for name, field in fields}
    return value | found


def test_every_answer_of_the_mirror_has_a_whole_example(api: Api) -> None:
    """One that its schema takes, and in which no field is left out."""
    openapi: dict[str, Any] = api.get("/openapi.json").json
    known = openapi["components"]["schemas"]
    shown = set()
    for path, methods in openapi["paths"].items():
        for route in methods.values():
            good = next(r for status, r in route["responses"].items() if status < "3")
            if not MIRROR & set(route["tags"]) or "{format}" in path:
                continue
            ref = good["content"]["application/json"]["schema"]["$ref"]
            model = known[ref.rsplit("/", 1)[1]]
            schema = {"$ref": ref, "components": openapi["components"]}
            jsonschema_rs.validate(schema, with_nulls(known, schema, model["example"]))
            shown.add(ref)
    assert len(shown) > 12


def test_every_area_has_a_call_with_its_answer() -> None:
    openapi = create_app().openapi()
    areas = {r["tags"][0] for ms in openapi["paths"].values() for r in ms.values() if "tags" in r}
    assert len(areas) > 15
    page = markdown(openapi)
    for area in areas:
        _, _, rest = page.partition(f"\n## {area}\n")
        lead = rest.partition("\n### ")[0]
        assert "curl " in lead and "http://127.0.0.1:8003/" in lead, area
        assert "{" not in lead.partition("http://127.0.0.1:8003/")[2].partition("\n")[0], area
        assert "It answers" in lead or "event: " in lead, area


def test_the_examples_of_whole_areas_are_what_their_schemas_take() -> None:
    openapi = create_app().openapi()
    known = openapi["components"]["schemas"]
    for name in ("TwoWayAnswer", "SystemAnswer"):
        ref = {"$ref": f"#/components/schemas/{name}"}
        schema = {**ref, "components": openapi["components"]}
        jsonschema_rs.validate(schema, with_nulls(known, ref, known[name]["example"]))


def test_every_parameter_of_the_mirror_says_what_it_is(api: Api) -> None:
    openapi: dict[str, Any] = api.get("/openapi.json").json
    for path, methods in openapi["paths"].items():
        for route in methods.values():
            if MIRROR & set(route["tags"]):
                assert route["description"], path
                assert all(p.get("description") for p in route.get("parameters", [])), path


def test_the_check_asks_for_what_the_presets_read() -> None:
    assert {name: tuple(needs) for name, needs in NEEDS.items()} == {
        name: preset.doctypes for name, preset in PRESETS.items()
    }


def test_the_environment_of_old_still_works(monkeypatch: Any) -> None:
    for name in ("BASCULE_DATABASE_URL", "BASCULE_PORT"):
        monkeypatch.delenv(name, raising=False)
    assert (Settings().host, Settings().port) == ("127.0.0.1", 8003)
    monkeypatch.setenv("POSTGRES_URL", "postgresql://someone:s3cr3t@db.example/connectors")
    monkeypatch.setenv("CONNECTORS_SERVICE_PORT", "9003")
    settings = Settings()
    assert settings.port == 9003
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value().endswith("@db.example/connectors")
    assert "s3cr3t" not in repr(settings)
    monkeypatch.setenv("BASCULE_PORT", "9103")
    assert Settings().port == 9103


def test_generated_clients_get_names_that_people_can_read(api: Api) -> None:
    openapi: dict[str, Any] = api.get("/openapi.json").json
    routes = [route for methods in openapi["paths"].values() for route in methods.values()]
    names = [route["operationId"] for route in routes]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and "_api_" not in name for name in names), names
    models = openapi["components"]["schemas"]
    assert not [name for name in models if "__" in name], "two models have one name"
