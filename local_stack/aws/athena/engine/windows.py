"""Window functions."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from local_stack.aws.athena.engine import types
from local_stack.aws.athena.engine.aggregates import AGGREGATES, compile_aggregate
from local_stack.aws.athena.engine.calls import RAW, Call, function_name
from local_stack.aws.athena.engine.compiler import Compiler, check_parts, handles
from local_stack.aws.athena.engine.errors import QueryError, not_supported
from local_stack.aws.athena.engine.ordering import order_terms
from local_stack.aws.athena.engine.typed import Typed, combine
from local_stack.aws.athena.engine.types import SqlType

_RANKINGS: dict[str, SqlType] = {
    "row_number": types.BIGINT,
    "rank": types.BIGINT,
    "dense_rank": types.BIGINT,
    "percent_rank": types.DOUBLE,
    "cume_dist": types.DOUBLE,
}
_VALUES = ("first_value", "last_value", "lag", "lead", "nth_value")
_PARTS = ("this", "partition_by", "order", "spec", "alias", "over")


@handles(exp.Window, args="this partition_by order spec alias over")
def window(compiler: Compiler, node: exp.Expr) -> Typed:
    """``f(..) OVER (PARTITION BY .. ORDER BY .. ROWS ..)``, with a named window or without."""
    if compiler.scalar_clause:
        raise compiler.not_scalar(node)
    over = f" OVER ({_window_sql(compiler, node)})"
    function, nulls, test = _unwrapped(node.this)
    if not isinstance(function, exp.Anonymous):
        raise not_supported(f"{type(function).__name__.upper()} over a window", compiler.position(node))
    name = function_name(function)
    if name in AGGREGATES and not nulls:
        typed = compile_aggregate(compiler, function, condition_node=test, over=over)
    elif test is None and (name in _RANKINGS or name in _VALUES or name == "ntile"):
        call = Call(
            compiler, function, name, [compiler.compile(argument) for argument in function.expressions]
        )
        typed = _window_function(call, over, nulls)
    else:
        raise not_supported(f"the window function {name}", compiler.position(node))
    parts = _window_parts(compiler, node)
    return replace(combine(typed.sql, typed.type, typed, *parts), window=True)


def _unwrapped(node: exp.Expr) -> tuple[exp.Expr, str, exp.Expr | None]:
    """The call, ``IGNORE NULLS`` if it is written, and the FILTER's condition."""
    if isinstance(node, exp.IgnoreNulls):
        return node.this, " IGNORE NULLS", None
    if isinstance(node, exp.RespectNulls):
        return node.this, "", None
    if isinstance(node, exp.Filter):
        return node.this, "", node.expression.this
    return node, "", None


def _window_function(call: Call, over: str, nulls: str) -> Typed:
    if call.name in _RANKINGS:
        call.arity(0)
        return call.result(f"{call.name}(){over}", _RANKINGS[call.name])
    if call.name == "ntile":
        call.arity(1)
        if call.literal_integer(0) <= 0:
            raise QueryError("INVALID_FUNCTION_ARGUMENT", "Buckets must be greater than 0", call.position)
        return call.result(f"ntile({call.as_type(0, types.BIGINT).sql}){over}", types.BIGINT)
    if call.name in ("first_value", "last_value"):
        call.arity(1)
        return call.result(f"{call.name}({call.args[0].sql}{nulls}){over}", call.args[0].type)
    if call.name == "nth_value":
        call.arity(2)
        if call.literal_integer(1) < 1:
            raise QueryError("INVALID_FUNCTION_ARGUMENT", "Offset must be at least 1", call.position)
        return call.result(
            f"nth_value({call.args[0].sql}, {call.args[1].sql}{nulls}){over}", call.args[0].type
        )
    return _neighbour(call, over, nulls)


def _neighbour(call: Call, over: str, nulls: str) -> Typed:
    """lag and lead: a value so many rows away, or a default."""
    call.arity(1, 3)
    arguments = [call.args[0].sql]
    if len(call.args) > 1:
        if call.literal_integer(1) < 0:
            raise QueryError("INVALID_FUNCTION_ARGUMENT", "Offset must be at least 0", call.position)
        arguments.append(call.args[1].sql)
    if len(call.args) > 2:
        arguments.append(call.as_type(2, call.args[0].type).sql)
    return call.result(f"{call.name}({', '.join(arguments)}{nulls}){over}", call.args[0].type)


def _effective(compiler: Compiler, node: exp.Expr) -> exp.Expr:
    """The window's own definition, or the named one it refers to.

    Raises:
        QueryError: INVALID_WINDOW_REFERENCE, or NOT_SUPPORTED where it adds to a named one.
    """
    check_parts(node, _PARTS, compiler.statement)
    name = node.args.get("alias")
    if name is None:
        return node
    if any(node.args.get(part) for part in ("partition_by", "order", "spec")):
        raise not_supported("a window that adds to a named one", compiler.position(node))
    named = compiler.windows.get(name.name.lower())
    if named is None:
        raise QueryError(
            "INVALID_WINDOW_REFERENCE", f"Cannot resolve WINDOW name {name.name}", compiler.position(node)
        )
    return named


def _window_parts(compiler: Compiler, node: exp.Expr) -> list[Typed]:
    definition = _effective(compiler, node)
    order = definition.args.get("order")
    written = [
        *(definition.args.get("partition_by") or []),
        *([term.this for term in order.expressions] if order else []),
    ]
    return [compiler.compile(part) for part in written]


def _window_sql(compiler: Compiler, node: exp.Expr) -> str:
    definition = _effective(compiler, node)
    clauses = []
    partition = definition.args.get("partition_by")
    if partition:
        clauses.append("PARTITION BY " + ", ".join(compiler.compile(part).sql for part in partition))
    order = definition.args.get("order")
    if order:
        clauses.append("ORDER BY " + ", ".join(order_terms(compiler, order)))
    spec = definition.args.get("spec")
    if spec is not None:
        clauses.append(_frame(compiler, spec))
    return " ".join(clauses)


def _frame(compiler: Compiler, spec: exp.Expr) -> str:
    check_parts(spec, ("kind", "start", "start_side", "end", "end_side"), compiler.statement)
    kind = str(spec.args["kind"]).upper()
    start = _bound(compiler, kind, spec.args["start"], spec.args.get("start_side"))
    if not spec.args.get("end"):
        return f"{kind} {start}"
    return f"{kind} BETWEEN {start} AND {_bound(compiler, kind, spec.args['end'], spec.args.get('end_side'))}"


def _bound(compiler: Compiler, kind: str, bound: exp.Expr | str, side: str | None) -> str:
    if isinstance(bound, str):
        return f"{bound} {side or ''}".strip().upper()
    if kind != "ROWS" or not isinstance(bound, exp.Literal) or bound.args["is_string"]:
        raise not_supported(f"a {kind} frame with this offset", compiler.position(bound))
    return f"{int(bound.this)} {str(side).upper()}"


def _without_over(compiler: Compiler, node: exp.Expr) -> Typed:
    name = function_name(node)
    raise QueryError(
        "MISSING_OVER", f"Window function {name} requires an OVER clause", compiler.position(node)
    )


RAW.update(dict.fromkeys((*_RANKINGS, *_VALUES, "ntile"), _without_over))
