"""SQL types as Athena (Trino) has them, and their names in DuckDB and in query results."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

UNBOUNDED = 2**31 - 1
"""Length of a varchar without one, as Athena reports it."""

MAX_PRECISION = 38
"""Digits of the widest decimal."""


class Kind(StrEnum):
    """The families of types, named as Trino names them."""

    UNKNOWN = "unknown"
    BOOLEAN = "boolean"
    TINYINT = "tinyint"
    SMALLINT = "smallint"
    INTEGER = "integer"
    BIGINT = "bigint"
    REAL = "real"
    DOUBLE = "double"
    DECIMAL = "decimal"
    VARCHAR = "varchar"
    VARBINARY = "varbinary"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIMESTAMP_TZ = "timestamp with time zone"
    DAY_INTERVAL = "interval day to second"
    YEAR_INTERVAL = "interval year to month"
    ARRAY = "array"
    MAP = "map"
    ROW = "row"


@dataclass(frozen=True)
class SqlType:
    """One SQL type.

    ``precision`` is a decimal's digits, a varchar's length or a timestamp's fractional digits;
    ``items`` an array's element, a map's key and value, or a row's fields, whose ``names`` run beside
    them (None: anonymous). ``zone`` is the zone in which a timestamp with time zone is shown: it is
    known when the statement is compiled, since values are instants.
    """

    kind: Kind
    precision: int | None = None
    scale: int = 0
    items: tuple[SqlType, ...] = ()
    names: tuple[str | None, ...] = ()
    zone: str = "UTC"

    def __str__(self) -> str:
        match self.kind:
            case Kind.DECIMAL:
                return f"decimal({self.precision},{self.scale})"
            case Kind.VARCHAR if self.precision is not None:
                return f"varchar({self.precision})"
            case Kind.TIMESTAMP:
                return f"timestamp({self.precision})"
            case Kind.TIMESTAMP_TZ:
                return f"timestamp({self.precision}) with time zone"
            case Kind.ARRAY | Kind.MAP:
                return f"{self.kind}({', '.join(map(str, self.items))})"
            case Kind.ROW:
                fields = (
                    f"{name} {item}" if name else str(item)
                    for name, item in zip(self.names, self.items, strict=True)
                )
                return f"row({', '.join(fields)})"
        return self.kind.value

    @property
    def duckdb(self) -> str:
        """The DuckDB type that holds the values."""
        match self.kind:
            case Kind.DECIMAL:
                return f"DECIMAL({self.precision},{self.scale})"
            case Kind.ARRAY:
                return f"{self.items[0].duckdb}[]"
            case Kind.MAP:
                return f"MAP({self.items[0].duckdb}, {self.items[1].duckdb})"
            case Kind.ROW:
                fields = zip(self.field_names, self.items, strict=True)
                return f"STRUCT({', '.join(f'{quote(name)} {item.duckdb}' for name, item in fields)})"
        return _DUCKDB[self.kind]

    @property
    def field_names(self) -> tuple[str, ...]:
        """A row's field names; an anonymous one is named by its place, as Athena prints it."""
        return tuple(name or f"field{index}" for index, name in enumerate(self.names))

    @property
    def is_integer(self) -> bool:
        """Whether values are whole numbers of fixed size."""
        return self.kind in _INTEGERS

    @property
    def is_numeric(self) -> bool:
        """Whether arithmetic applies."""
        return self.is_integer or self.kind in (Kind.REAL, Kind.DOUBLE, Kind.DECIMAL)

    @property
    def is_floating(self) -> bool:
        """Whether values may be NaN or infinite."""
        return self.kind in (Kind.REAL, Kind.DOUBLE)

    @property
    def is_temporal(self) -> bool:
        """Whether values are dates or timestamps."""
        return self.kind in (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMP_TZ)

    @property
    def is_nested(self) -> bool:
        """Whether values hold values."""
        return bool(self.items) or self.kind is Kind.ROW

    @property
    def is_interval(self) -> bool:
        """Whether values are intervals."""
        return self.kind in (Kind.DAY_INTERVAL, Kind.YEAR_INTERVAL)


UNKNOWN = SqlType(Kind.UNKNOWN)
BOOLEAN = SqlType(Kind.BOOLEAN)
TINYINT = SqlType(Kind.TINYINT)
SMALLINT = SqlType(Kind.SMALLINT)
INTEGER = SqlType(Kind.INTEGER)
BIGINT = SqlType(Kind.BIGINT)
REAL = SqlType(Kind.REAL)
DOUBLE = SqlType(Kind.DOUBLE)
VARCHAR = SqlType(Kind.VARCHAR)
VARBINARY = SqlType(Kind.VARBINARY)
DATE = SqlType(Kind.DATE)
DAY_INTERVAL = SqlType(Kind.DAY_INTERVAL)
YEAR_INTERVAL = SqlType(Kind.YEAR_INTERVAL)

_INTEGERS = (Kind.TINYINT, Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT)
_INTEGER_DIGITS = {Kind.TINYINT: 3, Kind.SMALLINT: 5, Kind.INTEGER: 10, Kind.BIGINT: 19}
_NUMERIC_ORDER = (*_INTEGERS, Kind.DECIMAL, Kind.REAL, Kind.DOUBLE)
_TEMPORAL_ORDER = (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMP_TZ)
_DUCKDB = {
    Kind.UNKNOWN: "INTEGER",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.TINYINT: "TINYINT",
    Kind.SMALLINT: "SMALLINT",
    Kind.INTEGER: "INTEGER",
    Kind.BIGINT: "BIGINT",
    Kind.REAL: "FLOAT",
    Kind.DOUBLE: "DOUBLE",
    Kind.VARCHAR: "VARCHAR",
    Kind.VARBINARY: "BLOB",
    Kind.DATE: "DATE",
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.TIMESTAMP_TZ: "TIMESTAMPTZ",
    Kind.DAY_INTERVAL: "INTERVAL",
    Kind.YEAR_INTERVAL: "INTERVAL",
}


def decimal(precision: int, scale: int) -> SqlType:
    """A decimal of at most 38 digits."""
    return SqlType(Kind.DECIMAL, min(precision, MAX_PRECISION), scale)


def varchar(length: int | None) -> SqlType:
    """A varchar of at most ``length`` characters."""
    return SqlType(Kind.VARCHAR, length)


def timestamp(precision: int) -> SqlType:
    """A local date and time with so many fractional digits of a second (up to 6)."""
    return SqlType(Kind.TIMESTAMP, precision)


def timestamp_tz(precision: int, zone: str = "UTC") -> SqlType:
    """An instant, shown in ``zone``."""
    return SqlType(Kind.TIMESTAMP_TZ, precision, zone=zone)


def array(element: SqlType) -> SqlType:
    """A list of values of one type."""
    return SqlType(Kind.ARRAY, items=(element,))


def row(names: tuple[str | None, ...], items: tuple[SqlType, ...]) -> SqlType:
    """A struct."""
    return SqlType(Kind.ROW, items=items, names=names)


def map_of(key: SqlType, value: SqlType) -> SqlType:
    """A map."""
    return SqlType(Kind.MAP, items=(key, value))


def as_decimal(type_: SqlType) -> SqlType:
    """The decimal that holds every value of an integer type; a decimal itself."""
    return type_ if type_.kind is Kind.DECIMAL else decimal(_INTEGER_DIGITS[type_.kind], 0)


def common_type(left: SqlType, right: SqlType) -> SqlType | None:
    """The type to which Trino coerces both, or None where it has none."""
    if left == right:
        return left
    if left.kind is Kind.UNKNOWN or right.kind is Kind.UNKNOWN:
        return right if left.kind is Kind.UNKNOWN else left
    if left.is_numeric and right.is_numeric:
        return _common_numeric(left, right)
    if left.is_temporal and right.is_temporal:
        return _common_temporal(left, right)
    if left.kind is right.kind is Kind.VARCHAR:
        unbounded = left.precision is None or right.precision is None
        return VARCHAR if unbounded else varchar(max(left.precision or 0, right.precision or 0))
    if left.kind is right.kind and left.items and len(left.items) == len(right.items):
        items = [common_type(a, b) for a, b in zip(left.items, right.items, strict=True)]
        known = tuple(item for item in items if item is not None)
        names = tuple(a if a == b else None for a, b in zip(left.names, right.names, strict=True))
        return SqlType(left.kind, items=known, names=names) if len(known) == len(items) else None
    return None


def _common_numeric(left: SqlType, right: SqlType) -> SqlType:
    wider = max(left.kind, right.kind, key=_NUMERIC_ORDER.index)
    if wider is not Kind.DECIMAL:
        return SqlType(wider)
    a, b = as_decimal(left), as_decimal(right)
    scale = max(a.scale, b.scale)
    whole = max((a.precision or 0) - a.scale, (b.precision or 0) - b.scale)
    return decimal(whole + scale, scale)


def _common_temporal(left: SqlType, right: SqlType) -> SqlType | None:
    wider = max(left.kind, right.kind, key=_TEMPORAL_ORDER.index)
    zones = {type_.zone for type_ in (left, right) if type_.kind is Kind.TIMESTAMP_TZ}
    if len(zones) > 1:
        return None
    return SqlType(wider, max(left.precision or 0, right.precision or 0), zone=(zones or {"UTC"}).pop())


def quote(identifier: str) -> str:
    """An identifier for DuckDB."""
    escaped = identifier.replace('"', '""')
    return f'"{escaped}"'


def text(value: str) -> str:
    """A string literal for DuckDB."""
    escaped = value.replace("'", "''")
    return f"'{escaped}'"
