"""Dates and times in DuckDB's SQL: local parts of instants, rounding, text."""

from __future__ import annotations

from local_stack.aws.athena.engine.types import Kind, SqlType, text

MICROSECOND_DIGITS = 6


def local_time(sql: str, type_: SqlType) -> str:
    """The local date and time of an instant in its zone; other values as they are."""
    return f"timezone({text(type_.zone)}, {sql})" if type_.kind is Kind.TIMESTAMP_TZ else sql


def rounded_timestamp(sql: str, source: SqlType, target: SqlType) -> str:
    """A timestamp with the digits of ``target``: rounded half up where that has fewer."""
    kept, had = target.precision or 0, source.precision or 0
    if target.kind is Kind.DATE or source.kind is Kind.DATE or kept >= had:
        return sql
    unit = 10 ** (MICROSECOND_DIGITS - kept)
    shifted = f"epoch_us({sql}) + {unit // 2}"
    micros = f"(({shifted}) - ((({shifted}) % {unit}) + {unit}) % {unit})"
    return f"make_timestamp({micros})" if source.kind is Kind.TIMESTAMP else f"make_timestamptz({micros})"


def timestamp_text(sql: str, type_: SqlType) -> str:
    """As Athena writes it: ``2024-01-31 10:00:00.123`` and, for an instant, the zone behind it."""
    digits = type_.precision or 0
    local = local_time(sql, type_)
    seconds = f"strftime({local}, '%Y-%m-%d %H:%M:%S')"
    fraction = f" || '.' || substr(strftime({local}, '%f'), 1, {digits})" if digits else ""
    zone = f" || {text(' ' + type_.zone)}" if type_.kind is Kind.TIMESTAMP_TZ else ""
    return f"({seconds}{fraction}{zone})"
