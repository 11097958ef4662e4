"""Literals: numbers, strings, booleans, NULL, binary, parameters."""

from __future__ import annotations

import math
from decimal import Decimal

from sqlglot import exp

from local_stack.aws.athena.engine import types
from local_stack.aws.athena.engine.compiler import Compiler, handles
from local_stack.aws.athena.engine.errors import QueryError, not_supported
from local_stack.aws.athena.engine.typed import Typed
from local_stack.aws.athena.engine.types import text

_INTEGER_LIMIT = 2**31
_BIGINT_LIMIT = 2**63


@handles(exp.Literal, args="this is_string")
def literal(compiler: Compiler, node: exp.Expr) -> Typed:
    """A string is a varchar of its length; a number an integer, bigint, decimal or (1e0) double."""
    if node.args["is_string"]:
        return string(node.this)
    return number(compiler, node, negative=False)


def string(value: str) -> Typed:
    """A string literal."""
    return Typed(text(value), types.varchar(len(value)), constant=value)


def number(compiler: Compiler, node: exp.Expr, *, negative: bool) -> Typed:
    """A numeric literal, with the sign before it."""
    written = ("-" if negative else "") + str(node.this)
    if "e" in written.lower():
        value = float(written)
        if math.isinf(value):
            raise QueryError("SYNTAX_ERROR", f"Invalid numeric literal: {written}", compiler.position(node))
        return Typed(f"CAST({text(repr(value))} AS DOUBLE)", types.DOUBLE, constant=value)
    if "." in written:
        return _decimal(compiler, node, Decimal(written))
    return integer(int(written), compiler, node)


def integer(value: int, compiler: Compiler, node: exp.Expr) -> Typed:
    """A whole number: integer if it fits, else bigint."""
    if -_INTEGER_LIMIT <= value < _INTEGER_LIMIT:
        type_ = types.INTEGER
    elif -_BIGINT_LIMIT <= value < _BIGINT_LIMIT:
        type_ = types.BIGINT
    else:
        raise QueryError("SYNTAX_ERROR", f"Invalid numeric literal: {value}", compiler.position(node))
    return Typed(f"CAST({value} AS {type_.duckdb})", type_, constant=value)


def _decimal(compiler: Compiler, node: exp.Expr, value: Decimal) -> Typed:
    _, digits, exponent = value.as_tuple()
    scale = -int(exponent)
    whole = str(node.this).split(".")[0].lstrip("0")
    precision = max(len(whole) + scale, 1)
    if precision > types.MAX_PRECISION or not digits:
        raise QueryError("SYNTAX_ERROR", f"Invalid numeric literal: {value}", compiler.position(node))
    type_ = types.decimal(precision, scale)
    return Typed(f"CAST('{value:f}' AS {type_.duckdb})", type_, constant=value)


@handles(exp.Boolean, args="this")
def boolean(_: Compiler, node: exp.Expr) -> Typed:
    """TRUE or FALSE."""
    return Typed("TRUE" if node.this else "FALSE", types.BOOLEAN, constant=bool(node.this))


@handles(exp.Null, args="")
def null(_: Compiler, __: exp.Expr) -> Typed:
    """NULL: its type is unknown until it meets another."""
    return Typed("NULL", types.UNKNOWN)


@handles(exp.HexString, args="this is_integer")
def binary(compiler: Compiler, node: exp.Expr) -> Typed:
    """A binary literal, X'6162'."""
    digits = str(node.this).replace(" ", "")
    if node.args.get("is_integer") or len(digits) % 2:
        raise QueryError(
            "SYNTAX_ERROR", "Binary literal must contain an even number of digits", compiler.position(node)
        )
    try:
        bytes.fromhex(digits)
    except ValueError as error:
        raise QueryError(
            "SYNTAX_ERROR", "Binary literal can only contain hexadecimal digits", compiler.position(node)
        ) from error
    return Typed(f"from_hex({text(digits)})", types.VARBINARY)


@handles(exp.Placeholder, args="")
def parameter(compiler: Compiler, node: exp.Expr) -> Typed:
    """``?``: parameters are put in their places before compiling, so one that is left has no value."""
    raise QueryError("INVALID_PARAMETER_USAGE", "Incorrect number of parameters", compiler.position(node))


@handles(exp.Paren, args="this")
def parenthesis(compiler: Compiler, node: exp.Expr) -> Typed:
    """``(x)``."""
    inner = compiler.compile(node.this)
    if isinstance(node.this, exp.Tuple):
        raise not_supported("a row in parentheses", compiler.position(node))
    return inner
