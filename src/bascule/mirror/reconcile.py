"""The proof: every name and `modified` on the site, against those here.

What differs is looked at twice, with an incremental pull in between, because a site does not
stand still while it is listed. What differs still is reported, and mended where that was asked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from psycopg import AsyncConnection, sql

from bascule.frappe import PageSize
from bascule.mirror import children
from bascule.mirror.attempt import Attempt
from bascule.mirror.copying import csv_of
from bascule.mirror.incremental import NAMES_AT_ONCE, fetch_documents, mark_gone, pull_changes
from bascule.mirror.schema import Table

EXAMPLES = 20


@dataclass(slots=True)
class Findings:
    """Names of documents: on the site only, here only, here as they were before, and with other
    children.
    """

    checked: int = 0
    missing: set[str] = field(default_factory=set)
    extra: set[str] = field(default_factory=set)
    stale: set[str] = field(default_factory=set)
    children: set[str] = field(default_factory=set)
    repaired: bool = False  # and found equal when looked at once more

    @property
    def equal(self) -> bool:
        return not (self.missing or self.extra or self.stale or self.children)

    def report(self) -> dict[str, Any]:
        kinds = ("missing", "extra", "stale", "children")
        return {
            "equal": self.equal,
            "checked": self.checked,
            "repaired": self.repaired,
            **{kind: len(getattr(self, kind)) for kind in kinds},
            "examples": {
                kind: sorted(getattr(self, kind))[:EXAMPLES]
                for kind in kinds
                if getattr(self, kind)
            },
        }


async def reconcile(attempt: Attempt, *, repair: bool) -> Findings:
    """Compare, and bring the mirror to the site where `repair`. The findings are those before the
    repair.
    """
    await attempt.log("Comparing every document with the site, by name and time of change")
    found = await _compare(attempt)
    if not found.equal:
        await pull_changes(attempt)
        found = await _look_again(attempt, found)
    if repair and not found.equal:
        await fetch_documents(attempt, sorted(found.missing | found.stale | found.children))
        await mark_gone(attempt, sorted(found.extra))
        found.repaired = (await _look_again(attempt, found)).equal
    if repair or found.equal:
        await _count_rows(attempt)
    return found


async def _count_rows(attempt: Attempt) -> None:
    """Set the stream's count of live rows right, and what the site counts beyond it."""
    site_count = await attempt.site.count(attempt.doctype, attempt.filters)
    live = await count_here(attempt)
    await attempt.save(lambda c: setattr(c, "count_offset", site_count - live))


async def count_here(attempt: Attempt) -> int:
    """Set the stream's count of live rows right; two ends that met may both have counted."""
    async with attempt.lane() as conn, attempt.committing(conn) as tally:
        rows = await conn.execute(
            sql.SQL("SELECT count(*) FROM {} WHERE _deleted_at IS NULL").format(
                attempt.tables.parent.identifier
            )
        )
        row = await rows.fetchone()
        live = int(row[0]) if row else 0
        tally.rows = live - attempt.rows
    return live


async def _compare(attempt: Attempt) -> Findings:
    found = Findings()
    async with attempt.db.pool.connection() as conn:
        await _list(attempt, conn, attempt.tables.parent, ("name", "modified"))
        row = await (await conn.execute("SELECT count(*) FROM pg_temp.seen")).fetchone()
        found.checked = int(row[0]) if row else 0
        table = attempt.tables.parent.identifier
        found.missing = await _names(
            conn,
            sql.SQL(
                "SELECT s.name FROM pg_temp.seen s LEFT JOIN {} t USING (name) "
                "WHERE t.name IS NULL OR t._deleted_at IS NOT NULL"
            ).format(table),
        )
        found.extra = await _names(
            conn,
            sql.SQL(
                "SELECT t.name FROM {} t WHERE t._deleted_at IS NULL "
                "AND NOT EXISTS (SELECT 1 FROM pg_temp.seen s WHERE s.name = t.name)"
            ).format(table),
        )
        found.stale = await _names(
            conn,
            sql.SQL(
                "SELECT s.name FROM pg_temp.seen s JOIN {} t USING (name) "
                "WHERE t._deleted_at IS NULL AND t.modified IS DISTINCT FROM s.modified"
            ).format(table),
        )
        await conn.commit()
        for child in attempt.tables.children.values():
            await _list(attempt, conn, child, ("name", "parent", "modified"))
            found.children |= await _other_children(attempt, conn, child)
            await conn.commit()
    found.children -= found.missing | found.extra | found.stale
    return found


async def _list(
    attempt: Attempt, conn: AsyncConnection, table: Table, fields: tuple[str, ...]
) -> None:
    """Every row of a DocType on the site, in the temporary table `seen`."""
    columns = sql.SQL(", ").join(
        sql.Identifier(c.name) for f in fields for c in table.columns if c.field == f
    )
    await conn.execute("DROP TABLE IF EXISTS pg_temp.seen")
    await conn.execute(
        sql.SQL("CREATE TEMP TABLE seen AS SELECT {} FROM {} LIMIT 0").format(
            columns, table.identifier
        )
    )
    await conn.commit()
    size = PageSize(max_rows=50_000, max_bytes=4_000_000)
    after = None
    while True:
        page = await attempt.site.page(
            table.doctype,
            fields,
            filters=children.of_parent_type(attempt.doctype) if table.child else attempt.filters,
            key="name",
            after=after,
            limit=size.rows,
            parent=attempt.doctype if table.child else None,
        )
        size.saw(page)
        if page.count:
            command = (
                "COPY pg_temp.seen FROM STDIN (FORMAT csv, QUOTE '\"', ESCAPE E'\\\\', NULL 'null')"
            )
            async with conn.cursor().copy(command) as copy:
                for piece in csv_of(page.raw):
                    await copy.write(piece)
            await conn.commit()
        if not page.full:
            break
        after = page.last
    await conn.execute("CREATE INDEX ON pg_temp.seen (name)")
    await conn.execute("ANALYZE pg_temp.seen")


async def _other_children(attempt: Attempt, conn: AsyncConnection, child: Table) -> set[str]:
    """The documents here whose rows of this child table are not the site's."""
    return await _names(
        conn,
        sql.SQL(
            """
            SELECT coalesce(s.parent, t.parent)
              FROM pg_temp.seen s
              FULL JOIN (SELECT name, parent, modified FROM {child}
                          WHERE parenttype = {doctype} AND _deleted_at IS NULL) t USING (name)
             WHERE (s.name IS NULL OR t.name IS NULL OR s.modified IS DISTINCT FROM t.modified
                    OR s.parent IS DISTINCT FROM t.parent)
               AND EXISTS (SELECT 1 FROM {parent} p WHERE p.name = coalesce(s.parent, t.parent)
                              AND p._deleted_at IS NULL)
            """
        ).format(
            child=child.identifier,
            parent=attempt.tables.parent.identifier,
            doctype=attempt.doctype,
        ),
    )


async def _names(conn: AsyncConnection, query: sql.Composed) -> set[str]:
    return {name for (name,) in await (await conn.execute(query)).fetchall()}


async def _look_again(attempt: Attempt, before: Findings) -> Findings:
    """The same question about the documents that differed, now that the mirror has caught up."""
    found = Findings(checked=before.checked)
    suspects = sorted(before.missing | before.extra | before.stale)
    for start in range(0, len(suspects), NAMES_AT_ONCE):
        some = suspects[start : start + NAMES_AT_ONCE]
        there = await _on_site(attempt, some)
        here = await _here(attempt, some)
        found.missing |= there.keys() - here.keys()
        found.extra |= here.keys() - there.keys()
        found.stale |= {n for n in here.keys() & there.keys() if here[n] != there[n]}
    found.children = await _children_again(attempt, sorted(before.children))
    return found


async def _on_site(attempt: Attempt, names: list[str]) -> dict[str, str]:
    rows = await attempt.site.list(
        attempt.doctype,
        ["name", "modified"],
        filters=[*attempt.filters, ["name", "in", names]],
        order_by="name asc",
        limit=0,
    )
    return {str(row["name"]): _moment(str(row["modified"])) for row in rows}


def _moment(text: str) -> str:
    """As PostgreSQL writes a timestamp: without zeros at the end of the fraction."""
    return text.rstrip("0").rstrip(".") if "." in text else text


async def _here(attempt: Attempt, names: list[str]) -> dict[str, str]:
    async with attempt.db.connection() as conn:
        rows = await conn.execute(
            sql.SQL(
                "SELECT name, modified::text FROM {} WHERE name = ANY(%s) AND _deleted_at IS NULL"
            ).format(attempt.tables.parent.identifier),
            [names],
        )
        return {name: _moment(modified) for name, modified in await rows.fetchall()}


async def _children_again(attempt: Attempt, parents: list[str]) -> set[str]:
    """Of these documents, those whose children still differ, by name and `modified`."""
    differing: set[str] = set()
    for start in range(0, len(parents), NAMES_AT_ONCE):
        some = parents[start : start + NAMES_AT_ONCE]
        for rows in (await children.of_parents(attempt, some)).values():
            there = {
                (str(r["name"]), str(r["parent"]), _moment(str(r["modified"])))
                for page in rows.pages
                for r in page.documents()
            }
            differing |= _parents(there ^ await _children_here(attempt, rows.table, some))
    return differing


def _parents(rows: Iterable[tuple[str, str, str]]) -> set[str]:
    return {parent for _, parent, _ in rows}


async def _children_here(
    attempt: Attempt, table: Table, parents: list[str]
) -> set[tuple[str, str, str]]:
    async with attempt.db.connection() as conn:
        rows = await conn.execute(
            sql.SQL(
                "SELECT name, parent, modified::text FROM {} "
                "WHERE parenttype = %s AND parent = ANY(%s) AND _deleted_at IS NULL"
            ).format(table.identifier),
            [attempt.doctype, parents],
        )
        return {(n, p, _moment(m)) for n, p, m in await rows.fetchall()}
