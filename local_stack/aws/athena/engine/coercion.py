"""Implicit conversions: an expression of one type where another is wanted."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from local_stack.aws.athena.engine.errors import Position, type_mismatch
from local_stack.aws.athena.engine.typed import Typed, combine, failure
from local_stack.aws.athena.engine.types import Kind, SqlType, common_type, text

_EXACT_DOUBLE = 2**53
"""Whole numbers up to here are exact in a double."""

_EXACT_DIGITS = 15


def coerce(value: Typed, target: SqlType, position: Position | None = None) -> Typed:
    """The value as ``target``, if Athena converts it unasked.

    Raises:
        QueryError: TYPE_MISMATCH.
    """
    if value.type == target:
        return value
    if not coercible(value.type, target):
        raise type_mismatch(f"Cannot convert {value.type} to {target}", position)
    return convert(value, target)


def coercible(source: SqlType, target: SqlType) -> bool:
    """Whether Athena converts without being asked."""
    if source.kind is target.kind is Kind.VARCHAR:
        return target.precision is None or (source.precision or target.precision + 1) <= target.precision
    common = common_type(source, target)
    return common is not None and (common == target or common.duckdb == target.duckdb)


def convert(value: Typed, target: SqlType) -> Typed:
    """The value as a type that holds it: a conversion that loses nothing but a double's last digits."""
    source = value.type
    if source.duckdb == target.duckdb and source.kind is not Kind.UNKNOWN:
        return value.retyped(target)
    if source.kind is Kind.DECIMAL and target.is_floating:
        return _decimal_to_floating(value, target)
    converted = combine(f"CAST({value.sql} AS {target.duckdb})", target, value)
    return replace(converted, constant=value.constant)


def _decimal_to_floating(value: Typed, target: SqlType) -> Typed:
    """A decimal of up to 15 digits converts alike everywhere; of a wider one only small values do."""
    source = value.type
    cast = f"CAST({value.sql} AS {target.duckdb})"
    if isinstance(value.constant, Decimal) and target.kind is Kind.DOUBLE:
        literal = f"CAST({text(repr(float(value.constant)))} AS DOUBLE)"
        return replace(combine(literal, target, value), constant=float(value.constant))
    if (source.precision or 0) <= _EXACT_DIGITS:
        return combine(cast, target, value)
    limit = Decimal(_EXACT_DOUBLE).scaleb(-source.scale)
    refused = failure("NOT_SUPPORTED", text("this decimal as a double"), target)
    checked = f"CASE WHEN abs({value.sql}) > {limit:f} THEN {refused} ELSE {cast} END"
    return combine(checked, target, value, refusing=True)


def unify(values: list[Typed], what: str, position: Position | None = None) -> list[Typed]:
    """All values as their common type (``what`` names them in the message).

    Raises:
        QueryError: TYPE_MISMATCH where there is none.
    """
    common = values[0].type
    for value in values[1:]:
        wider = common_type(common, value.type)
        if wider is None:
            raise type_mismatch(
                f"{what} must be the same type or coercible to a common type. "
                f"Cannot find common type between {common} and {value.type}",
                position,
            )
        common = wider
    return [convert(value, common) if value.type != common else value for value in values]
