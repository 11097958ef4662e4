"""Functions of arrays, maps and rows."""

from __future__ import annotations

from sqlglot import exp

from local_stack.aws.athena.engine import types
from local_stack.aws.athena.engine.calls import Call, boolean_result, function_name, raw, scalar
from local_stack.aws.athena.engine.compiler import Compiler
from local_stack.aws.athena.engine.errors import QueryError
from local_stack.aws.athena.engine.operators import comparable_type, condition, orderable
from local_stack.aws.athena.engine.predicates import row_of
from local_stack.aws.athena.engine.scope import Field
from local_stack.aws.athena.engine.typed import Typed, combine
from local_stack.aws.athena.engine.types import Kind

BIGINT = types.BIGINT
_MAX_SEQUENCE = 10_000


def _array(call: Call, index: int = 0) -> Typed:
    if call.args[index].type.kind is not Kind.ARRAY:
        raise call.unexpected()
    return call.args[index]


@scalar("row")
def row(call: Call) -> Typed:
    """A row; its fields have no names until it is cast."""
    return row_of(call.args)


@scalar("cardinality")
def cardinality(call: Call) -> Typed:
    """Number of elements or entries."""
    call.arity(1)
    value = call.args[0]
    if value.type.kind not in (Kind.ARRAY, Kind.MAP):
        raise call.unexpected()
    function = "len" if value.type.kind is Kind.ARRAY else "cardinality"
    return call.result(f"CAST({function}({value.sql}) AS BIGINT)", BIGINT)


@scalar("element_at")
def element_at(call: Call) -> Typed:
    """The element or the key's value; NULL where there is none; a negative place counts from the end."""
    call.arity(2)
    value = call.args[0]
    if value.type.kind is Kind.ARRAY:
        return call.result(
            f"athena_element_at({value.sql}, {call.as_type(1, BIGINT).sql})", value.type.items[0]
        )
    if value.type.kind is Kind.MAP:
        key = call.as_type(1, value.type.items[0])
        return call.result(f"{value.sql}[{key.sql}]", value.type.items[1])
    raise call.unexpected()


@scalar("contains")
def contains(call: Call) -> Typed:
    """Whether an array holds a value; NULL if it does not but holds NULL."""
    call.arity(2)
    values = _array(call)
    element = Typed("e", values.type.items[0])
    common = comparable_type(call.compiler, call.node, "=", element, call.args[1])
    if common != element.type or common.is_floating:
        raise call.unsupported(f"of {call.args[1].type} in {values.type}")
    item = call.as_type(1, common)
    unsure = f"len(list_filter({values.sql}, lambda e: e IS NULL)) > 0"
    sql = (
        f"(CASE WHEN {values.sql} IS NULL OR {item.sql} IS NULL THEN NULL "
        f"WHEN list_contains({values.sql}, {item.sql}) THEN TRUE WHEN {unsure} THEN NULL ELSE FALSE END)"
    )
    return boolean_result(call, sql)


@scalar("array_sort")
def array_sort(call: Call) -> Typed:
    """Ascending, NULLs last."""
    call.arity(1)
    values = _array(call)
    orderable(call.compiler, Typed("e", values.type.items[0]), call.node)
    return call.result(f"list_sort({values.sql}, 'ASC', 'NULLS LAST')", values.type)


@scalar("array_max", "array_min")
def array_extreme(call: Call) -> Typed:
    """The largest or smallest element; NULL if any is NULL."""
    call.arity(1)
    values = _array(call)
    element = values.type.items[0]
    orderable(call.compiler, Typed("e", element), call.node)
    if element.is_floating:
        raise call.unsupported(f"of {values.type}")
    has_null = f"len(list_filter({values.sql}, lambda e: e IS NULL)) > 0"
    return call.result(
        f"(CASE WHEN {has_null} THEN NULL ELSE list_{call.name[-3:]}({values.sql}) END)", element
    )


@scalar("array_join")
def array_join(call: Call) -> Typed:
    """Strings joined; NULLs are left out."""
    call.arity(2)
    values, delimiter = _array(call), call.as_type(1, types.VARCHAR)
    if values.type.items[0].kind is not Kind.VARCHAR:
        raise call.unsupported(f"of {values.type}")
    kept = f"list_filter({values.sql}, lambda e: e IS NOT NULL)"
    return call.result(f"array_to_string({kept}, {delimiter.sql})", types.VARCHAR)


@scalar("sequence")
def sequence(call: Call) -> Typed:
    """Whole numbers or dates from the first to the last, at most 10,000."""
    call.arity(2, 3)
    first = call.args[0].type
    if first.kind is Kind.DATE and call.args[1].type.kind is Kind.DATE:
        step = (
            call.args[2]
            if len(call.args) == 3
            else Typed("to_days(1)", types.DAY_INTERVAL, constant=("DAY", 1))
        )
        if not isinstance(step.constant, tuple) or step.constant[0] != "DAY" or step.constant[1] <= 0:
            raise call.unsupported("with this step")
        size = f"(CAST({call.args[1].sql} AS DATE) - CAST({call.args[0].sql} AS DATE)) // {step.constant[1]}"
        sql = f"CAST(generate_series({call.args[0].sql}, {call.args[1].sql}, {step.sql}) AS DATE[])"
        return call.result(_bounded(sql, size, call), types.array(types.DATE), refusing=True)
    if not all(arg.type.is_integer for arg in call.args):
        raise call.unsupported("of these types")
    step_size = call.literal_integer(2) if len(call.args) == 3 else 1
    if step_size <= 0:
        raise call.unsupported("with a step that is not positive")
    a, b = call.as_type(0, BIGINT).sql, call.as_type(1, BIGINT).sql
    sql = f"generate_series({a}, {b}, CAST({step_size} AS BIGINT))"
    return call.result(_bounded(sql, f"({b} - {a}) // {step_size}", call), types.array(BIGINT), refusing=True)


def _bounded(sql: str, steps: str, call: Call) -> str:
    limit = "result of sequence function must not have more than 10000 entries"
    too_long = f"athena_fail('INVALID_FUNCTION_ARGUMENT', '{limit}')"
    backwards = (
        "athena_fail('NOT_SUPPORTED', 'sequence that counts down is not supported by the emulated Athena')"
    )
    return (
        f"(CASE WHEN {steps} < 0 OR {call.args[0].sql} > {call.args[1].sql} THEN [][{backwards}:] "
        f"WHEN {steps} >= {_MAX_SEQUENCE} THEN [][{too_long}:] ELSE {sql} END)"
    )


@raw("transform", "filter")
def higher_order(compiler: Compiler, node: exp.Expr) -> Typed:
    """``transform(array, x -> ..)``, ``filter(array, x -> ..)``."""
    name = function_name(node)
    if len(node.expressions) != 2 or not isinstance(node.expressions[1], exp.Lambda):
        raise QueryError(
            "FUNCTION_NOT_FOUND", f"Unexpected parameters for function {name}", compiler.position(node)
        )
    values, body = compiler.compile(node.expressions[0]), node.expressions[1]
    if values.type.kind is not Kind.ARRAY or len(body.expressions) != 1:
        raise QueryError(
            "FUNCTION_NOT_FOUND", f"Unexpected parameters for function {name}", compiler.position(node)
        )
    variable = compiler.statement.alias()
    name_written = body.expressions[0].name.lower()
    inner = compiler.with_variable(name_written, Field(name_written, values.type.items[0], variable))
    if name == "transform":
        mapped = inner.compile(body.this)
        return combine(
            f"list_transform({values.sql}, lambda {variable}: {mapped.sql})",
            types.array(mapped.type),
            values,
            mapped,
        )
    test = condition(inner, body.this, "Lambda")
    return combine(f"list_filter({values.sql}, lambda {variable}: {test.sql})", values.type, values, test)
