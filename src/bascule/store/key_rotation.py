"""Re-encrypts every secret with a new key, in batches, while the hub runs.

It can be killed and run again: values under the newest key are skipped, and the key before it still
decrypts the others until none is left.
"""

from dataclasses import dataclass, field
from typing import Any

from psycopg import sql

from bascule.errors import Conflict, Invalid
from bascule.store.base import HUB_SCHEMA, Base
from bascule.store.data_dir import replace_secret
from bascule.store.database import Database
from bascule.store.errors import WrongKey
from bascule.store.vault import KEY_LOCK, Vault, make_key

AT_ONCE = 100
ONE_AT_A_TIME = 0x6261_7272  # an advisory lock


@dataclass
class Rotated:
    """`lost` are secrets that no key decrypts, as table and id; they have to be entered again."""

    renewed: int = 0
    already: int = 0
    lost: list[str] = field(default_factory=list)


def encrypted_columns() -> list[tuple[str, str]]:
    """Table and column of every column with `info=encrypted(...)`."""
    return [
        (table.name, column.name)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if "called" in column.info
    ]


def tables_of_own_keys() -> list[str]:
    """The tables of keys that the hub made for itself (`info=made_here(...)`)."""
    return [
        table.name
        for table in Base.metadata.sorted_tables
        if any("made_here" in column.info for column in table.columns)
    ]


async def rotate(db: Database, vault: Vault) -> Rotated:
    """A key from the data folder is replaced by a new one; with one from the environment, what the
    key before it opens is brought under it. Conflict: somebody else is at it. Invalid: there is
    no key to come from.
    """
    if vault.path is None and vault.keys < 2:
        raise Invalid(
            "There is no key to come from: BASCULE_SECRET_KEY_PREVIOUS is not set.",
            next_step="Put the key of today in BASCULE_SECRET_KEY_PREVIOUS and a new one in "
            "BASCULE_SECRET_KEY, restart the hub with both, and run this again with both; see "
            "docs/secrets.md.",
        )
    async with db.connection() as guard:
        found = await guard.execute("SELECT pg_try_advisory_xact_lock(%s)", [ONE_AT_A_TIME])
        row = await found.fetchone()
        if row is None or not row[0]:
            raise Conflict(
                "The key is being changed by somebody else right now.",
                next_step="Wait until that has ended; run this again if it was cut off.",
            )
        if vault.path is not None and vault.keys < 2:
            await _begin(db, vault)
        done = Rotated()
        for table, column in encrypted_columns():
            await _renew(db, vault, table, column, done)
        for table in tables_of_own_keys():
            async with db.connection() as conn:
                gone = sql.SQL("DELETE FROM {}").format(sql.Identifier(HUB_SCHEMA, table))
                await conn.execute(gone)
        if vault.path is not None:
            replace_secret(vault.path, vault.newest)
    return done


async def _begin(db: Database, vault: Vault) -> None:
    """A new key, before the old one, in the file. No secret is being saved at that moment, so none
    is encrypted with the old one after it.
    """
    assert vault.path is not None  # noqa: S101
    async with db.connection() as conn:
        await conn.execute("SELECT pg_advisory_xact_lock(%s)", [KEY_LOCK])
        replace_secret(vault.path, f"{make_key()}\n{vault.newest}")


async def _renew(db: Database, vault: Vault, table: str, column: str, done: Rotated) -> None:
    names = {"table": sql.Identifier(HUB_SCHEMA, table), "column": sql.Identifier(column)}
    select = sql.SQL(
        "SELECT id, {column} FROM {table} WHERE {column} IS NOT NULL AND {after}"
        " ORDER BY id LIMIT %(most)s FOR UPDATE"
    )
    update = sql.SQL("UPDATE {table} SET {column} = %s WHERE id = %s").format(**names)
    last: Any = None
    while True:
        after = sql.SQL("true" if last is None else "id > %(last)s")
        async with db.connection() as conn:
            batch = select.format(**names, after=after)
            found = await conn.execute(batch, {"last": last, "most": AT_ONCE})
            rows = await found.fetchall()
            for number, text in rows:
                try:
                    renewed = vault.renewed(text)
                except WrongKey:
                    done.lost.append(f"{table} {number}: {column}")
                    continue
                if renewed == text:
                    done.already += 1
                    continue
                await conn.execute(update, [renewed, number])
                done.renewed += 1
        if len(rows) < AT_ONCE:
            return
        last = rows[-1][0]
