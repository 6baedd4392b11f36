"""`system`: how the hub itself is, as the page *System* shows it."""

from bascule.cli.exit_codes import Exit
from bascule.cli.identity import acting_hub
from bascule.cli.terminal import AsJson, ago, document, escape, out, show, table


async def system(as_json: AsJson = False) -> int:
    """Sizes, memory, workers, what waits for them, unsent edits, the certificate, the version."""
    from bascule.job_modules import JOB_MODULES
    from bascule.jobs import load
    from bascule.system.schemas import CLASSES
    from bascule.system.status import look
    from bascule.ui.filters import plural, size

    load(JOB_MODULES)
    async with acting_hub() as (hub, viewer):
        found = await look(hub, viewer)
    if as_json:
        document(found.model_dump(mode="json"))
        return Exit.DONE
    database = found.database
    measured = "" if database.bytes is None else f", {size(database.bytes)}"
    free = database.disk_free_bytes
    room = "" if free is None else f"; {size(free)} free on its disk"
    out.print(f"Version {found.version.version}")
    out.print(f"PostgreSQL {database.version} ({database.kind}){measured}{room}")
    if found.certificate:
        ends = found.certificate.ends_at
        said = f"valid until {ends:%F %T} UTC" if ends else found.certificate.error or ""
        out.print(f"Certificate of {escape(found.certificate.host)}: {said}")
    unsent = found.unsent
    oldest = f", the oldest edit {ago(unsent.oldest_at)}" if unsent.records else ""
    out.print(f"Unsent: {plural(unsent.records, 'record')}{oldest}")
    out.print(f"Workers: last heard of {ago(found.worker_at)}; places: {escape(found.holders)}")
    processes = table("process", "does", "memory", "version", "heard of", numbers=("memory",))
    for one in found.processes:
        memory = "–" if one.rss_bytes is None else size(one.rss_bytes)
        where, does = escape(f"{one.host}, {one.pid}"), " and ".join(one.roles)
        processes.add_row(where, does, memory, escape(one.version), ago(one.seen_at))
    queue = table("work", "waits", "first", "runs", numbers=("waits", "runs"))
    words = {work.name.lower(): said for work, said in CLASSES.items()}
    for each in found.queue:
        first = ago(each.oldest_at) if each.oldest_at else "–"
        queue.add_row(words[each.work], f"{each.waiting:,}", first, f"{each.running:,}")
    sizes = table("schema", "connection", "size", numbers=("size",))
    for schema in database.schemas:
        sizes.add_row(escape(schema.name), escape(schema.connection or "–"), size(schema.bytes))
    for made in (processes, queue, sizes):
        if made.row_count:
            out.print()
            show(made)
    return Exit.DONE
