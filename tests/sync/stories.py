"""A hub and a site that many hands work at, and what has to be true of both when it quiets.

What is done is said by `test_stateful`; `World.quiet` and `World.check` are the promise.
"""

import http.client
import json
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from bascule.inbox.frappe.signatures import SIGNATURE, signature_of
from tests.kit.waiting import until
from tests.sync.both_sides import Refused, There, Workers, plain, values_there

PATIENCE = 120.0  # seconds until it has quieted
TEXTS = {
    "website": "https://{}.example.com",
    "taxNumber": "NL{}",
    "city": "City {}",
    "postalCode": "{} AA",
    "phone": "+31 6 {}",
    "email": "ann{}@example.com",
    "contactPerson": "Ann van {}",
    "address": "Markt {}",
}
TERMS = ["Prepaid", "Net 14", "Net 30", "Net 60"]  # what a link may name
THERE = {
    "website": ("main", "website"),
    "taxNumber": ("main", "tax_id"),
    "city": ("address", "city"),
    "postalCode": ("address", "pincode"),
    "address": ("address", "address_line1"),
}


class Asking:
    """The API over one connection that stays open."""

    def __init__(self, url: str, token: str) -> None:
        self.to, self.token = urlsplit(url), token
        self.line = http.client.HTTPConnection(self.to.hostname or "", self.to.port, timeout=60)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body else None
        known = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        asked = (method, quote(path, safe="/?&=%"), raw, {**known, **headers})
        try:
            self.line.request(*asked)
            answer = self.line.getresponse()
        except ConnectionError:  # it was idle for too long, and nobody read this
            self.line.close()
            self.line.request(*asked)
            answer = self.line.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None


@dataclass
class World:
    api: Asking
    there: There
    workers: Workers
    connector: str
    kind: str  # customers, suppliers
    hook: str  # where its webhooks go
    secret: bytes
    random: random.Random
    steps: Counter[str] = field(default_factory=Counter)
    failed: BaseException | None = None  # the first; what is done after that tells nothing
    whiles: int = 0
    at: int = 0  # a number for each value, so that it is known again
    ours: dict[int, str] = field(default_factory=dict)  # made here: record -> its first name
    theirs: set[str] = field(default_factory=set)  # names of documents that were made there
    said: dict[tuple[int, str], list[Any]] = field(default_factory=lambda: defaultdict(list))
    # (document, field) -> what somebody made it there, and when that document was made
    set_there: dict[tuple[str, str], tuple[Any, str]] = field(default_factory=dict)
    hooks: list[bytes] = field(default_factory=list)
    known: dict[int, Any] = field(default_factory=dict)  # records as of the last quiet moment

    @property
    def prefix(self) -> str:
        return self.kind[:-1]

    @property
    def doctype(self) -> str:
        return self.prefix.title()

    def new_value(self, name: str) -> Any:
        if self.random.random() < 0.1:  # the same one on both sides, now and then
            return TEXTS[name].format(7)
        self.at += 1
        return TEXTS[name].format(self.at)

    # Here

    def create_here(self) -> None:
        self.at += 1
        name = self.random.choice([f"Twin {self.at % 5}", f"Here {self.at}", f'"Q" & <{self.at}>'])
        values: dict[str, Any] = {"name": name}
        if self.random.random() < 0.7:
            values |= {"address": f"Markt {self.at}", "city": f"City {self.at}"}
        for one in ("email", "phone", "website", "taxNumber", "contactPerson"):
            if self.random.random() < 0.5:
                values[one] = self.new_value(one)
        status, made = self.api.ask("POST", f"/api/{self.kind}", values)
        assert status == 201, made
        self.ours[made["id"]] = name
        for one, value in values.items():
            self.said[made["id"], one].append(value)

    def some_record(self) -> int | None:
        numbers = [*self.known, *self.ours]
        return self.random.choice(numbers) if numbers else None

    def change_here(self, number: int) -> None:
        names = self.random.sample(list(TEXTS), self.random.choice([1, 1, 2, 3]))
        values: dict[str, Any] = {name: self.new_value(name) for name in names}
        if self.random.random() < 0.1:
            values["active"] = self.random.random() < 0.5
        if self.random.random() < 0.1:
            values["paymentTerms"] = self.random.choice(TERMS)
        status, told = self.api.ask("PUT", f"/api/{self.kind}/{number}", values)
        assert status in (200, 422), told  # 422: a city without an address
        if status == 200:
            for one, value in values.items():
                self.said[number, one].append(value)

    def delete_here(self, number: int) -> None:
        how = self.random.choice(["disable", "delete", "keep"])
        status, told = self.api.ask("DELETE", f"/api/{self.kind}/{number}?there={how}")
        assert status == 200, told

    def restore_here(self, number: int) -> None:
        assert self.api.ask("POST", f"/api/{self.kind}/{number}/restore")[0] == 200

    def one_to_decide(self) -> int | None:
        """One of those that ask for somebody, if any do; of those that this story knows: what was
        made there since the last quiet moment is not made anew here.
        """
        state = self.random.choice(["attention", "attention", "conflict"])
        status, told = self.api.ask("GET", f"/api/{self.kind}?state={state}&limit=500")
        assert status == 200, told
        mine = self.known.keys() | self.ours.keys()
        numbers = [one["id"] for one in told["records"] if one["id"] in mine]
        return self.random.choice(numbers) if numbers else None

    def decide(self, number: int) -> None:
        """Somebody looks at one that asks for it, and does any of what can be done."""
        status, told = self.api.ask("GET", f"/api/{self.kind}/{number}/conflicts")
        assert status == 200, told
        for conflict in told["conflicts"]:
            # What both sides never had the same in has nothing to go back to.
            choices = ["here", "there", "base"] if conflict["agreed"] else ["here", "there"]
            choice = self.random.choice(choices)
            path = f"/api/{self.kind}/{number}/conflicts/{conflict['field']}"
            assert self.api.ask("POST", path, {"choice": choice})[0] in (200, 404)
        record = self.api.ask("GET", f"/api/{self.kind}/{number}")[1]
        if record["sync"]["state"] == "attention":
            acts = ["retry", "give_up", "recreate", "disable_instead", "delete_anyway", "accept"]
            path = f"/api/{self.kind}/{number}/do/{self.random.choice(acts)}"
            status, told = self.api.ask("POST", path)
            assert status in (200, 409), told

    # There

    def some_document(self) -> str | None:
        names = sorted(self.there.names(self.doctype) & self._touched())
        return self.random.choice(names) if names else None

    def _touched(self) -> set[str]:
        """Those that are about this story, and some of those that were there before."""
        if not hasattr(self, "old"):
            self.old = set(sorted(self.there.names(self.doctype))[:8])
        mine = {r["erpnextId"] for r in self.known.values()} | self.theirs | set(self.ours.values())
        return mine | self.old

    def create_there(self) -> None:
        self.at += 1
        name = self.random.choice([f"Twin {self.at % 5}", f"There {self.at}", f"'{self.at}' & \\"])
        values = {f"{self.prefix}_name": name, f"{self.prefix}_type": "Company"}
        if self.random.random() < 0.5:
            values |= {"address_line1": f"Kade {self.at}", "city": f"Stad {self.at}",
                       "country": "Netherlands"}  # fmt: skip
        if self.random.random() < 0.5:
            values["email_id"] = f"there{self.at}@example.com"
        if self.prefix == "supplier":
            values["supplier_group"] = "Rubber"
        try:
            made = self.there.create(self.doctype, **values)
        except Refused:  # of Suppliers none may be called as another; Customers get a number
            return
        self.theirs.add(made["name"])
        self.tell(self.doctype, made["name"], made["modified"], "after_insert")

    def change_there(self, name: str) -> None:
        field_name = self.random.choice([*THERE, "phone", "active", "paymentTerms"])
        document = self.there.read(self.doctype, name)
        doctype, target = self.doctype, document["name"]
        value: Any = None
        if field_name == "active":
            changes: dict[str, Any] = {"disabled": self.random.choice([0, 1])}
        elif field_name == "paymentTerms":
            value = self.random.choice(TERMS)
            changes = {"payment_terms": value}
        elif field_name == "phone":
            target, doctype = document.get(f"{self.prefix}_primary_contact"), "Contact"
            value = self.new_value("phone")
            changes = {"phone_nos": [{"phone": value, "is_primary_mobile_no": 1}]}
        else:
            part, column = THERE[field_name]
            value = self.new_value(field_name)
            changes = {column: value}
            if part != "main":
                target, doctype = document.get(f"{self.prefix}_primary_address"), "Address"
        if not target:
            return
        changed = self.there.change(doctype, target, **changes)
        if value is not None:
            self.set_there[name, field_name] = value, document["creation"]
        self.tell(doctype, changed["name"], changed["modified"], "on_update")

    def delete_there(self, name: str) -> None:
        try:
            self.there.delete(self.doctype, name)
        except Refused:  # something links to it
            return
        self._forget(name)
        self.tell(self.doctype, name, None, "on_trash")

    def rename_there(self, name: str) -> None:
        self.at += 1
        new = self.there.rename(self.doctype, name, f"Renamed {self.at}")
        for (old, field_name), value in list(self.set_there.items()):
            if old == name:
                self.set_there[new, field_name] = value
        self._forget(name)
        self.theirs.add(new)
        self.tell(self.doctype, new, None, "after_rename")

    def merge_there(self, name: str, into: str) -> None:
        if name == into:
            return
        try:
            self.there.rename(self.doctype, name, into, merge=True)
        except Refused:
            return
        self._forget(name)
        self._forget(into)  # its Address and Contact may be the other's now
        self.tell(self.doctype, into, None, "after_rename")

    def _forget(self, name: str) -> None:
        for key in [key for key in self.set_there if key[0] == name]:
            del self.set_there[key]

    # In between

    def tell(self, doctype: str, name: str, modified: str | None, event: str) -> None:
        """A webhook as the site would send it; it may come late, twice, or never."""
        body = {"doctype": doctype, "name": name, "event": event, "modified": modified}
        self.hooks.append(json.dumps(body).encode())

    def deliver(self) -> None:
        self.random.shuffle(self.hooks)
        most = self.random.randrange(len(self.hooks) + 1)
        for body in self.hooks[:most]:
            signature = signature_of(self.secret, body).decode()
            status, told = self.api.ask("POST", self.hook, body, **{SIGNATURE: signature})
            assert status == 200, told
        self.hooks = self.hooks[most // 2 :]  # half of what came comes again

    def forge(self) -> None:
        name = self.some_document() or "Nobody"
        body = json.dumps({"doctype": self.doctype, "name": name, "event": "on_trash"}).encode()
        wrong = signature_of(b"guessed", body).decode()
        for headers in ({SIGNATURE: wrong}, {SIGNATURE: ""}, {}):
            assert self.api.ask("POST", self.hook, body, **headers)[0] == 401

    def break_something(self) -> None:
        kind = self.random.choice(
            ["lost_answer", "lost_answer", "dropped", "server_error", "bad_gateway", "rate_limited",
             "truncated", "latency", "late_commit", "slow_body", "clock_back", "forbidden"]
        )  # fmt: skip
        faults = self.there.running.faults
        times = self.random.randrange(1, 4)
        if kind == "forbidden":
            about = self.random.choice([self.doctype, "Address", "Contact"])
            faults.add(kind, doctype=about, times=times)
        elif kind == "clock_back":
            faults.add(kind, seconds=self.random.choice([30, 3600]))
        else:
            faults.add(kind, seconds=self.random.uniform(0.02, 0.3), times=times, path="/api/")

    def mend(self) -> None:
        self.there.running.faults.clear()

    def kill(self) -> None:
        self.workers.kill()
        self.workers.start()

    def sync_now(self) -> None:
        path = f"/api/{self.kind}/sync/enhanced?wait=0&whole=false"
        assert self.api.ask("POST", path)[0] == 200

    # When it quiets

    def quiet(self) -> None:
        """Nothing is broken any more, and everybody waits until nothing is on its way."""
        self.mend()
        for _ in range(2):  # what a sync brings may be sent, and the other way round
            self.settle_down()
            until(self.is_synced, self.why_not, patience=PATIENCE, pause=0)
        self.settle_down()

    def is_synced(self) -> bool:
        told = self.api.ask("POST", f"/api/{self.kind}/sync/enhanced?wait=30")[1]
        return bool(told["finished"] and not told["errors"])

    def settle_down(self) -> None:
        until(lambda: self.left() == (0, 0, 0), self.stuck, patience=PATIENCE)

    def left(self) -> tuple[Any, ...]:
        """How much is on its way, by what it is; pauses after failures, which are minutes, pass."""
        self.workers.sql("UPDATE circuits SET open_until = now() WHERE open_until > now()")
        self.workers.sql("UPDATE links SET retry_at = now() WHERE retry_at > now()")
        if self._has_tries():
            self.workers.sql("UPDATE deliveries SET next_try_at = now() WHERE next_try_at > now()")
        return self.workers.sql(
            "SELECT (SELECT count(*) FROM links WHERE state IN ('sending', 'waiting')),"
            " (SELECT count(*) FROM deliveries WHERE state = 'kept'),"
            " (SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
            "   AND task_name IN ('twoway.send', 'twoway.poll', 'inbox.dispatch'))"
        )[0]

    def _has_tries(self) -> bool:
        return bool(
            self.workers.sql(
                "SELECT 1 FROM information_schema.columns WHERE table_schema = 'bascule'"
                " AND table_name = 'deliveries' AND column_name = 'next_try_at'"
            )
        )

    def stuck(self) -> str:
        return "\n".join([str(self.left()), str(self.why_not()), *self.workers.stand()])

    def why_not(self) -> Any:
        return (
            self.workers.sql(
                "SELECT record_id, state, why, remedy, retry_at, attempts FROM links"
                " WHERE state IN ('sending', 'waiting') LIMIT 5"
            )
            + self.workers.sql(
                "SELECT id, status::text, task_name, args::text, attempts, scheduled_at::text"
                " FROM procrastinate_jobs"
                " WHERE status IN ('todo', 'doing') LIMIT 8"
            )
            + self.workers.sql(
                "SELECT record_id, what, document, status, error, at::text FROM exchanges"
                " WHERE record_id IN (SELECT record_id FROM links WHERE state = 'sending')"
                " ORDER BY id DESC LIMIT 12"
            )
        )

    def about(self, names: set[str]) -> Any:
        """What may explain them: who has them, what is not over, and what happened to them."""
        return (
            self.workers.sql(
                "SELECT record_id, document, state, why, gone_at, create_begun_at, create_title"
                " FROM links WHERE document = ANY(%s)"
                "   OR (document IS NULL AND create_begun_at IS NOT NULL) LIMIT 20",
                [list(names)],
            ),
            self.workers.sql("SELECT cursor, last_error, last_summary FROM two_ways"),
            self.workers.sql(
                "SELECT record_id, what, document, status, error FROM exchanges"
                " WHERE document = ANY(%s) ORDER BY id DESC LIMIT 20",
                [[f"{self.doctype} {name}" for name in names]],
            ),
        )

    def made_by(self, name: str) -> Any:
        """Whose create a document came from, by its key, and every request about that one."""
        key = (self.there.find(self.doctype, name) or {}).get("bascule_id")
        return (
            key,
            self.workers.sql(
                "SELECT id, document, state, gone_at, creation, create_begun_at, key"
                " FROM records LEFT JOIN links ON record_id = id WHERE key = %s OR document = %s",
                [key, name],
            ),
            self.workers.sql(
                "SELECT id, record_id, what, document, status, error, at::text FROM exchanges"
                " WHERE request::text LIKE %s OR document = %s ORDER BY id DESC LIMIT 30",
                [f"%{key}%", f"{self.doctype} {name}"],
            ),
        )

    def records(self) -> dict[int, Any]:
        found: dict[int, Any] = {}
        for state in ("", "&state=deleted"):
            after = ""
            while True:
                path = f"/api/{self.kind}?limit=500{state}{after}"
                told = self.api.ask("GET", path)[1]
                found |= {one["id"]: one for one in told["records"]}
                if not told["next"]:
                    break
                after = f"&after={told['next']}"
        return found

    def history(self, number: int) -> dict[str, list[Any]]:
        values: dict[str, list[Any]] = defaultdict(list)
        before = ""
        while True:
            told = self.api.ask("GET", f"/api/{self.kind}/{number}/history{before}")[1]
            for step in told["steps"]:
                for name, pair in step["changes"].items():
                    values[name] += pair
            if not told["next"]:
                return values
            before = f"?before={told['next']}"

    def linked(self, number: int) -> Any:
        return self.workers.sql(
            "SELECT document, parts, modified, seen_at, base FROM links WHERE record_id = %s",
            [number],
        )

    def exchanges(self, number: int) -> Any:
        """The latest that was said about a record."""
        return self.api.ask("GET", f"/api/{self.kind}/{number}/exchanges?limit=12")[1]

    def check(self) -> None:
        """Both sides are equal, or it is said why not; each document is one record's; and every
        value is accounted for.
        """
        records = self.records()
        there = self.there.names(self.doctype)
        self.known = {
            number: one
            for number, one in records.items()
            if number in self.ours or one["erpnextId"] in self.theirs
        }
        owners: dict[str, list[int]] = defaultdict(list)
        for number, one in records.items():
            state, gone = one["sync"]["state"], one["sync"]["goneAt"]
            assert state in ("in_sync", "conflict", "attention", "local"), one
            if state == "attention":
                assert one["sync"]["why"] and one["sync"]["nextStep"] and one["sync"]["remedy"], one
            if one["erpnextId"] is None:
                assert gone or one["deletedAt"] or state in ("attention", "local"), one
            elif gone:
                assert one["erpnextId"] not in there or state == "attention", one
            else:
                owners[one["erpnextId"]].append(number)
                self._check_equal(one)
        doubled = {name: who for name, who in owners.items() if len(who) > 1}
        assert not doubled, doubled
        strays = there - owners.keys()
        assert not strays, ("no record has these documents", strays, self.about(strays))
        brought = set(records) - set(self.ours)
        self._check_brought({number: records[number] for number in brought})
        self._check_history(records)

    def _check_equal(self, record: Any) -> None:
        values = values_there(self.there, self.prefix, record["erpnextId"])
        state = record["sync"]["state"]
        if values is None:
            assert state == "attention", ("it is not there", record)
            return
        path = f"/api/{self.kind}/{record['id']}/conflicts"
        open_ones = self.api.ask("GET", path)[1]["conflicts"] if state != "in_sync" else []
        conflicts = {one["field"]: one for one in open_ones}
        different = {
            name: (record[name], value)
            for name, value in values.items()
            if name in record and plain(record[name]) != plain(value) and name not in conflicts
            and name not in record["sync"]["notKept"]
        }  # fmt: skip
        if state != "attention":
            assert not different, (
                state, different, record, self.exchanges(record["id"]), self.linked(record["id"]),
            )  # fmt: skip
        for name, one in conflicts.items():
            assert plain(one["there"]) == plain(values[name]), (record["id"], one, values[name])
            assert plain(one["here"]) == plain(record[name]), (record["id"], one)

    def _check_brought(self, brought: dict[int, Any]) -> None:
        """A record that nobody made here came from a document that somebody made there."""
        for number, one in brought.items():
            if one["erpnextId"] is None and one["sync"]["goneAt"]:
                continue  # it is gone, and another has its name
            first = self.first_document.get(number)
            if first is None:
                first = self.first_document[number] = one["erpnextId"]
            known = self.theirs | self.at_first
            assert first in known, (
                f"{first} was made by nobody there: it is one too many",
                self.made_by(first),
            )

    def _check_history(self, records: dict[int, Any]) -> None:
        by_name = {one["erpnextId"]: one for one in records.values() if one["erpnextId"]}
        wanted: dict[int, set[tuple[str, Any]]] = defaultdict(set)
        for (number, name), values in self.said.items():
            wanted[number] |= {(name, value) for value in values}
        self.said.clear()
        for (document, name), (value, born) in self.set_there.items():
            one = by_name.get(document)
            if one is not None and one["sync"]["goneAt"] is None:
                if (self.there.find(self.doctype, document) or {}).get("creation") != born:
                    continue  # the hub deleted it, as it was told, and this was made since
                # It is there still, or the hub has written over it, and then it knew it.
                wanted[one["id"]].add((name, value))
        self.set_there.clear()
        for number, values_wanted in wanted.items():
            told = self.history(number)
            for name, value in values_wanted:
                assert value in told[name], (number, name, value, told, self.exchanges(number))

    first_document: dict[int, str] = field(default_factory=dict)
    at_first: set[str] = field(default_factory=set)
