"""Arithmetic, comparison and logic, with Athena's result types and errors."""

from __future__ import annotations

from sqlglot import exp

from local_stack.aws.athena.engine import types
from local_stack.aws.athena.engine.coercion import coerce, coercible, convert
from local_stack.aws.athena.engine.compiler import Compiler, handles
from local_stack.aws.athena.engine.decimals import decimal_arithmetic
from local_stack.aws.athena.engine.errors import QueryError, not_supported, type_mismatch
from local_stack.aws.athena.engine.intervals import interval_arithmetic
from local_stack.aws.athena.engine.literals import number
from local_stack.aws.athena.engine.typed import Typed, combine
from local_stack.aws.athena.engine.types import BOOLEAN, Kind, SqlType, common_type

_SYMBOLS: dict[type[exp.Expr], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}


@handles(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, args="this expression typed safe")
def arithmetic_node(compiler: Compiler, node: exp.Expr) -> Typed:
    """``a + b``, ``-``, ``*``, ``/``, ``%``."""
    left, right = compiler.compile(node.this), compiler.compile(node.expression)
    symbol = _SYMBOLS[type(node)]
    if left.type.is_temporal or right.type.is_temporal or left.type.is_interval or right.type.is_interval:
        return interval_arithmetic(compiler, node, symbol, left, right)
    return arithmetic(compiler, node, symbol, left, right)


def arithmetic(compiler: Compiler, node: exp.Expr, symbol: str, left: Typed, right: Typed) -> Typed:
    """Two numbers combined; whole numbers divide to whole numbers, and nothing overflows silently."""
    common = common_type(left.type, right.type)
    if common is None or not common.is_numeric:
        message = f"Cannot apply operator: {left.type} {symbol} {right.type}"
        raise type_mismatch(message, compiler.statement.operator_position(node.this))
    if common.kind is Kind.DECIMAL:
        return decimal_arithmetic(compiler, node, symbol, left, right)
    a, b = convert(left, common), convert(right, common)
    if symbol in "/%" and common.is_integer:
        function = "athena_divide" if symbol == "/" else "athena_modulo"
        sql = f"CAST({function}({a.sql}, {b.sql}) AS {common.duckdb})"
    else:
        sql = f"({a.sql} {symbol} {b.sql})"
    return combine(sql, common, left, right)


@handles(exp.Neg, args="this")
def negation(compiler: Compiler, node: exp.Expr) -> Typed:
    """``-x``."""
    if isinstance(node.this, exp.Literal) and not node.this.args["is_string"]:
        return number(compiler, node.this, negative=True)
    value = compiler.compile(node.this)
    if not value.type.is_numeric:
        raise type_mismatch(f"Cannot negate {value.type}", compiler.position(node))
    return combine(f"(-{value.sql})", value.type, value)


@handles(exp.DPipe, args="this expression safe")
def concatenation(compiler: Compiler, node: exp.Expr) -> Typed:
    """``a || b`` of strings; NULL if either is."""
    left, right = compiler.compile(node.this), compiler.compile(node.expression)
    for side in (left, right):
        if side.type.kind is Kind.ARRAY:
            raise not_supported("|| of arrays", compiler.position(node))
        if side.type.kind not in (Kind.VARCHAR, Kind.UNKNOWN):
            message = f"Cannot apply operator: {left.type} || {right.type}"
            raise type_mismatch(message, compiler.statement.operator_position(node.this))
    a, b = convert(left, types.VARCHAR), convert(right, types.VARCHAR)
    return combine(f"({a.sql} || {b.sql})", types.VARCHAR, left, right)


@handles(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
def comparison_node(compiler: Compiler, node: exp.Expr) -> Typed:
    """``a = b``, ``<>``, ``<``, ``<=``, ``>``, ``>=``."""
    if isinstance(node.expression, exp.Any | exp.All):
        raise not_supported("a comparison with ANY, SOME or ALL", compiler.position(node))
    left, right = compiler.compile(node.this), compiler.compile(node.expression)
    return comparison(compiler, node.this, _SYMBOLS[type(node)], left, right)


def comparison(compiler: Compiler, at: exp.Expr, symbol: str, left: Typed, right: Typed) -> Typed:
    """Two values of one type compared; a NaN equals nothing and is in no order, as in IEEE 754.

    Raises:
        QueryError: TYPE_MISMATCH, as for a date and a string.
    """
    common = comparable_type(compiler, at, symbol, left, right)
    a, b = convert(left, common), convert(right, common)
    plain = f"({a.sql} {symbol} {b.sql})"
    if common.is_floating:
        plain = _floating_comparison(symbol, a, b, plain)
    return combine(plain, BOOLEAN, left, right)


def comparable_type(compiler: Compiler, at: exp.Expr, symbol: str, left: Typed, right: Typed) -> SqlType:
    """The type in which two values are compared; ``at`` is the node of the left one.

    Raises:
        QueryError: TYPE_MISMATCH, or NOT_SUPPORTED for nested values.
    """
    common = common_type(left.type, right.type)
    if common is None or common.is_interval:
        message = f"Cannot apply operator: {left.type} {symbol} {right.type}"
        raise type_mismatch(message, compiler.statement.operator_position(at))
    if common.is_nested:
        raise not_supported(f"comparing values of type {common}", compiler.position(at))
    return common


def _floating_comparison(symbol: str, a: Typed, b: Typed, plain: str) -> str:
    """DuckDB orders NaN above all and equal to itself: take those answers back.

    Of ``<`` and ``<=`` only a right NaN makes DuckDB say yes, of the others only a left one.
    """
    if symbol == "<>":
        return f"athena_double_differs({a.sql}, {b.sql})" if _may_be_nan(a) and _may_be_nan(b) else plain
    suspect, other = (b, a) if symbol in ("<", "<=") else (a, b)
    if not _may_be_nan(suspect) or (symbol == "=" and not _may_be_nan(other)):
        return plain
    return f"({plain} AND (NOT isnan({suspect.sql}) OR {other.sql} IS NULL))"


def _may_be_nan(value: Typed) -> bool:
    return value.constant is None


@handles(exp.NullSafeEQ, exp.NullSafeNEQ)
def distinctness(compiler: Compiler, node: exp.Expr) -> Typed:
    """``a IS [NOT] DISTINCT FROM b``: NULLs are alike, and so are NaNs."""
    left, right = compiler.compile(node.this), compiler.compile(node.expression)
    common = comparable_type(compiler, node.this, "IS DISTINCT FROM", left, right)
    word = "IS DISTINCT FROM" if isinstance(node, exp.NullSafeNEQ) else "IS NOT DISTINCT FROM"
    a, b = convert(left, common), convert(right, common)
    return combine(f"({a.sql} {word} {b.sql})", BOOLEAN, left, right)


@handles(exp.And, exp.Or)
def connective(compiler: Compiler, node: exp.Expr) -> Typed:
    """``a AND b``, ``a OR b``."""
    word = "AND" if isinstance(node, exp.And) else "OR"
    operands = [condition(compiler, operand, "Logical expression term") for operand in node.flatten()]
    return combine(f"({f' {word} '.join(operand.sql for operand in operands)})", BOOLEAN, *operands)


@handles(exp.Not, args="this")
def not_(compiler: Compiler, node: exp.Expr) -> Typed:
    """``NOT a``."""
    operand = condition(compiler, node.this, "Value of logical NOT expression")
    return combine(f"(NOT {operand.sql})", BOOLEAN, operand)


def condition(compiler: Compiler, node: exp.Expr, what: str) -> Typed:
    """A boolean expression.

    Raises:
        QueryError: TYPE_MISMATCH.
    """
    value = compiler.compile(node)
    if not coercible(value.type, BOOLEAN):
        message = f"{what} must evaluate to a boolean: actual type {value.type}"
        raise type_mismatch(message, compiler.position(node))
    return coerce(value, BOOLEAN)


def orderable(compiler: Compiler, value: Typed, node: exp.Expr) -> None:
    """Sorting and MIN/MAX want a type with an order.

    Raises:
        QueryError: TYPE_MISMATCH for a map, NOT_SUPPORTED for other nested values.
    """
    if value.type.kind is Kind.MAP:
        raise QueryError("TYPE_MISMATCH", f"Type {value.type} is not orderable", compiler.position(node))
    if value.type.is_nested or value.type.is_interval:
        raise not_supported(f"ordering values of type {value.type}", compiler.position(node))
