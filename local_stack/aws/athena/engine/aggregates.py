"""Aggregate functions, alone and over windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlglot import exp

from local_stack.aws.athena.engine import types
from local_stack.aws.athena.engine.calls import RAW, Call, function_name
from local_stack.aws.athena.engine.coercion import convert
from local_stack.aws.athena.engine.compiler import Compiler, handles
from local_stack.aws.athena.engine.decimals import scaled, unscaled
from local_stack.aws.athena.engine.errors import QueryError, not_supported
from local_stack.aws.athena.engine.operators import condition, orderable
from local_stack.aws.athena.engine.ordering import order_terms
from local_stack.aws.athena.engine.typed import Typed
from local_stack.aws.athena.engine.types import Kind

BIGINT, DOUBLE, BOOLEAN, VARCHAR = types.BIGINT, types.DOUBLE, types.BOOLEAN, types.VARCHAR


@dataclass(frozen=True)
class Aggregate:
    """One call of an aggregate: its checked arguments, and what stands around them.

    ``order`` is the ORDER BY inside the parentheses, ``condition`` the FILTER's, ``over`` the window.
    """

    call: Call
    distinct: bool = False
    order: str = ""
    condition: str = ""
    over: str = ""

    def apply(self, function: str, arguments: str, extra_condition: str = "") -> str:
        """SQL of a DuckDB aggregate over the same rows."""
        conditions = [f"({test})" for test in (self.condition, extra_condition) if test]
        where = f" FILTER (WHERE {' AND '.join(conditions)})" if conditions else ""
        distinct = "DISTINCT " if self.distinct else ""
        order = f" ORDER BY {self.order}" if self.order else ""
        return f"{function}({distinct}{arguments}{order}){where}{self.over}"


AggregateFunction = Callable[[Aggregate], Typed]
AGGREGATES: dict[str, AggregateFunction] = {}


def aggregate(*names: str) -> Callable[[AggregateFunction], AggregateFunction]:
    """Register an aggregate function."""

    def register(function: AggregateFunction) -> AggregateFunction:
        AGGREGATES.update(dict.fromkeys(names, function))
        return function

    return register


@aggregate("count")
def count(rows: Aggregate) -> Typed:
    """Rows, or values that are not NULL."""
    if not rows.call.args:
        return rows.call.result(rows.apply("count", "*"), BIGINT)
    rows.call.arity(1)
    return rows.call.result(rows.apply("count", rows.call.args[0].sql), BIGINT)


@aggregate("count_if")
def count_if(rows: Aggregate) -> Typed:
    """Rows of which a condition is true."""
    rows.call.arity(1)
    if rows.distinct:
        raise rows.call.unsupported("DISTINCT")
    return rows.call.result(rows.apply("count", "*", rows.call.as_type(0, BOOLEAN).sql), BIGINT)


@aggregate("sum")
def total(rows: Aggregate) -> Typed:
    """Sum: bigint of whole numbers, with an error on overflow."""
    rows.call.arity(1)
    value = rows.call.number(0)
    if value.type.kind is Kind.REAL:
        raise rows.call.unsupported("of real")
    if value.type.is_integer:
        return rows.call.result(f"CAST({rows.apply('sum', value.sql)} AS BIGINT)", BIGINT)
    type_ = types.decimal(38, value.type.scale) if value.type.kind is Kind.DECIMAL else DOUBLE
    return rows.call.result(rows.apply("sum", value.sql), type_)


@aggregate("avg")
def average(rows: Aggregate) -> Typed:
    """Mean: double of whole numbers; of decimals a decimal, rounded half up."""
    rows.call.arity(1)
    value = rows.call.number(0)
    if value.type.kind is Kind.REAL:
        raise rows.call.unsupported("of real")
    if value.type.kind is not Kind.DECIMAL:
        return rows.call.result(rows.apply("avg", convert(value, DOUBLE).sql), DOUBLE)
    digits, number = rows.apply("sum", value.sql), rows.apply("count", value.sql)
    mean = f"athena_round_divide({unscaled(digits, value.type.scale)}, CAST({number} AS HUGEINT))"
    guarded = f"(CASE WHEN {number} > 0 THEN {scaled(mean, value.type)} END)"
    return rows.call.result(guarded, value.type)


@aggregate("min", "max")
def extreme(rows: Aggregate) -> Typed:
    """Smallest or largest; NaNs count only where there is nothing else."""
    rows.call.arity(1)
    value = rows.call.args[0]
    orderable(rows.call.compiler, value, rows.call.node)
    plain = rows.apply(rows.call.name, value.sql)
    if value.type.is_floating:
        plain = f"coalesce({rows.apply(rows.call.name, value.sql, f'NOT isnan({value.sql})')}, {plain})"
    return rows.call.result(plain, value.type)


@aggregate("min_by", "max_by")
def extreme_by(rows: Aggregate) -> Typed:
    """The value beside the smallest or largest key."""
    rows.call.arity(2)
    value, key = rows.call.args
    orderable(rows.call.compiler, key, rows.call.node)
    function = f"arg_{rows.call.name[:3]}_null"
    arguments = f"{value.sql}, {key.sql}"
    plain = rows.apply(function, arguments)
    if key.type.is_floating:
        ordered = f"NOT isnan({key.sql})"
        found = rows.apply("count", key.sql, ordered)
        plain = f"(CASE WHEN {found} > 0 THEN {rows.apply(function, arguments, ordered)} ELSE {plain} END)"
    return rows.call.result(plain, value.type)


@aggregate("bool_and", "every", "bool_or")
def boolean(rows: Aggregate) -> Typed:
    """Whether all, or any, are true."""
    rows.call.arity(1)
    function = "bool_or" if rows.call.name == "bool_or" else "bool_and"
    return rows.call.result(rows.apply(function, rows.call.as_type(0, BOOLEAN).sql), BOOLEAN)


@aggregate("arbitrary", "any_value")
def arbitrary(rows: Aggregate) -> Typed:
    """Some value that is not NULL, if there is one."""
    rows.call.arity(1)
    return rows.call.result(rows.apply("any_value", rows.call.args[0].sql), rows.call.args[0].type)


@aggregate("array_agg")
def array_agg(rows: Aggregate) -> Typed:
    """The values in an array, NULLs included."""
    rows.call.arity(1)
    return rows.call.result(rows.apply("list", rows.call.args[0].sql), types.array(rows.call.args[0].type))


@aggregate("listagg")
def listagg(rows: Aggregate) -> Typed:
    """Strings joined in an order."""
    rows.call.arity(1, 2)
    value = rows.call.as_type(0, VARCHAR)
    separator = rows.call.literal_text(1) if len(rows.call.args) == 2 else ""
    return rows.call.result(rows.apply("string_agg", f"{value.sql}, {types.text(separator)}"), VARCHAR)


def compile_aggregate(
    compiler: Compiler,
    node: exp.Expr,
    *,
    condition_node: exp.Expr | None = None,
    order_node: exp.Expr | None = None,
    over: str | None = None,
) -> Typed:
    """A call of an aggregate; ``over`` is the window's SQL.

    Raises:
        QueryError: EXPRESSION_NOT_SCALAR in a clause that has none, NESTED_AGGREGATION, NOT_SUPPORTED.
    """
    name = function_name(node)
    if compiler.scalar_clause:
        raise compiler.not_scalar(node, f": ['{name}']")
    arguments, distinct, inner_order = _arguments(compiler, node)
    inner = compiler if over is not None else replace(compiler, groups=None)
    typed = [inner.compile(argument) for argument in arguments]
    order = order_node or inner_order
    aggregate_ = Aggregate(
        Call(inner, node, name, typed),
        distinct=distinct,
        order=", ".join(order_terms(inner, order)) if order else "",
        condition=condition(inner, condition_node, "FILTER").sql if condition_node else "",
        over=over or "",
    )
    if over is None and any(value.aggregate or value.window for value in typed):
        raise QueryError(
            "NESTED_AGGREGATION",
            f"Cannot nest aggregations inside aggregation '{name}'",
            compiler.position(node),
        )
    if name == "listagg" and (order_node is None or over is not None):
        raise not_supported("listagg without WITHIN GROUP, or over a window", compiler.position(node))
    if aggregate_.order and name not in ("array_agg", "listagg"):
        raise not_supported(f"ORDER BY inside {name}", compiler.position(node))
    if over is not None and (distinct or aggregate_.order):
        raise not_supported("DISTINCT or ORDER BY inside a window function's call", compiler.position(node))
    return _outcome(compiler, node, AGGREGATES[name](aggregate_), over)


def _outcome(compiler: Compiler, node: exp.Expr, value: Typed, over: str | None) -> Typed:
    if over is not None:
        return replace(value, window=True)
    own = frozenset(column for column in value.free if column.scope is compiler.scope)
    if value.free and not own:
        raise not_supported("an aggregate of an outer query's columns", compiler.position(node))
    return replace(value, aggregate=True, free=value.free - own)


def _arguments(compiler: Compiler, node: exp.Expr) -> tuple[list[exp.Expr], bool, exp.Expr | None]:
    """The written arguments, whether DISTINCT stands before them, and the ORDER BY behind them."""
    written = list(node.expressions)
    order: exp.Expr | None = None
    distinct = False
    if written and isinstance(written[-1], exp.Order):
        order = written[-1]
        written[-1] = order.this
    if written and isinstance(written[0], exp.Distinct):
        distinct = True
        written = [*written[0].expressions, *written[1:]]
    if len(written) == 1 and isinstance(written[0], exp.Star):
        if function_name(node) != "count" or distinct or written[0].args.get("except_"):
            raise not_supported("* as an argument", compiler.position(node))
        written = []
    return written, distinct, order


@handles(exp.Filter)
def filtered(compiler: Compiler, node: exp.Expr) -> Typed:
    """``agg(x) FILTER (WHERE ..)``."""
    inner, test = node.this, node.expression.this
    if isinstance(inner, exp.WithinGroup):
        return compile_aggregate(
            compiler, _called(compiler, inner.this), condition_node=test, order_node=inner.expression
        )
    return compile_aggregate(compiler, _called(compiler, inner), condition_node=test)


@handles(exp.WithinGroup)
def within_group(compiler: Compiler, node: exp.Expr) -> Typed:
    """``listagg(x, ',') WITHIN GROUP (ORDER BY ..)``."""
    return compile_aggregate(compiler, _called(compiler, node.this), order_node=node.expression)


def _called(compiler: Compiler, node: exp.Expr) -> exp.Expr:
    if not isinstance(node, exp.Anonymous) or function_name(node) not in AGGREGATES:
        name = function_name(node) if isinstance(node, exp.Anonymous) else type(node).__name__
        raise not_supported(f"FILTER or WITHIN GROUP of {name}", compiler.position(node))
    return node


RAW.update(dict.fromkeys(AGGREGATES, compile_aggregate))
