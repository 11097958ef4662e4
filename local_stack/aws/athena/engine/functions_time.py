"""Functions of dates and timestamps."""

from __future__ import annotations

from zoneinfo import available_timezones

from sqlglot import exp

from local_stack.aws.athena.engine import types
from local_stack.aws.athena.engine.calls import Call, scalar
from local_stack.aws.athena.engine.compiler import Compiler, handles
from local_stack.aws.athena.engine.errors import QueryError
from local_stack.aws.athena.engine.temporal import local_time
from local_stack.aws.athena.engine.time_formats import from_java_pattern, from_mysql_format
from local_stack.aws.athena.engine.typed import Typed, combine
from local_stack.aws.athena.engine.types import Kind, SqlType, text

BIGINT, DOUBLE, VARCHAR, DATE = types.BIGINT, types.DOUBLE, types.VARCHAR, types.DATE

_DATE_UNITS = ("day", "week", "month", "quarter", "year")
_TIME_UNITS = ("millisecond", "second", "minute", "hour")
_PARTS = {
    "year": "year",
    "quarter": "quarter",
    "month": "month",
    "week": "week",
    "week_of_year": "week",
    "year_of_week": "isoyear",
    "yow": "isoyear",
    "day": "day",
    "day_of_month": "day",
    "day_of_week": "isodow",
    "dow": "isodow",
    "day_of_year": "dayofyear",
    "doy": "dayofyear",
}
_TIME_PARTS = {"hour": "hour", "minute": "minute", "second": "second"}


@handles(exp.CurrentDate, args="")
def current_date(compiler: Compiler, _: exp.Expr) -> Typed:
    """Today in UTC, when the statement started."""
    return Typed(f"CAST('{compiler.statement.started.date().isoformat()}' AS DATE)", DATE)


@handles(exp.CurrentTimestamp, args="")
def current_timestamp(compiler: Compiler, _: exp.Expr) -> Typed:
    """When the statement started."""
    return _started(compiler, types.timestamp_tz(3))


@handles(exp.Localtimestamp, args="")
def local_timestamp(compiler: Compiler, _: exp.Expr) -> Typed:
    """When the statement started, in UTC without a zone."""
    return _started(compiler, types.timestamp(3))


@scalar("now")
def now(call: Call) -> Typed:
    """When the statement started."""
    call.arity(0)
    return _started(call.compiler, types.timestamp_tz(3))


def _started(compiler: Compiler, type_: SqlType) -> Typed:
    moment = compiler.statement.started.replace(tzinfo=None)
    suffix = "+00" if type_.kind is Kind.TIMESTAMP_TZ else ""
    written = moment.isoformat(sep=" ", timespec="milliseconds")
    return Typed(f"CAST('{written}{suffix}' AS {type_.duckdb})", type_)


@scalar(*_PARTS)
def date_part(call: Call) -> Typed:
    """A part of a date; weeks and their days are ISO's."""
    call.arity(1)
    value = call.moment(0)
    return call.result(f"{_PARTS[call.name]}({local_time(value.sql, value.type)})", BIGINT)


@scalar(*_TIME_PARTS)
def time_part(call: Call) -> Typed:
    """A part of the time of day."""
    call.arity(1)
    value = call.moment(0)
    if value.type.kind is Kind.DATE:
        raise call.unexpected()
    return call.result(f"{_TIME_PARTS[call.name]}({local_time(value.sql, value.type)})", BIGINT)


@scalar("millisecond")
def millisecond(call: Call) -> Typed:
    """Milliseconds of the second."""
    call.arity(1)
    value = call.moment(0)
    if value.type.kind is Kind.DATE:
        raise call.unexpected()
    return call.result(f"(millisecond({local_time(value.sql, value.type)}) % 1000)", BIGINT)


@scalar("date")
def date(call: Call) -> Typed:
    """The date of a timestamp, or of a string: CAST(x AS date)."""
    call.arity(1)
    node = exp.Cast(this=call.node.expressions[0], to=exp.DataType(this=exp.DType.DATE))
    return call.compiler.compile(node)


def _unit(call: Call, value: SqlType) -> str:
    unit = call.literal_text(0).lower()
    kind = "DATE" if value.kind is Kind.DATE else "TIMESTAMP"
    if unit not in _DATE_UNITS and (unit not in _TIME_UNITS or kind == "DATE"):
        raise QueryError("INVALID_FUNCTION_ARGUMENT", f"'{unit}' is not a valid {kind} field", call.position)
    if value.kind is Kind.TIMESTAMP_TZ and value.zone != "UTC":
        raise call.unsupported("in a time zone other than UTC")
    return unit


@scalar("date_trunc")
def date_trunc(call: Call) -> Typed:
    """The beginning of the unit; weeks begin on Monday."""
    call.arity(2)
    value = call.moment(1)
    unit = _unit(call, value.type)
    truncated = f"date_trunc({text(unit)}, {value.sql})"
    return call.result(f"CAST({truncated} AS {value.type.duckdb})", value.type)


@scalar("date_add")
def date_add(call: Call) -> Typed:
    """Moved by so many units; a month's last day stays within the month."""
    call.arity(3)
    value, amount = call.moment(2), call.as_type(1, BIGINT)
    unit = _unit(call, value.type)
    if unit == "millisecond" and (value.type.precision or 0) < 3:
        raise call.unsupported(f"of milliseconds to {value.type}")
    function = {"quarter": "to_months", "week": "to_days"}.get(unit, f"to_{unit}s")
    factor = {"quarter": 3, "week": 7}.get(unit, 1)
    width = "BIGINT" if unit in _TIME_UNITS else "INTEGER"
    delta = f"{function}(CAST({amount.sql} * {factor} AS {width}))"
    return call.result(f"CAST({value.sql} + {delta} AS {value.type.duckdb})", value.type)


@scalar("date_diff")
def date_diff(call: Call) -> Typed:
    """How many whole units lie between: a day is 24 hours, a month ends on its day or its last."""
    call.arity(3)
    first, second = call.moment(1), call.moment(2)
    common = types.common_type(first.type, second.type)
    if common is None:
        raise call.unsupported("between time zones")
    unit = _unit(call, common)
    a, b = (_whole_milliseconds(call.as_type(index, common)) for index in (1, 2))
    return call.result(f"date_sub({text(unit)}, {a}, {b})", BIGINT)


def _whole_milliseconds(value: Typed) -> str:
    """Athena counts in milliseconds."""
    if value.type.kind is Kind.DATE or (value.type.precision or 0) <= 3:
        return value.sql
    return f"date_trunc('millisecond', {value.sql})"


@scalar("from_unixtime")
def from_unixtime(call: Call) -> Typed:
    """The instant so many seconds after 1970-01-01 UTC, to the millisecond, shown in UTC or a given zone."""
    call.arity(1, 2)
    seconds = call.as_type(0, DOUBLE)
    zone = _zone(call, 1) if len(call.args) == 2 else "UTC"
    whole = call.args[0].type.is_integer
    millis = (
        f"CAST({call.args[0].sql} AS BIGINT) * 1000"
        if whole
        else f"CAST(floor({seconds.sql} * 1000 + 0.5::DOUBLE) AS BIGINT)"
    )
    return call.result(f"make_timestamptz(({millis}) * 1000)", types.timestamp_tz(3, zone))


@scalar("to_unixtime")
def to_unixtime(call: Call) -> Typed:
    """Seconds since 1970-01-01 UTC."""
    call.arity(1)
    value = call.moment(0)
    if value.type.kind is Kind.DATE:
        value = call.as_type(0, types.timestamp(3))
    if (value.type.precision or 0) > 3:
        raise call.unsupported(f"of {value.type}: its last digits may differ")
    return call.result(f"(CAST(epoch_ms({value.sql}) AS DOUBLE) / 1000)", DOUBLE)


@scalar("at_timezone")
def at_timezone(call: Call) -> Typed:
    """The same instant, shown in a zone."""
    call.arity(2)
    value = call.moment(0)
    if value.type.kind is Kind.DATE:
        raise call.unexpected()
    value = call.as_type(0, types.timestamp_tz(value.type.precision or 0, value.type.zone))
    return combine(value.sql, types.timestamp_tz(value.type.precision or 0, _zone(call, 1)), value)


def _zone(call: Call, index: int) -> str:
    zone = call.literal_text(index)
    if zone not in available_timezones():
        message = f"'{zone}' is not a valid time zone"
        if zone[:1] in "+-":
            raise call.unsupported(f"with the offset {zone}")
        raise QueryError("INVALID_FUNCTION_ARGUMENT", message, call.position)
    return zone


@scalar("date_format")
def date_format(call: Call) -> Typed:
    """Text by MySQL's specifiers, such as ``%Y-%m-%d %H:%i:%s``."""
    return _formatted(call, from_mysql_format(call.literal_text(1), call.position))


@scalar("format_datetime")
def format_datetime(call: Call) -> Typed:
    """Text by Java's letters, such as ``yyyy-MM-dd``."""
    return _formatted(call, from_java_pattern(call.literal_text(1), call.position))


def _formatted(call: Call, pieces: list[str]) -> Typed:
    call.arity(2)
    value = call.moment(0)
    local = local_time(
        f"CAST({value.sql} AS TIMESTAMP)" if value.type.kind is Kind.DATE else value.sql, value.type
    )
    sql = " || ".join(piece.replace("?", local) for piece in pieces) or "''"
    return call.result(f"(CASE WHEN {value.sql} IS NOT NULL THEN {sql} END)", VARCHAR)


@scalar("to_iso8601")
def to_iso8601(call: Call) -> Typed:
    """ISO 8601 text of a date."""
    call.arity(1)
    if call.moment(0).type.kind is not Kind.DATE:
        raise call.unsupported("of timestamps")
    return call.result(f"CAST({call.args[0].sql} AS VARCHAR)", types.varchar(16))


@scalar("last_day_of_month")
def last_day_of_month(call: Call) -> Typed:
    """The last date of the month."""
    call.arity(1)
    value = call.moment(0)
    return call.result(f"last_day({local_time(value.sql, value.type)})", DATE)
