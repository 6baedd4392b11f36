"""The functions of MariaDB that a list may ask for, where SQLite has none or means another."""

import hashlib
import random
import sqlite3
import zlib
from collections.abc import Callable
from typing import Any

from bascule.sandbox.core.values import cstr, moment, number


class _Sum:
    """Of integers too a decimal, which Frappe hands out as a float; of no row NULL."""

    def __init__(self) -> None:
        self.total = 0.0
        self.count = 0
        self.digits = 4

    def step(self, value: Any) -> None:
        if value is not None:
            self.total += number(value)
            self.count += 1
            if isinstance(value, float):
                self.digits = 13

    def finalize(self) -> float | None:
        return round(self.total, 9) if self.count else None


class _Average(_Sum):
    def finalize(self) -> float | None:
        return round(self.total / self.count, self.digits) if self.count else None


class _BitXor:
    """Of no row 0."""

    def __init__(self) -> None:
        self.bits = 0

    def step(self, value: Any) -> None:
        if value is not None:
            self.bits ^= int(number(value))

    def finalize(self) -> int:
        return self.bits


def _crc32(value: Any) -> int | None:
    return None if value is None else zlib.crc32(cstr(value).encode())


def _md5(value: Any) -> str | None:
    digest = hashlib.md5(cstr(value).encode(), usedforsecurity=False)
    return None if value is None else digest.hexdigest()


def _part(name: str) -> Any:
    def part(value: Any) -> int | None:
        read = moment(value)
        return None if read is None else int(getattr(read, name))

    return part


def _day_of_year(value: Any) -> int | None:
    read = moment(value)
    return None if read is None else read.timetuple().tm_yday


def _date(value: Any) -> str | None:
    read = moment(value)
    return None if read is None else str(read.date())


def _locate(part: Any, text: Any) -> int | None:
    if part is None or text is None:
        return None
    return str(text).casefold().find(str(part).casefold()) + 1


def _field(value: Any, *among: Any) -> int:
    """The place of a value among others, 0 if it is none of them."""
    texts = [cstr(one).casefold() for one in among]
    return texts.index(cstr(value).casefold()) + 1 if cstr(value).casefold() in texts else 0


def _bytes(value: Any) -> int | None:
    return None if value is None else len(cstr(value).encode())


def _joined(*values: Any) -> str | None:
    return None if None in values else "".join(map(cstr, values))


def _quarter(value: Any) -> int | None:
    read = moment(value)
    return None if read is None else (read.month + 2) // 3


def _month_name(value: Any) -> str | None:
    read = moment(value)
    return None if read is None else f"{read:%B}"


def _changed(change: Callable[[str], str]) -> Callable[[Any], str | None]:
    return lambda value: None if value is None else change(cstr(value))


def install(connection: sqlite3.Connection) -> None:
    connection.create_aggregate("sum", 1, _Sum)  # type: ignore[arg-type]
    connection.create_aggregate("avg", 1, _Average)  # type: ignore[arg-type]
    connection.create_aggregate("bit_xor", 1, _BitXor)
    connection.create_function("crc32", 1, _crc32, deterministic=True)
    connection.create_function("md5", 1, _md5, deterministic=True)
    for name in ("year", "month", "day", "hour", "minute", "second"):
        connection.create_function(name, 1, _part(name), deterministic=True)
    connection.create_function("dayofmonth", 1, _part("day"), deterministic=True)
    connection.create_function("dayofyear", 1, _day_of_year, deterministic=True)
    connection.create_function("date", 1, _date, deterministic=True)
    connection.create_function("locate", 2, _locate, deterministic=True)
    connection.create_function("field", -1, _field, deterministic=True)
    connection.create_function("length", 1, _bytes, deterministic=True)
    for name, change in (("upper", str.upper), ("ucase", str.upper), ("lower", str.lower)):
        connection.create_function(name, 1, _changed(change), deterministic=True)
    connection.create_function("lcase", 1, _changed(str.lower), deterministic=True)
    connection.create_function("char_length", 1, lambda text: len(cstr(text)), deterministic=True)
    connection.create_function("concat", -1, _joined, deterministic=True)
    connection.create_function("quarter", 1, _quarter, deterministic=True)
    connection.create_function("monthname", 1, _month_name, deterministic=True)
    connection.create_function("rand", 0, random.random)
    connection.create_function("if", 3, lambda test, yes, no: yes if test else no)
