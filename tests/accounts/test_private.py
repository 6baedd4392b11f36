"""A private connection is there for its owner alone: whatever anybody else asks, by whatever name
or number of it, is answered as if it were not there.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest

from bascule.accounts.permissions import BUILT_IN_ROLES as ROLES
from tests.accounts.conftest import Crew, connect
from tests.accounts.walking import GUARDED, Way
from tests.api.listener import Listener
from tests.kit.api import Answer
from tests.kit.connecting import try_to_connect
from tests.kit.hub import RunningHub
from tests.kit.people import Make, People, Sql
from tests.kit.visitors import Visitor

NAME = "Zeldzaam & geheim"
LINE = "a line that nobody else reads"
MARK = "only-hers"
WHO = "Zeldzame klant"


@dataclass
class Hidden:
    """What there is of it, by every name that it has."""

    owner: Visitor
    owner_id: int
    browser: Visitor
    id: str
    slug: str
    stream_id: int
    run_id: int
    record_id: int

    @property
    def names(self) -> tuple[str, ...]:
        return (self.id, self.slug, NAME, "Zeldzaam &amp; geheim", LINE, MARK, WHO)


@pytest.fixture(scope="module")
def hidden(running_hub: RunningHub, all_sql: Sql) -> Hidden:
    """An editor's: with streams, runs and their log, rows, entries in the journal, and a customer
    that is kept the same, with a conflict.
    """
    for table, number in (
        ("streams", 700_000_001),
        ("runs", 800_000_001),
        ("records", 900_000_001),
    ):
        # Numbers that occur nowhere else in a page.
        all_sql(f"SELECT setval(pg_get_serial_sequence('bascule.{table}', 'id'), {number})")
    people = People(running_hub)
    owner = people.make("editor")
    visitor = owner.visit()
    made = connect(visitor, name=NAME)
    assert made["shared"] is False
    slug = made["slug"]
    runs = visitor.post("/api/connectors/sync", {"connector_id": made["id"]}).json["runs"]
    run = next(run for run in runs if run["doctype"] == "Supplier")
    all_sql(
        "INSERT INTO bascule.run_logs (run_id, level, message) VALUES (%s, 'error', %s)",
        [run["id"], LINE],
    )
    all_sql(f"CREATE SCHEMA {slug}")
    all_sql(f"CREATE TABLE {slug}.supplier (name text PRIMARY KEY)")
    all_sql(f"INSERT INTO {slug}.supplier VALUES ('{MARK}')")
    assert visitor.patch(f"/api/connectors/{slug}", {"lookback_days": 5}).status == 200
    record = _record_of(visitor, made["id"], slug, all_sql)
    browser = people.browse(owner)
    return Hidden(visitor, owner.id, browser, made["id"], slug, run["stream_id"], run["id"], record)


def _record_of(owner: Visitor, connection: str, slug: str, all_sql: Sql) -> int:
    """A customer with everything that there can be about one. The site of this connection is not
    there, so two-way sync of it is on by hand.
    """
    all_sql(
        "INSERT INTO bascule.two_ways (connection_id, record_type, status)"
        " VALUES (%s, 'customer', 'on')",
        [connection],
    )
    made = owner.post("/api/customers", {"name": WHO, "website": MARK, "connector": slug})
    assert made.status == 201, made
    number: int = made.json["id"]
    all_sql(
        "INSERT INTO bascule.conflicts (record_id, field, base, here, there)"
        " VALUES (%s, 'website', 'null', %s, %s)",
        [number, f'"{MARK}"', f'"{MARK}"'],
    )
    all_sql(
        "INSERT INTO bascule.exchanges (two_way_id, record_id, direction, what, document)"
        " SELECT two_way_id, record_id, 'out', 'create', %s FROM bascule.links"
        " WHERE record_id = %s",
        [MARK, number],
    )
    all_sql(
        "INSERT INTO bascule.matches (two_way_id, document, decision)"
        " SELECT two_way_id, %s, 'bring' FROM bascule.links WHERE record_id = %s",
        [MARK, number],
    )
    return number


ABOUT_ONE = [way for way in GUARDED if way.names & {"connector", "run", "number"}]
NOT_THERE = {
    "connector": "not_there",
    "run": 999_999_999,
    "stream": 999_999,
    "number": 999_999_999,
}


def test_its_owner_finds_it_everywhere(hidden: Hidden) -> None:
    """Or the rest of this page would prove nothing."""
    for path in ("", "/streams", "/runs", "/rows/supplier", "/rows/supplier.csv"):
        answer = hidden.owner.get(f"/api/connectors/{hidden.slug}{path}")
        assert answer.status == 200, (path, answer)
    assert MARK in hidden.owner.get(f"/api/connectors/{hidden.id}/rows/supplier").body.decode()
    assert LINE in hidden.owner.get(f"/api/runs/{hidden.run_id}/logs").body.decode()
    path = f"/api/customers/{hidden.record_id}"
    for asked in (path, f"{path}/history", f"{path}/conflicts", f"{path}/exchanges"):
        assert MARK in hidden.owner.get(asked).body.decode(), asked
    for asked in ("/api/customers", "/api/customers/conflicts", "/api/customers?search=zeldzame"):
        assert WHO in hidden.owner.get(asked).body.decode(), asked
    matches = f"/api/connectors/{hidden.slug}/two-way/customers/matches"
    assert MARK in hidden.owner.get(matches).body.decode()
    for path in ("/api/connectors", "/api/connectors/status"):
        assert hidden.id in hidden.owner.get(path).body.decode()
    for path in ("/", "/connectors", f"/connectors/{hidden.slug}"):
        assert "Zeldzaam &amp; geheim" in hidden.browser.get(path).body.decode()


@pytest.mark.parametrize("way", ABOUT_ONE, ids=str)
def test_others_get_the_answer_for_what_is_not_there(way: Way, crew: Crew, hidden: Hidden) -> None:
    for role in ROLES:
        visitor = crew.come_in(way, role)
        unknown = seen(way, visitor, NOT_THERE)
        for connector, stream in ((hidden.slug, "Supplier"), (hidden.id, hidden.stream_id)):
            tried = {
                "connector": connector,
                "stream": stream,
                "run": hidden.run_id,
                "number": hidden.record_id,
            }
            assert seen(way, visitor, tried) == unknown, (role, tried)


def seen(way: Way, visitor: Visitor, names: dict[str, Any]) -> tuple[Any, ...]:
    """The answer without what was typed to get it, and without what changes by itself."""
    answer = way.ask(visitor, **names)
    body = answer.body.decode()
    for name in way.names & names.keys():
        body = re.sub(rf"\b{re.escape(str(names[name]))}\b", "<typed>", body)
    body = re.sub(r'(name="csrf(_token)?" (value|content)=)"[^"]*"', r"\1", body)
    body = re.sub(r"/api/events\?after=\d+", "/api/events", body)
    kept = {name: answer.headers.get(name) for name in ("content-type", "location", "allow")}
    if kept["location"]:
        kept["location"] = kept["location"].replace(str(names.get("connector")), "<typed>")
    assert answer.status in (303, 403, 404, 422), answer
    return answer.status, kept, body


def test_a_stream_of_it_is_not_reached_through_a_connection_of_ones_own(
    crew: Crew, hidden: Hidden
) -> None:
    shared = crew.there["connector"]
    for way in ABOUT_ONE:
        if "stream" in way.names:
            answer = way.ask(crew.come_in(way, "admin"), connector=shared, stream=hidden.stream_id)
            assert answer.status in (303, 404), (way, answer)
            assert hidden.slug not in answer.body.decode()
    for relation in (f"{hidden.slug}.supplier", f'{hidden.slug}"."supplier', "../supplier"):
        visitor = crew.come_in(crew_way("GET", "/api/connectors"), "admin")
        answer = visitor.get(f"/api/connectors/{shared}/rows/{relation}")
        assert answer.status in (404, 422)
        assert MARK not in answer.body.decode()


def crew_way(method: str, path: str) -> Way:
    return next(way for way in GUARDED if (way.method, way.path) == (method, path))


def test_no_list_count_page_or_file_of_others_tells_of_it(crew: Crew, hidden: Hidden) -> None:
    readable = [way for way in GUARDED if way.method == "GET" and not way.names & {"connector"}]
    for way in readable:
        for role in ROLES:
            visitor = crew.come_in(way, role)
            asked = {**crew.there, "person": hidden.owner_id, "user": hidden.owner_id}
            tells_nothing(hidden, way, way.ask(visitor, **asked))
    visitor = crew.come_in(crew_way("GET", "/api/connectors"), "admin")
    total = visitor.get("/api/connectors").json["connectors"]
    assert len(visitor.get("/api/connectors/status").json["connectors"]) == len(total)
    for path in (
        f"/api/audit?connection={hidden.slug}",
        f"/api/audit?connection={hidden.id}",
        f"/api/audit.csv?connection={hidden.slug}",
    ):
        assert visitor.get(path).body.count(hidden.slug.encode()) == 0


def tells_nothing(hidden: Hidden, way: Way, answer: Answer) -> None:
    body = answer.body.decode()
    for name in hidden.names:
        assert name not in body, (way, name)


def test_others_cannot_sync_it_and_a_sync_of_all_leaves_it_out(crew: Crew, hidden: Hidden) -> None:
    visitor = crew.come_in(crew_way("POST", "/api/connectors/sync"), "admin")
    answers = [
        visitor.post("/api/connectors/sync", {"connector_id": name})
        for name in (hidden.slug, hidden.id, "not_there")
    ]
    assert {answer.status for answer in answers} == {404}
    assert len({answer.body for answer in answers}) == 1
    runs = visitor.post("/api/connectors/sync", {}).json["runs"]
    assert runs
    assert hidden.id not in {run["connection_id"] for run in runs}


def test_others_change_list_and_sync_none_of_its_records(crew: Crew, hidden: Hidden) -> None:
    """By what is named in bodies and queries, which the walk along the paths does not try."""
    for role in ("editor", "admin"):
        visitor = crew.come_in(crew_way("PUT", "/api/customers"), role)
        answers = [
            visitor.put("/api/customers", {"id": number, "name": "Mine now"})
            for number in (hidden.record_id, 999_999_999)
        ]
        assert {answer.status for answer in answers} == {404}
        told = [answer.body.decode() for answer in answers]
        assert told[0].replace(str(hidden.record_id), "999999999") == told[1]
        values = {"name": "Theirs", "connector": hidden.slug}
        unknown = {"name": "Theirs", "connector": "not_there"}
        answers = [visitor.post("/api/customers", body) for body in (values, unknown)]
        assert {answer.status for answer in answers} == {422}
        assert (
            answers[0].body.decode().replace(hidden.slug, "not_there") == answers[1].body.decode()
        )
        for query in (f"connector={hidden.slug}", f"connector={hidden.id}", "search=zeldzame"):
            found = visitor.get(f"/api/customers?{query}").json
            assert (found["records"], found["counts"].get("sending")) == ([], None), query
        assert visitor.post("/api/customers/retry").json == {"retried": 0}
        synced = visitor.post("/api/customers/sync/enhanced?wait=0").json
        assert (synced["connectors"], synced["errors"]) == ({}, {})
    assert hidden.owner.get(f"/api/customers/{hidden.record_id}").json["name"] == WHO


def test_its_records_stay_hidden_when_it_is_gone(
    crew: Crew, make_person: Make, all_sql: Sql
) -> None:
    """Records outlive the connection that they were linked over."""
    owner = make_person("editor").visit()
    made = connect(owner, name="To be deleted")
    number = _record_of(owner, made["id"], made["slug"], all_sql)
    assert owner.delete(f"/api/connectors/{made['id']}").status == 200
    path = f"/api/customers/{number}"
    assert owner.get(path).json["website"] == MARK
    for role in ROLES:
        visitor = crew.come_in(crew_way("GET", "/api/customers"), role)
        assert visitor.get(path).status == 404
        assert WHO not in visitor.get("/api/customers?limit=500").body.decode()
    stranger = make_person("admin").visit()
    with Listener(crew.url, stranger.token or "") as live:
        assert owner.put(path, {"website": "https://later.example.com"}).status == 200
        shown = connect(stranger, name="Seen by all afterwards")
        live.hears(lambda told: told.data.get("connection_id") == shown["id"])
        for told in live.told:
            assert told.data.get("record_id") != number, told
    assert str(number) not in json.dumps(stranger.get("/api/audit?limit=500").json)


def test_what_its_owner_was_refused_is_not_named_to_admins_either(
    crew: Crew, hidden: Hidden, admin: Visitor
) -> None:
    """Refused before the connection was looked up, by a role that its owner lost."""
    role = f"/api/users/{hidden.owner_id}"
    assert admin.patch(role, {"role": "viewer"}).status == 200
    try:
        refused = hidden.owner.post(f"/api/connectors/{hidden.slug}/test")
        assert refused.status == 403
        assert hidden.browser.ask("POST", f"/connectors/{hidden.slug}/sync", form={}).status == 403
        assert hidden.owner.get(f"/api/connectors/{hidden.slug}").status == 200
    finally:
        assert admin.patch(role, {"role": "editor"}).status == 200
    told = admin.get("/api/audit?limit=500").json["entries"]
    assert any(
        entry["action"] == "test_connector" and entry["detail"]["status"] == 403 for entry in told
    )
    assert hidden.slug not in json.dumps(told)


def test_others_do_not_hear_of_it_as_it_happens_or_afterwards(
    running_hub: RunningHub, make_person: Make, hidden: Hidden, admin: Visitor
) -> None:
    before = last_event(running_hub)
    stranger = make_person("admin").visit()
    with Listener(running_hub.url, stranger.token or "") as live:
        for days in (6, 7):
            path = f"/api/connectors/{hidden.slug}"
            assert hidden.owner.patch(path, {"lookback_days": days}).status == 200
        record = f"/api/customers/{hidden.record_id}"
        assert hidden.owner.put(record, {"city": "", "taxNumber": "NL9"}).status == 200
        assert hidden.owner.post(
            "/api/connectors/sync", {"connector_id": hidden.id, "full": True}
        ).json["run_ids"]
        shown = connect(admin, name="Seen by all")
        live.hears(lambda told: told.data.get("connection_id") == shown["id"])
        with Listener(running_hub.url, stranger.token or "", f"/api/events?after={before}") as late:
            late.hears(lambda told: told.data.get("connection_id") == shown["id"])
            for told in (*live.told, *late.told):
                assert hidden.id not in json.dumps(told.data)
                assert told.data.get("run_id") != hidden.run_id
                assert told.data.get("record_id") != hidden.record_id


def last_event(running: RunningHub) -> int:
    async def found() -> int:
        from bascule.events.live import position

        async with running.hub.db.connection() as conn:
            return await position(conn)

    number: int = running.run(found())
    return number


def test_a_private_slug_cannot_be_chosen_and_is_not_to_be_guessed(
    make_person: Make,
) -> None:
    """Whoever tries names for a connection of their own would find out which are taken."""
    editor = make_person("editor").visit()
    answer = try_to_connect(editor, name="Mine", slug="mine")
    assert answer.status == 422
    assert "slug" in answer.json["fields"]
    slugs = {connect(editor, name="Mine", test_connection=False)["slug"] for _ in range(3)}
    assert len(slugs) == 3
    assert all(re.fullmatch(r"mine_[0-9a-f]{8}", slug) for slug in slugs)


def test_nobody_but_an_admin_shares_and_a_stranger_takes_nothing_over(
    crew: Crew, hidden: Hidden
) -> None:
    path = f"/api/connectors/{hidden.slug}"
    assert hidden.owner.patch(path, {"shared": True}).status == 403
    for role in ROLES:
        stranger = crew.come_in(crew_way("PATCH", "/api/connectors/{connector}"), role)
        assert stranger.patch(path, {"shared": True}).status in (403, 404)
    assert hidden.owner.get(path).json["shared"] is False


@pytest.fixture(scope="module")
def all_sql(running_hub: RunningHub) -> Sql:
    return running_hub.sql


def test_a_person_is_found_by_nobody_who_is_no_admin(crew: Crew) -> None:
    """By id, and by what the answers for one that is not there would tell apart."""
    for role in ("viewer", "editor"):
        for way in GUARDED:
            if way.names & {"user", "person"}:
                visitor = crew.come_in(way, role)
                there = way.ask(visitor, **crew.there)
                nobody = way.ask(visitor, user=987_654, person=987_654)
                assert (there.status, nobody.status) == (403, 403)
                if not way.is_page:
                    assert there.body == nobody.body
