"""Values as Athena writes them in results."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from local_stack.aws.athena.engine.types import Kind, SqlType

Writer = Callable[[Any], str]


def writer(type_: SqlType) -> Writer:
    """A function from a value, not NULL, as Arrow gives it, to its text.

    >>> from local_stack.aws.athena.engine import types
    >>> writer(types.DOUBLE)(1e10), writer(types.array(types.BOOLEAN))([True, None])
    ('1.0E10', '[true, null]')
    """
    match type_.kind:
        case Kind.BOOLEAN:
            return lambda value: "true" if value else "false"
        case Kind.DOUBLE:
            return lambda value: java_double(repr(value))
        case Kind.REAL:
            return lambda value: java_double(_shortest_float(value))
        case Kind.DECIMAL:
            return lambda value: f"{value:.{type_.scale}f}"
        case Kind.TIMESTAMP:
            return lambda value: _timestamp(value, type_.precision or 0)
        case Kind.TIMESTAMP_TZ:
            return _instant_writer(type_)
        case Kind.VARBINARY:
            return lambda value: " ".join(f"{byte:02x}" for byte in value)
        case Kind.ARRAY:
            write = nullable(writer(type_.items[0]))
            return lambda value: f"[{', '.join(map(write, value))}]"
        case Kind.MAP:
            key, item = (nullable(writer(part)) for part in type_.items)
            return lambda value: "{" + ", ".join(f"{key(k)}={item(v)}" for k, v in value) + "}"
        case Kind.ROW:
            return _row_writer(type_)
    return str


def nullable(write: Writer) -> Writer:
    """Inside arrays, maps and rows NULL is a word."""
    return lambda value: "null" if value is None else write(value)


def _row_writer(type_: SqlType) -> Writer:
    fields = [
        (name, nullable(writer(item))) for name, item in zip(type_.field_names, type_.items, strict=True)
    ]
    return lambda value: "{" + ", ".join(f"{name}={write(value[name])}" for name, write in fields) + "}"


def _instant_writer(type_: SqlType) -> Writer:
    zone = UTC if type_.zone == "UTC" else ZoneInfo(type_.zone)
    return lambda value: f"{_timestamp(value.astimezone(zone), type_.precision or 0)} {type_.zone}"


def _timestamp(value: datetime, precision: int) -> str:
    seconds = value.replace(tzinfo=None, microsecond=0).isoformat(sep=" ")
    return f"{seconds}.{value.microsecond:06d}"[: len(seconds) + 1 + precision] if precision else seconds


def java_double(written: str) -> str:
    """Java's form of a number's shortest digits, as Python writes them.

    >>> [java_double(repr(x)) for x in (0.1, 100.0, 1e7, 12345678.9, 1.5e-05, float("-inf"))]
    ['0.1', '100.0', '1.0E7', '1.23456789E7', '1.5E-5', '-Infinity']
    """
    special = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(written)
    if special:
        return special
    sign = "-" if written.startswith("-") else ""
    mantissa, _, exponent = written.removeprefix("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return f"{sign}0.0"
    # The value is 0.DIGITS times ten to this power.
    power = int(exponent or 0) + len(whole) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if len(digits) == 1:
        # Java writes two digits, which for the smallest numbers are not d.0: 4.9E-324.
        digits = f"{float(written):.1e}".removeprefix("-").replace(".", "")[:2].rstrip("0")
    if -3 < power <= 7:
        padded = digits.ljust(power, "0") if power > 0 else "0" * (1 - power) + digits
        place = max(power, 1)
        return f"{sign}{padded[:place]}.{padded[place:] or '0'}"
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{power - 1}"


def _shortest_float(value: float) -> str:
    """The fewest digits that give the same 32 bit number."""
    if value != value or value in (float("inf"), float("-inf")):
        return repr(value)
    packed = struct.pack("f", value)
    for digits in range(1, 10):
        written = f"{value:.{digits}g}"
        if struct.pack("f", float(written)) == packed:
            return repr(float(written))
    return repr(value)
