"""The site's tables in an SQLite of its own: one a DocType, with MariaDB's sense of text.

Stores and finds rows, and makes MariaDB's errors of SQLite's; knows no rule of Frappe's.
"""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bascule.sandbox.core.database import collation, functions
from bascule.sandbox.core.doctypes.schema import DocType
from bascule.sandbox.core.errors import Refusal, database_error
from bascule.sandbox.core.values import cint, cstr, date_text, flt, moment, number, time_text

Row = dict[str, Any]
_DECLARED = {
    "int": "INTEGER NOT NULL DEFAULT 0",
    "float": "REAL NOT NULL DEFAULT 0.0",
    "decimal": "REAL",
    "text": f"TEXT COLLATE {collation.NAME}",
    "time": f"TEXT COLLATE {collation.TIME}",
}
DATABASE = "_1bd3e0294da19198"


def quoted(doctype: str) -> str:
    return "`tab" + doctype.replace("`", "") + "`"


def column(name: str) -> str:
    return "`" + name.replace("`", "") + "`"


def _text(value: Any) -> str | None:
    """Of a number what MariaDB makes of it: true is 1, and 3.0 is 3."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return f"{value:.15g}".replace("e+", "e")
    return value if value is None or isinstance(value, str) else cstr(value)


def _moment(value: Any) -> str | None:
    if isinstance(value, str) and _KEPT_MOMENT.fullmatch(value) and not value.endswith(".000000"):
        return value
    read = moment(value) if value else None
    return None if read is None else str(read)


_KEPT_MOMENT = re.compile(r"(?!0000)\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{6})?")
_KEPT: dict[str, Callable[[Any], Any]] = {
    "int": lambda value: value if type(value) is int else cint(value),
    "float": lambda value: round(value if type(value) is float else flt(value), 9),
    "decimal": lambda value: None if value in (None, "") else round(number(value), 9),
    "text": _text,
    "datetime": _moment,
    "date": lambda value: date_text(value) if value else None,
    "time": lambda value: time_text(value) if value else None,
}


def stored(kind: str, value: Any) -> Any:
    """The value as its column keeps it; numbers are never NULL, dates never empty texts."""
    return _KEPT[kind](value)


class Tables:
    def __init__(self) -> None:
        self._connect()
        self._db.execute(
            "CREATE TABLE `tabSeries` (`name` TEXT PRIMARY KEY, `current` INTEGER NOT NULL)"
        )
        self._db.execute(
            "CREATE TABLE `__Auth` (`doctype` TEXT, `name` TEXT, `fieldname` TEXT,"
            " `password` TEXT, PRIMARY KEY (`doctype`, `name`, `fieldname`))"
        )
        self._db.execute("CREATE TABLE `__Files` (`file_url` TEXT PRIMARY KEY, `content` BLOB)")
        self._db.execute(
            "CREATE TABLE `tabSingles` (`doctype` TEXT, `field` TEXT, `value`,"
            " PRIMARY KEY (`doctype`, `field`))"
        )

    def _connect(self) -> None:
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA case_sensitive_like = off")
        collation.install(self._db)
        functions.install(self._db)
        self._made: set[str] = set()

    def close(self) -> None:
        self._db.close()

    def copy(self) -> "Tables":
        """Others that hold the same."""
        copied = Tables.__new__(Tables)
        copied._connect()
        self._db.backup(copied._db)
        copied._made = set(self._made)
        return copied

    def kept(self) -> tuple[bytes, frozenset[str]]:
        """Everything, as bytes, and the DocTypes that have a table."""
        return self._db.serialize(), frozenset(self._made)

    def restore(self, rows: bytes, made: frozenset[str]) -> None:
        """What was kept, in place of everything."""
        self._db.deserialize(rows)
        self._made = set(made)

    @contextmanager
    def transaction(self, *, keep: bool = True) -> Iterator[None]:
        """Commits at the end of the block; takes all back on any error, or without `keep`."""
        self._db.execute("BEGIN")
        made = set(self._made)
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            self._made = made
            raise
        self._db.execute("COMMIT" if keep else "ROLLBACK")
        self._made = self._made if keep else made

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        self._db.execute("SAVEPOINT `part`")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK TO `part`")
            raise
        finally:
            self._db.execute("RELEASE `part`")

    def has(self, doctype: str) -> bool:
        return doctype in self._made

    def has_column(self, doctype: str, name: str) -> bool:
        return any(
            row[1] == name for row in self._db.execute(f"PRAGMA table_info({quoted(doctype)})")
        )

    def make(self, doctype: DocType) -> None:
        """The table, or the columns that it lacks."""
        table = quoted(doctype.name)
        kinds = doctype.kinds | dict.fromkeys(doctype.optional, "text")
        if doctype.name not in self._made:
            columns = ", ".join(
                f"{column(name)} {_DECLARED.get(kind, 'TEXT')}" for name, kind in kinds.items()
            )
            self._db.execute(f"CREATE TABLE {table} ({columns}, PRIMARY KEY (`name`))")
            for name in ("parent",) if doctype.is_child else ("modified",):
                index = column(f"{doctype.name}.{name}")
                self._db.execute(
                    f"CREATE INDEX IF NOT EXISTS {index} ON {table} ({column(name)}, `name`)"
                )
            self._made.add(doctype.name)
            return
        there = {row[1] for row in self._db.execute(f"PRAGMA table_info({table})")}
        for name, kind in kinds.items():
            if name not in there:
                declared = _DECLARED.get(kind, "TEXT")
                self._db.execute(f"ALTER TABLE {table} ADD COLUMN {column(name)} {declared}")
                default = (doctype.field(name) or {}).get("default")
                if kind in ("int", "float") and default:
                    filled = _KEPT[kind](default)
                    self._db.execute(f"UPDATE {table} SET {column(name)} = ?", (filled,))

    def rename(self, old: str, new: str) -> None:
        """The table of a DocType that has another name from now on."""
        self._db.execute(f"ALTER TABLE {quoted(old)} RENAME TO {quoted(new)}")
        self._made = self._made - {old} | {new}

    def fill(self, doctype: DocType, rows: Sequence[Row]) -> None:
        kept = [(name, _KEPT[kind]) for name, kind in doctype.kinds.items()]
        marks = ", ".join("?" * len(kept))
        names = ", ".join(column(name) for name, _ in kept)
        self._db.executemany(
            f"INSERT INTO {quoted(doctype.name)} ({names}) VALUES ({marks})",
            ([keep(row.get(name)) for name, keep in kept] for row in rows),
        )

    def fill_single(self, doctype: str, values: Row) -> None:
        """A Single's values in place of those that it had."""
        self._db.execute("DELETE FROM `tabSingles` WHERE `doctype` = ?", (doctype,))
        self._db.executemany(
            "INSERT INTO `tabSingles` VALUES (?, ?, ?)",
            (
                (doctype, field, value)
                for field, value in values.items()
                if field != "doctype" and not isinstance(value, list)
            ),
        )

    def set_single(self, doctype: str, values: Row) -> None:
        """Some of a Single's values; the others stay."""
        self._db.executemany(
            "INSERT OR REPLACE INTO `tabSingles` VALUES (?, ?, ?)",
            ((doctype, field, value) for field, value in values.items()),
        )

    def insert(self, doctype: DocType, row: Row) -> None:
        self.fill(doctype, [row])

    def update(self, doctype: str, name: str, values: Row) -> None:
        sets = ", ".join(f"{column(key)} = ?" for key in values)
        self._db.execute(
            f"UPDATE {quoted(doctype)} SET {sets} WHERE `name` = ?", (*values.values(), name)
        )

    def delete(self, doctype: str, **where: Any) -> None:
        tests = " AND ".join(f"{column(key)} = ?" for key in where)
        self._db.execute(f"DELETE FROM {quoted(doctype)} WHERE {tests}", tuple(where.values()))

    def rows(self, doctype: str, order: str = "", **where: Any) -> list[Row]:
        """Rows of all columns where each of those has that value; none without table or column."""
        if doctype not in self._made:
            return []
        tests = " AND ".join(f"{column(key)} = ?" for key in where) or "1"
        ordering = f" ORDER BY {order}" if order else ""
        sql = f"SELECT * FROM {quoted(doctype)} WHERE {tests}{ordering}"
        try:
            found = self._db.execute(sql, tuple(where.values()))
        except sqlite3.OperationalError as error:
            if "no such column" not in str(error):
                raise
            return []
        names = [entry[0] for entry in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]

    def row(self, doctype: str, name: str) -> Row | None:
        found = self.rows(doctype, name=name)
        return found[0] if found else None

    def value(self, doctype: str, name: str, field: str) -> Any:
        if doctype not in self._made:
            return None
        found = self._db.execute(
            f"SELECT {column(field)} FROM {quoted(doctype)} WHERE `name` = ?", (name,)
        ).fetchone()
        return found[0] if found else None

    def keep_password(self, doctype: str, name: str, field: str, password: str | None) -> None:
        """None takes the one that is kept away."""
        self._db.execute(
            "INSERT OR REPLACE INTO `__Auth` VALUES (?, ?, ?, ?)", (doctype, name, field, password)
        )

    def password(self, doctype: str, name: str, field: str) -> str | None:
        found = self._db.execute(
            "SELECT `password` FROM `__Auth` WHERE `doctype` = ? AND `name` = ?"
            " AND `fieldname` = ?",
            (doctype, name, field),
        ).fetchone()
        return found[0] if found else None

    def move_passwords(self, doctype: str, name: str, to: str | None) -> None:
        """Along with a document that was renamed, or was deleted (`to` is None)."""
        where = "WHERE `doctype` = ? AND `name` = ?"
        if to is None:
            self._db.execute(f"DELETE FROM `__Auth` {where}", (doctype, name))
        else:
            self._db.execute(f"UPDATE `__Auth` SET `name` = ? {where}", (to, doctype, name))

    def is_empty(self, doctype: str) -> bool:
        found = self._db.execute(f"SELECT 1 FROM {quoted(doctype)} LIMIT 1")
        return found.fetchone() is None

    def run(self, sql: str, values: Iterable[Any] = ()) -> sqlite3.Cursor:
        """Statements of the engine itself, which do not fail."""
        return self._db.execute(sql, tuple(values))

    def select(self, sql: str, shown: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The names of the columns and the rows of a query that a caller had a hand in.

        `shown` is the query as Frappe would have sent it: MariaDB's errors quote it.
        """
        try:
            found = self._db.execute(sql)
            rows = found.fetchall()
        except sqlite3.Error as error:
            raise _mariadb(error, shown) from error
        return [entry[0] for entry in found.description], rows


_CLAUSES = (("ORDER BY", " order by "), ("GROUP BY", " group by "), ("WHERE", "where "))


def _mariadb(error: sqlite3.Error, shown: str) -> Refusal:
    text = str(error)
    if match := re.match(r"no such column: (.+)", text):
        bare = match[1].partition(".")[2] or match[1]
        # MariaDB names the column as the query does.
        qualified = f"`.`{bare}`" in shown or f"`.{bare}" in shown
        name = match[1] if qualified or f"`{match[1]}`" in shown else bare
        if f"`{match[1].replace('.', '`.', 1)} = " in shown.partition("where ")[0]:
            return database_error("OperationalError", 1054, f"Unknown column '{name}' in 'ON'")
        for clause, word in _CLAUSES:
            before, found, after = shown.lower().rpartition(word)
            low = bare.lower()
            if found and low in after and low not in before.partition("from")[0]:
                return database_error(
                    "OperationalError", 1054, f"Unknown column '{name}' in '{clause}'"
                )
        return database_error("OperationalError", 1054, f"Unknown column '{name}' in 'SELECT'")
    if match := re.match(r"ambiguous column name: (.+)", text):
        ordered = match[1] in shown.rpartition(" order by ")[2]
        clause = "ORDER BY" if ordered else "SELECT"
        told = f"Column '{match[1]}' in {clause} is ambiguous"
        return database_error("OperationalError", 1052, told)
    if match := re.match(r"no such table: tab(.+)", text):
        return no_table(match[1])
    if match := re.match(r"no such function: (.+)", text):
        return database_error(
            "OperationalError", 1305, f"FUNCTION {DATABASE}.{match[1]} does not exist"
        )
    if match := re.match(r'near "(.+)": syntax error', text):
        return syntax_error(shown, shown.rfind(match[1]))
    if "misuse of aggregate" in text:
        return database_error("OperationalError", 1111, "Invalid use of group function")
    return syntax_error(shown, len(shown))


def no_table(doctype: str) -> Refusal:
    told = f"Table '{DATABASE}.tab{doctype}' doesn't exist"
    return database_error("ProgrammingError", 1146, told)


def syntax_error(shown: str, position: int) -> Refusal:
    """MariaDB quotes the query from where it could not go on, and the number of that line."""
    line = shown.count("\n", 0, max(position, 0)) + 1
    refusal = database_error(
        "ProgrammingError",
        1064,
        "You have an error in your SQL syntax; check the manual that corresponds to your MariaDB"
        f" server version for the right syntax to use near '{shown[position:][:80].rstrip()}'"
        f" at line {line}",
    )
    refusal.debug = f"Syntax error in query:\n{shown} "
    return refusal
