"""What the tests of this folder drive: workers that can be killed, somebody who works in ERPNext
without a network in between, and a reading of documents that knows nothing of the hub's mapping.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from bascule.sandbox import SandboxThread
from bascule.sandbox.core.http.answers import Ask
from bascule.sandbox.core.http.api import Api as SandboxApi
from bascule.settings import Settings
from bascule.store.session import JOBS_SCHEMA
from tests.kit.waiting import until
from tests.sync.nursery import WAITING

LOG = "nursery.log"
NURSERY = Path(__file__).with_name("nursery.py")


class Refused(Exception):
    """The site said no."""


class There:
    """A colleague in ERPNext. Asks the site in its own thread, so that no fault is hers, and costs
    little; the webhooks of what she does are kept in `told`, for who delivers them.
    """

    def __init__(self, thread: SandboxThread, running: Any, user: str = "admin") -> None:
        self.thread, self.running = thread, running
        self.api = SandboxApi(running.site)
        who = running.users[user]
        self.headers = {
            "authorization": f"token {who.api_key}:{who.api_secret}",
            "content-type": "application/json",
        }

    def ask(self, verb: str, path: str, body: Any = None, query: str = "") -> Any:
        raw = b"" if body is None else json.dumps(body).encode()

        async def asked() -> Any:
            return self.api.answer(Ask(verb, path, query, self.headers, raw))

        loop = self.thread._loop
        assert loop is not None
        answer = asyncio.run_coroutine_threadsafe(asked(), loop).result(60)
        told = json.loads(answer.body)
        if answer.status >= 300:
            raise Refused(answer.status, answer.body[:400])
        return told.get("data", told.get("message"))

    def read(self, doctype: str, name: str) -> Any:
        return self.ask("GET", f"/api/resource/{quote(doctype)}/{quote(name, safe='')}")

    def find(self, doctype: str, name: str) -> Any:
        try:
            return self.read(doctype, name)
        except Refused as refused:
            if refused.args[0] == 404:
                return None
            raise

    def list(self, doctype: str, filters: Any = (), fields: Any = ("name",)) -> Any:
        body = {"doctype": doctype, "filters": filters, "fields": fields, "limit_page_length": 0}
        return self.ask("POST", "/api/method/frappe.client.get_list", body)

    def names(self, doctype: str) -> set[str]:
        return {row["name"] for row in self.list(doctype)}

    def create(self, doctype: str, **values: Any) -> Any:
        return self.ask("POST", f"/api/resource/{doctype}", values)

    def change(self, doctype: str, name: str, **values: Any) -> Any:
        return self.ask("PUT", f"/api/resource/{doctype}/{quote(name, safe='')}", values)

    def delete(self, doctype: str, name: str) -> None:
        self.ask("DELETE", f"/api/resource/{doctype}/{quote(name, safe='')}")

    def rename(self, doctype: str, old: str, new: str, *, merge: bool = False) -> str:
        body = {"doctype": doctype, "old_name": old, "new_name": new, "merge": int(merge)}
        return str(self.ask("POST", "/api/method/frappe.client.rename_doc", body))


def values_there(there: There, prefix: str, name: str) -> dict[str, Any] | None:
    """A Customer or Supplier as a person reads it on its form, in the words of the hub's API. None:
    it is not there. Written down from ERPNext's forms, and by purpose not from the hub's mapping.
    """
    doctype = prefix.title()
    main = there.find(doctype, name)
    if main is None:
        return None
    address = main.get(f"{prefix}_primary_address")
    contact = main.get(f"{prefix}_primary_contact")
    at = (there.find("Address", address) if address else None) or {}
    who = (there.find("Contact", contact) if contact else None) or {}
    mails = [row["email_id"] for row in who.get("email_ids") or [] if row.get("is_primary")]
    phones = [row["phone"] for row in who.get("phone_nos") or [] if row.get("is_primary_mobile_no")]
    known = [who.get(part) for part in ("first_name", "middle_name", "last_name")]
    values = {
        "name": main.get(f"{prefix}_name"),
        "website": main.get("website"),
        "taxNumber": main.get("tax_id"),
        "language": main.get("language"),
        "active": not main.get("disabled"),
        "address": at.get("address_line1"),
        "city": at.get("city"),
        "state": at.get("state"),
        "postalCode": at.get("pincode"),
        "contactPerson": " ".join(part for part in known if part),
        "companyName": who.get("company_name"),
        "email": mails[0] if mails else None,
        "phone": phones[0] if phones else None,
        f"{prefix}Group": main.get(f"{prefix}_group"),
        f"{prefix}Type": main.get(f"{prefix}_type"),
        "currency": main.get("default_currency"),
        "paymentTerms": main.get("payment_terms"),
    }
    if at:
        values["country"] = at.get("country")
    if prefix == "customer":
        limits = [row["credit_limit"] for row in main.get("credit_limits") or []]
        values |= {"territory": main.get("territory"), "creditLimit": limits[0] if limits else None}
    return values


def plain(value: Any) -> Any:
    """Nothing, an empty text and 0 are the same to a person who looks at a form."""
    return None if value in (None, "", 0, False) else value


class Workers:
    """Workers in processes of their own over a hub's database; see `nursery`."""

    def __init__(self, settings: Settings, **more: str) -> None:
        assert settings.database_url is not None
        self.url = settings.database_url.get_secret_value()
        key = settings.secret_key
        environment = {
            **os.environ,
            "BASCULE_DATABASE_URL": self.url,
            "BASCULE_DATA_DIR": str(settings.data_dir),
            "BASCULE_SETTLE_SECONDS": str(settings.settle_seconds),
            **({"BASCULE_SECRET_KEY": key.get_secret_value()} if key else {}),
            **more,
        }
        self.folder = settings.data_dir
        with (self.folder / LOG).open("wb") as log:
            self.nursery = subprocess.Popen(
                [sys.executable, str(NURSERY)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )
        self.pids: list[int] = []
        self.killed = 0

    def start(self) -> None:
        assert self.nursery.stdin and self.nursery.stdout
        self.nursery.stdin.write("\n")
        self.nursery.stdin.flush()
        self.pids.append(int(self.nursery.stdout.readline()))

    def kill(self) -> None:
        """All of them, with -9. What they had begun is anybody's at once: nothing is learned from
        waiting until their hearts are missed.
        """
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
            self.killed += 1
        for pid in self.pids:
            until(lambda pid=pid: not _is_there(pid), f"{pid} is still there", pause=0.005)
        self.pids = []
        self.sql("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")

    def stand(self) -> list[str]:
        """Where each task of each worker stands now, what they said last, and whose is what."""
        told = []
        for pid in self.pids:
            path = self.folder / f"{WAITING}{pid}"
            path.unlink(missing_ok=True)
            os.kill(pid, signal.SIGUSR1)
            give_up = time.monotonic() + 10
            while not path.exists() and time.monotonic() < give_up:
                time.sleep(0.05)
            told.append(path.read_text() if path.exists() else f"{pid} does not tell")
        said = (self.folder / LOG).read_text(errors="replace")[-4000:]
        workers = self.sql("SELECT id, last_heartbeat, now() FROM procrastinate_workers")
        jobs = self.sql("SELECT id, worker_id FROM procrastinate_jobs WHERE status = 'doing'")
        backends = self.sql(
            "SELECT pid, state, wait_event, pg_blocking_pids(pid)::text, left(query, 80)"
            " FROM pg_stat_activity WHERE datname = current_database()"
        )
        return [*told, said, *(str(one) for one in (*workers, *jobs, *backends))]

    def sql(self, statement: str, values: Any = ()) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as conn:
            conn.execute(f"SET search_path TO bascule, {JOBS_SCHEMA}, public".encode())
            found = conn.execute(statement.encode(), values)
            return found.fetchall() if found.description else []

    def close(self) -> None:
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self.nursery.stdin
        self.nursery.stdin.close()
        self.nursery.wait(60)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
