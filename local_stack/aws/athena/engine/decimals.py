"""Decimal arithmetic with Trino's result types: exact, or refused."""

from __future__ import annotations

from sqlglot import exp

from local_stack.aws.athena.engine.compiler import Compiler
from local_stack.aws.athena.engine.errors import QueryError, not_supported
from local_stack.aws.athena.engine.typed import Typed, combine
from local_stack.aws.athena.engine.types import MAX_PRECISION, SqlType, as_decimal, decimal

_HUGEINT_DIGITS = 37
"""Digits that a 128 bit integer holds after doubling."""


def decimal_arithmetic(compiler: Compiler, node: exp.Expr, symbol: str, left: Typed, right: Typed) -> Typed:
    """Two decimals (or a decimal and a whole number) combined.

    Raises:
        QueryError: NOT_SUPPORTED for a remainder, or a quotient of too many digits.
    """
    a, b = as_decimal(left.type), as_decimal(right.type)
    (p1, s1), (p2, s2) = (a.precision or 0, a.scale), (b.precision or 0, b.scale)
    left_sql, right_sql = (f"CAST({side.sql} AS {type_.duckdb})" for side, type_ in ((left, a), (right, b)))
    if symbol in "+-":
        scale = max(s1, s2)
        result = decimal(max(p1 - s1, p2 - s2) + scale + 1, scale)
        operands = (f"CAST({side} AS {result.duckdb})" for side in (left_sql, right_sql))
        sql = f"CAST({f' {symbol} '.join(operands)} AS {result.duckdb})"
    elif symbol == "*":
        if s1 + s2 > MAX_PRECISION:
            raise QueryError(
                "TYPE_MISMATCH", "DECIMAL scale must be in range [0, 38]", compiler.position(node)
            )
        result = decimal(p1 + p2, s1 + s2)
        sql = f"CAST({left_sql} * {right_sql} AS {result.duckdb})"
    elif symbol == "/":
        result = decimal(p1 + s2 + max(s2 - s1, 0), max(s1, s2))
        shift = result.scale - s1 + s2
        if max(p1 + max(shift, s1) + 1, p2 + s2 + 1) > _HUGEINT_DIGITS:
            raise not_supported(f"dividing {a} by {b}", compiler.position(node))
        numerator = f"{unscaled(left_sql, s1)} * {10**shift}::HUGEINT"
        sql = scaled(f"athena_round_divide({numerator}, {unscaled(right_sql, s2)})", result)
    else:
        raise not_supported("% of decimals", compiler.position(node))
    return combine(sql, result, left, right)


def unscaled(sql: str, scale: int) -> str:
    """A decimal's digits as a whole number."""
    return f"CAST({sql} * CAST({10**scale} AS DECIMAL({scale + 1},0)) AS HUGEINT)"


def scaled(sql: str, type_: SqlType) -> str:
    """A whole number's digits as a decimal."""
    if not type_.scale:
        return f"CAST({sql} AS {type_.duckdb})"
    unit = f"CAST('{'0.' + '0' * (type_.scale - 1) + '1'}' AS DECIMAL({type_.scale},{type_.scale}))"
    width = MAX_PRECISION - type_.scale
    return f"CAST(CAST({sql} AS DECIMAL({max(width, 1)},0)) * {unit} AS {type_.duckdb})"
