"""CAST and TRY_CAST. What DuckDB casts more freely than Athena is checked first."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlglot import exp

from local_stack.aws.athena.engine import types
from local_stack.aws.athena.engine.coercion import convert
from local_stack.aws.athena.engine.compiler import Compiler, handles
from local_stack.aws.athena.engine.errors import not_supported, type_mismatch
from local_stack.aws.athena.engine.temporal import local_time, rounded_timestamp, timestamp_text
from local_stack.aws.athena.engine.typed import Typed, combine, failure
from local_stack.aws.athena.engine.typenames import type_of
from local_stack.aws.athena.engine.types import Kind, SqlType, quote, text

_TIMESTAMP = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?: (\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?)?(?: ?([A-Za-z][\w/+-]*))?"
)
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_ODD_NUMBER = r"\s.*|.*\s|[+-]?0[xX].*|.*[0-9.][dDfF]"
_ODD_TIME = r"\s*[+-]?[0-9]+-[0-9]+-[0-9]+.*"
"""What Java may read and DuckDB not: refused, even in TRY_CAST."""


@handles(exp.Cast, exp.TryCast, args="this to safe")
def cast_node(compiler: Compiler, node: exp.Expr) -> Typed:
    """``CAST(x AS type)``, ``TRY_CAST(x AS type)``, and typed literals such as ``DATE '2024-01-01'``."""
    target = type_of(node.args["to"], compiler.position(node))
    value = compiler.compile(node.this)
    safe = isinstance(node, exp.TryCast)
    if isinstance(value.constant, str) and target.is_temporal:
        literal = _temporal_literal(compiler, node, value.constant, target)
        if literal is not None:
            return literal
    caster = _Caster(safe)
    sql = caster.cast(value.sql, value.type, target)
    if sql is None:
        raise type_mismatch(f"Cannot cast {value.type} to {target}", compiler.position(node))
    if caster.unsupported:
        raise not_supported(caster.unsupported, compiler.position(node))
    if target.kind is Kind.TIMESTAMP_TZ and value.type.kind is Kind.TIMESTAMP_TZ:
        target = types.timestamp_tz(target.precision or 0, value.type.zone)
    cast = combine(sql, target, value, refusing=caster.refusing)
    return convert(value, target) if value.constant is not None and value.type == target else cast


def _temporal_literal(compiler: Compiler, node: exp.Expr, written: str, target: SqlType) -> Typed | None:
    """A literal date or time as a constant, so that it prunes partitions; None if it is not one."""
    match = _TIMESTAMP.fullmatch(written)
    if match is None:
        return None
    day, minutes, seconds, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day} {minutes or '00:00'}:{seconds or '00'}")
        zone_info = ZoneInfo(zone) if zone else None
    except (ValueError, ZoneInfoNotFoundError):
        return None
    moment = moment.replace(microsecond=int((fraction or "").ljust(6, "0")))
    if target.kind is Kind.DATE:
        return None if minutes or zone else Typed(f"CAST('{day}' AS DATE)", target)
    if len((fraction or "").rstrip("0")) > (target.precision or 0):
        raise not_supported(f"rounding the literal '{written}' to {target}", compiler.position(node))
    if target.kind is Kind.TIMESTAMP:
        return None if zone else Typed(f"CAST('{moment.isoformat(sep=' ')}' AS TIMESTAMP)", target)
    instant = moment.replace(tzinfo=zone_info or ZoneInfo("UTC")).astimezone(ZoneInfo("UTC"))
    shown = types.timestamp_tz(target.precision or 0, zone or "UTC")
    return Typed(f"CAST('{instant.isoformat(sep=' ')}' AS TIMESTAMPTZ)", shown)


@dataclass
class _Caster:
    """Builds the SQL of one cast; ``safe`` makes NULL of what cannot be cast."""

    safe: bool
    refusing: bool = False
    unsupported: str | None = None

    def cast(self, sql: str, source: SqlType, target: SqlType) -> str | None:
        """SQL of the cast value, None where Athena has no such cast."""
        if source == target:
            return sql
        if source.kind is Kind.UNKNOWN:
            return f"CAST(NULL AS {target.duckdb})"
        if source.is_nested or target.is_nested:
            return self._nested(sql, source, target)
        builders: dict[Kind, Callable[[str, SqlType, SqlType], str | None]] = {
            Kind.BOOLEAN: self._to_boolean,
            Kind.DECIMAL: self._to_number,
            Kind.REAL: self._to_number,
            Kind.DOUBLE: self._to_number,
            Kind.VARCHAR: self._to_varchar,
            Kind.DATE: self._to_temporal,
            Kind.TIMESTAMP: self._to_temporal,
            Kind.TIMESTAMP_TZ: self._to_temporal,
        }
        build = self._to_integer if target.is_integer else builders.get(target.kind)
        return build(sql, source, target) if build else None

    def _plain(self, sql: str, target: SqlType) -> str:
        return f"{'TRY_CAST' if self.safe else 'CAST'}({sql} AS {target.duckdb})"

    def _fail(self, message_sql: str, target: SqlType) -> str:
        return (
            f"CAST(NULL AS {target.duckdb})"
            if self.safe
            else failure("INVALID_CAST_ARGUMENT", message_sql, target)
        )

    def _invalid(self, sql: str, source: SqlType, target: SqlType) -> str:
        if target.is_temporal:
            return self._fail(f"({text(f'Value cannot be cast to {target.kind}: ')} || {sql})", target)
        mark = "'" if source.kind is Kind.VARCHAR else ""
        suffix = f"{mark} to {str(target).upper()}"
        return self._fail(f"({text(f'Cannot cast {mark}')} || {sql} || {text(suffix)})", target)

    def _to_boolean(self, sql: str, source: SqlType, target: SqlType) -> str | None:
        if source.kind is Kind.VARCHAR:
            lowered = f"lower({sql})"
            return (
                f"(CASE WHEN {lowered} IN ('t', 'true', '1') THEN TRUE "
                f"WHEN {lowered} IN ('f', 'false', '0') THEN FALSE "
                f"WHEN {sql} IS NULL THEN NULL ELSE {self._invalid(sql, source, target)} END)"
            )
        return f"({sql} <> 0)" if source.is_numeric else None

    def _to_integer(self, sql: str, source: SqlType, target: SqlType) -> str | None:
        if source.kind is Kind.BOOLEAN or source.is_integer or source.kind is Kind.DECIMAL:
            return self._plain(sql, target)
        if source.is_floating:
            return self._plain(f"round({sql})", target)
        if source.kind is Kind.VARCHAR:
            valid = f"regexp_full_match({sql}, '[+-]?[0-9]+')"
            return self._guarded(sql, valid, self._plain(sql, target), source, target)
        return None

    def _to_number(self, sql: str, source: SqlType, target: SqlType) -> str | None:
        if source.kind is Kind.DECIMAL and target.is_floating:
            converted = convert(Typed(sql, source), target)
            self.refusing = self.refusing or converted.refusing
            return converted.sql
        if source.is_floating and target.kind is Kind.DECIMAL:
            return self._plain(f"CAST({sql} AS VARCHAR)", target)
        if source.kind is Kind.BOOLEAN or source.is_numeric:
            return self._plain(sql, target)
        if source.kind is not Kind.VARCHAR:
            return None
        valid = f"regexp_full_match({sql}, {text(_NUMBER)})"
        if target.kind is Kind.DECIMAL:
            return self._guarded(sql, valid, self._plain(sql, target), source, target)
        self.refusing = True
        odd = f"regexp_full_match({sql}, {text(_ODD_NUMBER)})"
        refused = failure("NOT_SUPPORTED", f"('the number ' || {sql})", target)
        special = f"({sql} IN ('NaN', 'Infinity', '+Infinity', '-Infinity'))"
        inner = self._guarded(sql, f"({valid} OR {special})", self._plain(sql, target), source, target)
        return f"(CASE WHEN {odd} THEN {refused} ELSE {inner} END)"

    def _guarded(self, sql: str, valid: str, cast: str, source: SqlType, target: SqlType) -> str:
        return (
            f"(CASE WHEN {sql} IS NULL OR {valid} THEN {cast} ELSE {self._invalid(sql, source, target)} END)"
        )

    def _to_varchar(self, sql: str, source: SqlType, target: SqlType) -> str | None:
        length = target.precision
        if source.kind is Kind.VARCHAR:
            return sql if length is None else f"substr({sql}, 1, {length})"
        if source.is_floating:
            written = f"athena_double_text({sql})"
        elif source.kind in (Kind.TIMESTAMP, Kind.TIMESTAMP_TZ):
            written = timestamp_text(sql, source)
        elif source.is_numeric or source.kind in (Kind.BOOLEAN, Kind.DATE):
            written = f"CAST({sql} AS VARCHAR)"
        else:
            return None
        if length is None:
            return written
        too_long = self._fail(f"('Value ' || {written} || ' cannot be represented as {target}')", target)
        return f"(CASE WHEN length({written}) > {length} THEN {too_long} ELSE {written} END)"

    def _to_temporal(self, sql: str, source: SqlType, target: SqlType) -> str | None:
        if source.kind is Kind.VARCHAR:
            return self._text_to_temporal(sql, source, target)
        if not source.is_temporal:
            return None
        if source.kind is target.kind:
            return rounded_timestamp(sql, source, target)
        if target.kind is Kind.TIMESTAMP_TZ:
            return f"CAST({rounded_timestamp(sql, source, target)} AS TIMESTAMPTZ)"
        local = local_time(sql, source) if source.kind is Kind.TIMESTAMP_TZ else sql
        return (
            f"CAST({local} AS DATE)"
            if target.kind is Kind.DATE
            else rounded_timestamp(f"CAST({local} AS TIMESTAMP)", source, target)
        )

    def _text_to_temporal(self, sql: str, source: SqlType, target: SqlType) -> str | None:
        if target.kind is Kind.TIMESTAMP_TZ:
            self.unsupported = "CAST of a computed string to timestamp with time zone"
            return sql
        self.refusing = True
        valid = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
        if target.kind is Kind.TIMESTAMP:
            valid += (
                f"( [0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}(\\.[0-9]{{1,{max(target.precision or 0, 1)}}})?)?)?"
            )
        cast = self._guarded(
            sql, f"regexp_full_match({sql}, {text(valid)})", self._plain(sql, target), source, target
        )
        unusual = (
            f"regexp_full_match({sql}, {text(_ODD_TIME)}) AND NOT regexp_full_match({sql}, {text(valid)})"
        )
        refused = failure("NOT_SUPPORTED", f"('the {target.kind} written as ' || {sql})", target)
        return f"(CASE WHEN {unusual} THEN {refused} ELSE {cast} END)"

    def _nested(self, sql: str, source: SqlType, target: SqlType) -> str | None:
        if source.kind is not target.kind or len(source.items) != len(target.items):
            return None
        if source.kind is Kind.ARRAY:
            element = self.cast("e", source.items[0], target.items[0])
            return None if element is None else f"list_transform({sql}, lambda e: {element})"
        if source.kind is Kind.ROW:
            fields = []
            for name, new_name, old, new in zip(
                source.field_names, target.field_names, source.items, target.items, strict=True
            ):
                value = self.cast(f"{sql}.{quote(name)}", old, new)
                if value is None:
                    return None
                fields.append(f"{quote(new_name)} := {value}")
            return f"(CASE WHEN {sql} IS NULL THEN NULL ELSE struct_pack({', '.join(fields)}) END)"
        self.unsupported = "CAST of a map"
        return sql
