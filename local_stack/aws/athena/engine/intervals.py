"""Intervals, and dates and timestamps moved by them."""

from __future__ import annotations

from sqlglot import exp

from local_stack.aws.athena.engine import types
from local_stack.aws.athena.engine.compiler import Compiler, handles
from local_stack.aws.athena.engine.errors import QueryError, not_supported, type_mismatch
from local_stack.aws.athena.engine.typed import Typed, combine
from local_stack.aws.athena.engine.types import Kind

_DAY_UNITS = {"DAY": "days", "HOUR": "hours", "MINUTE": "minutes", "SECOND": "seconds"}
_YEAR_UNITS = {"YEAR": "years", "MONTH": "months"}


@handles(exp.Interval, args="this unit")
def interval(compiler: Compiler, node: exp.Expr) -> Typed:
    """``INTERVAL '2' DAY``: a whole number of one unit."""
    unit = str(node.args["unit"].name).upper()
    written = str(node.this.name)
    if isinstance(node.args["unit"], exp.IntervalSpan) or unit not in _DAY_UNITS | _YEAR_UNITS:
        raise not_supported(f"an interval of {node.args['unit'].sql()}", compiler.position(node.this))
    if not written.removeprefix("-").isdecimal():
        raise QueryError(
            "INVALID_LITERAL", f"Invalid INTERVAL {unit} value: {written}", compiler.position(node.this)
        )
    type_ = types.YEAR_INTERVAL if unit in _YEAR_UNITS else types.DAY_INTERVAL
    function = (_DAY_UNITS | _YEAR_UNITS)[unit]
    return Typed(f"to_{function}({int(written)})", type_, constant=(unit, int(written)))


def interval_arithmetic(compiler: Compiler, node: exp.Expr, symbol: str, left: Typed, right: Typed) -> Typed:
    """A date or timestamp plus or minus an interval."""
    moment, delta = (right, left) if left.type.is_interval else (left, right)
    sensible = moment.type.is_temporal and delta.type.is_interval
    if not sensible and left.type.is_temporal and right.type.is_temporal and symbol == "-":
        raise not_supported("subtracting dates or timestamps (use date_diff)", compiler.position(node))
    if not sensible or symbol not in "+-" or (symbol == "-" and left.type.is_interval):
        message = f"Cannot apply operator: {left.type} {symbol} {right.type}"
        raise type_mismatch(message, compiler.statement.operator_position(node.this))
    unit = delta.constant[0] if isinstance(delta.constant, tuple) else None
    if moment.type.kind is Kind.DATE and unit in ("HOUR", "MINUTE", "SECOND"):
        message = "Cannot add hour, minutes or seconds to a date"
        raise QueryError("INVALID_FUNCTION_ARGUMENT", message, compiler.position(node))
    if moment.type.kind is Kind.TIMESTAMP_TZ and moment.type.zone != "UTC":
        raise not_supported("an interval added in a time zone other than UTC", compiler.position(node))
    return combine(
        f"CAST({moment.sql} {symbol} {delta.sql} AS {moment.type.duckdb})", moment.type, left, right
    )
