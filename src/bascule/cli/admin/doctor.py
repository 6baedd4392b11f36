"""`doctor`: looks at all that the hub stands on, and says what to do where it is not well."""

import asyncio
import os
import platform
import shutil
import stat
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import Progress

from bascule import __version__
from bascule.cli.admin.findings import Finding, one_address, orphaned_webhooks, sign_in_service
from bascule.cli.exit_codes import Exit, explained
from bascule.cli.terminal import AsJson, document, err, escape, out

if TYPE_CHECKING:
    from bascule.connections.tables import Connection
    from bascule.hub import Hub
    from bascule.settings import Settings

SITES_AT_ONCE = 8
LEAST_FREE = 1_000_000_000  # bytes; PostgreSQL needs room for what it is about to replace
OLDEST_POSTGRESQL = 140_000
_MARKS = {"ok": "[green]✓[/]", "note": "[yellow]![/]", "ill": "[red]✗[/]"}


async def doctor(as_json: AsJson = False) -> int:
    """Look at the data folder, sign-in, the database, the worker, each site and the disk.

    Exits with 1 when something does not work, and says what to do about it.
    """
    from bascule.settings import get_settings

    settings = get_settings()
    findings = [_versions(), *await asyncio.to_thread(_files, settings)]
    findings += await sign_in_service(settings)
    findings += await _database(settings)
    ill = any(finding.state == "ill" for finding in findings)
    if as_json:
        document({"ok": not ill, "findings": [asdict(finding) for finding in findings]})
        return Exit.FAILED if ill else Exit.DONE
    for finding in findings:
        out.print(f"{_MARKS[finding.state]} {escape(finding.what)}: {escape(finding.found)}")
        if finding.next_step:
            out.print(f"  → {escape(finding.next_step)}")
    return Exit.FAILED if ill else Exit.DONE


def _versions() -> Finding:
    python = platform.python_version()
    return Finding("Versions", "ok", f"Bascule {__version__}, Python {python}, {sys.platform}")


def _files(settings: "Settings") -> list[Finding]:
    from bascule.store.vault import KEY_FILE

    folder = settings.data_dir
    if not folder.is_dir():
        step = "Nothing has to be done; the first start makes it."
        return [Finding("Data folder", "note", f"{folder} is not there yet", step)]
    findings = [Finding("Data folder", "ok", str(folder))]
    if not os.access(folder, os.W_OK | os.X_OK):
        step = "Run it as the folder's owner, or set BASCULE_DATA_DIR to a folder of your own."
        findings = [Finding("Data folder", "ill", f"{folder} cannot be written", step)]
    findings.append(_key(settings, folder / KEY_FILE))
    free = shutil.disk_usage(folder).free
    enough = free >= LEAST_FREE
    findings.append(
        Finding(
            "Disk space",
            "ok" if enough else "ill",
            f"{free / 1e9:.1f} GB free",
            None if enough else "Free some space, or move the data folder to another disk.",
        )
    )
    return findings


def _key(settings: "Settings", path: Path) -> Finding:
    from bascule.store.vault import Vault

    if settings.secret_key is not None:
        weakness = Vault(settings.secret_key.get_secret_value()).weakness()
        if weakness is not None:
            step = (
                "Make one with 'openssl rand -base64 32'; docs/secrets.md tells how to change it."
            )
            return Finding("Secret key", "note", f"BASCULE_SECRET_KEY {weakness}", step)
        return Finding("Secret key", "ok", "from BASCULE_SECRET_KEY")
    if not path.exists():
        step = "Nothing has to be done; the first start makes one."
        return Finding("Secret key", "note", "there is none yet", step)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077 and os.name == "posix":
        step = f"Run: chmod 600 {path}"
        return Finding("Secret key", "ill", f"others can read {path} (mode {mode:o})", step)
    return Finding("Secret key", "ok", f"{path}, mode {mode:o}")


async def _database(settings: "Settings") -> list[Finding]:
    from bascule.hub import open_hub

    kind = "embedded" if not settings.database_url else "yours"
    try:
        async with open_hub(settings) as hub:
            findings = [await _server(hub, kind), *await _role(hub), *await _worker(hub)]
            findings += await one_address(hub)
            return findings + await _connections(hub)
    except Exception as error:  # whatever it is: a doctor who faints helps nobody
        what, next_step, _ = explained(error)
        return [Finding("Database", "ill", f"{kind}: {what}", next_step)]


async def _server(hub: "Hub", kind: str) -> Finding:
    async with hub.db.connection() as conn:
        number = conn.info.server_version
        where = f"{conn.info.host or 'socket'}:{conn.info.port}/{conn.info.dbname}"
        found = await conn.execute("SELECT pg_database_size(current_database())")
        row = await found.fetchone()
    size = int(row[0]) if row else 0
    major = f"PostgreSQL {number // 10_000}.{number % 10_000}"
    said = f"{kind}, {major} at {where}, {size / 1e6:.0f} MB"
    if number < OLDEST_POSTGRESQL:
        return Finding("Database", "ill", said, "Upgrade the server to PostgreSQL 14 or newer.")
    return Finding("Database", "ok", said)


async def _role(hub: "Hub") -> list[Finding]:
    async with hub.db.connection() as conn:
        found = await conn.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        row = await found.fetchone()
    if not row or not row[0]:
        return []
    step = "Give the hub a role of its own that owns its database alone; docs/settings.md has one."
    return [Finding("Database role", "note", "the hub is a superuser of this server", step)]


async def _worker(hub: "Hub") -> list[Finding]:
    """Whether one lives; and what waits for one for too long, with who holds the places."""
    from bascule.connections.worker_attention import START, held_by
    from bascule.job_modules import JOB_MODULES
    from bascule.jobs import load
    from bascule.jobs.queue_status import queue_of

    load(JOB_MODULES)
    async with hub.db.connection() as conn:
        queue = await queue_of(conn, hub.settings.worker_concurrency)
    if queue.worker_alive:
        found = f"alive, last heard of at {queue.worker_at:%H:%M:%S} UTC"
        findings = [Finding("Worker", "ok", found)]
    else:
        seen_at = queue.worker_at
        heard = "none is running"
        if seen_at is not None:
            heard = f"the last one was heard of at {seen_at:%F %T} UTC"
        findings = [Finding("Worker", "ill" if queue.waiting else "note", heard, START)]
    async with hub.db.session() as session:
        held = await held_by(session, None, queue.holders)
    if queue.oldest_seconds is None:
        return [*findings, Finding("Queue", "ok", f"nothing waits; places are held by {held}")]
    waits = f"{queue.waiting:,} jobs wait, the first for {queue.oldest_seconds:,.0f} s"
    said = f"{waits}; places are held by {held}"
    if queue.stands:
        step = "'bascule cancel' ends runs that come to nothing; another worker has more places."
        return [*findings, Finding("Queue", "ill", said, step)]
    return [*findings, Finding("Queue", "ok", said)]


async def _connections(hub: "Hub") -> list[Finding]:
    from bascule.connections.queries import list_connections

    async with hub.db.session() as session:
        every = await list_connections(session, None)
        session.expunge_all()
    if not every:
        step = "Connect one with 'bascule connect', or try 'bascule demo'."
        return [Finding("Connections", "note", "no ERPNext site is connected", step)]
    places = asyncio.Semaphore(SITES_AT_ONCE)
    with Progress(console=err, transient=True, disable=len(every) == 1) as shown:
        task = shown.add_task("Asking the sites", total=len(every))

        async def ask(one: "Connection") -> list[Finding]:
            async with places:
                found = await _connection(hub, one)
            shown.advance(task)
            return found

        return [finding for found in await asyncio.gather(*map(ask, every)) for finding in found]


async def _connection(hub: "Hub", connection: "Connection") -> list[Finding]:
    """What its site says now, and then what is not a consequence of that."""
    from bascule.mirror.status.overview import statuses_of
    from bascule.sites.check import told_together
    from bascule.sites.service import recheck

    what = f"Connection {connection.slug}"
    report = await recheck(hub, connection)
    findings = [
        Finding(what, "ill", problem.what, problem.next_step) for problem in told_together(report)
    ]
    if not findings:
        versions = ", ".join(f"{app} {number}" for app, number in report.versions.items())
        findings.append(Finding(what, "ok", f"signed in as {report.user} ({versions})"))
    if report.health == "ok":
        findings += await orphaned_webhooks(hub, connection)
    async with hub.db.session() as session:
        now = await session.get_one(type(connection), connection.id)
        [status] = await statuses_of(session, [now])
    told = {"refused", "down"} if report.health != "ok" else set()
    findings += [
        Finding(what, "ill", need.what, need.next_step)
        for need in status.attention
        if need.kind not in told and not (need.mend == "rights" and report.missing)
    ]
    return findings
