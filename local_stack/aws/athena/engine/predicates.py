"""Conditions beyond comparison: IS, BETWEEN, IN, LIKE, EXISTS, scalar subqueries, CASE."""

from __future__ import annotations

from sqlglot import exp

from local_stack.aws.athena.engine import types
from local_stack.aws.athena.engine.coercion import convert, unify
from local_stack.aws.athena.engine.compiler import Compiler, handles
from local_stack.aws.athena.engine.errors import QueryError, not_supported, type_mismatch
from local_stack.aws.athena.engine.operators import comparable_type, comparison, condition
from local_stack.aws.athena.engine.subqueries import compile_subquery
from local_stack.aws.athena.engine.typed import Typed, combine
from local_stack.aws.athena.engine.types import BOOLEAN, Kind


@handles(exp.Is)
def is_(compiler: Compiler, node: exp.Expr) -> Typed:
    """``x IS NULL``, ``x IS TRUE``."""
    if isinstance(node.expression, exp.Null):
        value = compiler.compile(node.this)
        return combine(f"({value.sql} IS NULL)", BOOLEAN, value)
    if isinstance(node.expression, exp.Boolean):
        raise QueryError("SYNTAX_ERROR", "mismatched input after IS", compiler.position(node.this))
    raise not_supported(f"IS {node.expression.sql()}", compiler.position(node))


@handles(exp.Between, args="this low high symmetric")
def between(compiler: Compiler, node: exp.Expr) -> Typed:
    """``x BETWEEN low AND high``, both ends included."""
    if node.args.get("symmetric"):
        raise not_supported("BETWEEN SYMMETRIC", compiler.position(node))
    value, low, high = (compiler.compile(node.args[part]) for part in ("this", "low", "high"))
    first = comparison(compiler, node.this, ">=", value, low)
    second = comparison(compiler, node.this, "<=", value, high)
    return combine(f"({first.sql} AND {second.sql})", BOOLEAN, first, second)


@handles(exp.In, args="this expressions query")
def in_(compiler: Compiler, node: exp.Expr) -> Typed:
    """``x IN (a, b)`` and ``x IN (SELECT ..)``, with NULL as unknown."""
    if isinstance(node.this, exp.Tuple):
        raise not_supported("IN of rows", compiler.position(node))
    value = compiler.compile(node.this)
    query = node.args.get("query")
    if query is not None:
        return _in_query(compiler, node, value, query)
    items = [compiler.compile(item) for item in node.expressions]
    alike = all(item.type == items[0].type for item in items)
    if alike and not value.type.is_floating and not items[0].type.is_floating:
        common = comparable_type(compiler, node.this, "=", value, items[0])
        listed = ", ".join(convert(item, common).sql for item in items)
        return combine(f"({convert(value, common).sql} IN ({listed}))", BOOLEAN, value, *items)
    tests = [comparison(compiler, node.this, "=", value, item) for item in items]
    return combine(f"({' OR '.join(test.sql for test in tests)})", BOOLEAN, *tests)


def _in_query(compiler: Compiler, node: exp.Expr, value: Typed, query: exp.Expr) -> Typed:
    inner = compile_subquery(compiler, query)
    if len(inner.fields) != 1:
        message = f"Multiple columns returned by subquery are not yet supported. Found {len(inner.fields)}"
        raise QueryError("NOT_SUPPORTED", message, compiler.position(query))
    alias = compiler.statement.alias()
    column = combine(f"{alias}.c0", inner.fields[0].type, inner.as_typed())
    common = comparable_type(compiler, node.this, "=", value, column)
    target = convert(column, common)
    numbers_only = f" WHERE NOT isnan({target.sql}) OR {target.sql} IS NULL" if common.is_floating else ""
    source = f"(SELECT {target.sql} FROM ({inner.sql}) AS {alias}{numbers_only})"
    return combine(f"({convert(value, common).sql} IN {source})", BOOLEAN, value, target)


@handles(exp.Exists, args="this")
def exists(compiler: Compiler, node: exp.Expr) -> Typed:
    """``EXISTS (SELECT ..)``."""
    inner = compile_subquery(compiler, node.this)
    return combine(f"(EXISTS ({inner.sql}))", BOOLEAN, inner.as_typed())


@handles(exp.Subquery, args="this")
def scalar_subquery(compiler: Compiler, node: exp.Expr) -> Typed:
    """``(SELECT ..)`` as a value: NULL for no row, an error for several."""
    inner = compile_subquery(compiler, node)
    if len(inner.fields) != 1:
        message = f"Multiple columns returned by subquery are not yet supported. Found {len(inner.fields)}"
        raise QueryError("NOT_SUPPORTED", message, compiler.position(node))
    return combine(f"({inner.sql})", inner.fields[0].type, inner.as_typed())


@handles(exp.Like, args="this expression negate")
def like(compiler: Compiler, node: exp.Expr) -> Typed:
    """``x LIKE pattern``: no escape character unless one is given."""
    return _like(compiler, node, None)


@handles(exp.Escape)
def like_escape(compiler: Compiler, node: exp.Expr) -> Typed:
    """``x LIKE pattern ESCAPE c``."""
    escape = compiler.compile(node.expression)
    if (
        not isinstance(node.this, exp.Like)
        or not isinstance(escape.constant, str)
        or len(escape.constant) != 1
    ):
        raise not_supported("ESCAPE with anything but one literal character", compiler.position(node))
    return _like(compiler, node.this, escape)


def _like(compiler: Compiler, node: exp.Expr, escape: Typed | None) -> Typed:
    value, pattern = compiler.compile(node.this), compiler.compile(node.expression)
    for side in (value, pattern):
        if side.type.kind not in (Kind.VARCHAR, Kind.UNKNOWN):
            message = f"Left side of LIKE expression must evaluate to a varchar (actual: {side.type})"
            raise type_mismatch(message, compiler.position(node))
    a, b = convert(value, types.VARCHAR), convert(pattern, types.VARCHAR)
    if escape is not None:
        _check_escapes(compiler, node, pattern, str(escape.constant))
    word = "NOT LIKE" if node.args.get("negate") else "LIKE"
    suffix = f" ESCAPE {escape.sql}" if escape else ""
    return combine(f"({a.sql} {word} {b.sql}{suffix})", BOOLEAN, value, pattern)


def _check_escapes(compiler: Compiler, node: exp.Expr, pattern: Typed, escape: str) -> None:
    if not isinstance(pattern.constant, str):
        raise not_supported("ESCAPE with a pattern that is not a literal", compiler.position(node))
    rest = iter(pattern.constant)
    if any(char == escape and next(rest, "") not in (escape, "%", "_") for char in rest):
        message = "Escape character must be followed by '%', '_' or the escape character itself"
        raise QueryError("INVALID_FUNCTION_ARGUMENT", message, compiler.position(node))


@handles(exp.Case, args="this ifs default")
def case(compiler: Compiler, node: exp.Expr) -> Typed:
    """``CASE WHEN .. THEN .. ELSE .. END``, and ``CASE x WHEN ..``."""
    subject = compiler.compile(node.this) if node.this else None
    branches = node.args["ifs"]
    if subject is None:
        tests = [condition(compiler, branch.this, "CASE WHEN clause") for branch in branches]
    else:
        tests = [
            comparison(compiler, node.this, "=", subject, compiler.compile(branch.this))
            for branch in branches
        ]
    results = [compiler.compile(branch.args["true"]) for branch in branches]
    default = node.args.get("default")
    results.append(compiler.compile(default) if default else Typed("NULL", types.UNKNOWN))
    results = unify(results, "All CASE results", compiler.position(node))
    return choose(tests, results)


@handles(exp.If, args="this true false")
def if_(compiler: Compiler, node: exp.Expr) -> Typed:
    """``IF(condition, a, b)``."""
    test = condition(compiler, node.this, "IF condition")
    parts = [compiler.compile(node.args["true"])]
    otherwise = node.args.get("false")
    parts.append(compiler.compile(otherwise) if otherwise else Typed("NULL", types.UNKNOWN))
    return choose([test], unify(parts, "All IF results", compiler.position(node)))


def choose(tests: list[Typed], results: list[Typed]) -> Typed:
    """CASE in DuckDB's SQL; the last result is the ELSE."""
    branches = " ".join(
        f"WHEN {test.sql} THEN {result.sql}" for test, result in zip(tests, results, strict=False)
    )
    type_ = results[-1].type
    return combine(f"(CASE {branches} ELSE {results[-1].sql} END)", type_, *tests, *results)


@handles(exp.Tuple, args="expressions")
def row_value(compiler: Compiler, node: exp.Expr) -> Typed:
    """``(a, b)`` is a row with fields that have no names."""
    return row_of([compiler.compile(item) for item in node.expressions])


def row_of(values: list[Typed]) -> Typed:
    """A row of values."""
    type_ = types.row((None,) * len(values), tuple(value.type for value in values))
    packed = ", ".join(
        f"{name} := {value.sql}" for name, value in zip(type_.field_names, values, strict=True)
    )
    return combine(f"struct_pack({packed})", type_, *values)
