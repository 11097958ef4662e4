"""Functions of numbers whose results are exact to the last bit.

Powers, exponentials, logarithms and trigonometry are left out: Java's and C's last digits differ.
"""

from __future__ import annotations

from local_stack.aws.athena.engine import types
from local_stack.aws.athena.engine.calls import Call, boolean_result, scalar
from local_stack.aws.athena.engine.coercion import unify
from local_stack.aws.athena.engine.operators import arithmetic, orderable
from local_stack.aws.athena.engine.typed import Typed, failure
from local_stack.aws.athena.engine.types import Kind, decimal, text


@scalar("abs")
def absolute(call: Call) -> Typed:
    """Absolute value; the smallest bigint has none and fails."""
    call.arity(1)
    value = call.number(0)
    return call.result(f"abs({value.sql})", value.type)


@scalar("ceil", "ceiling", "floor")
def whole(call: Call) -> Typed:
    """The whole number above or below."""
    call.arity(1)
    value = call.number(0)
    name = "floor" if call.name == "floor" else "ceil"
    if value.type.is_integer:
        return call.result(value.sql, value.type)
    if value.type.kind is Kind.DECIMAL:
        digits = (value.type.precision or 0) - value.type.scale + min(value.type.scale, 1)
        type_ = decimal(max(digits, 1), 0)
        return call.result(f"CAST({name}({value.sql}) AS {type_.duckdb})", type_)
    return call.result(f"{name}({value.sql})", value.type)


@scalar("round")
def rounded(call: Call) -> Typed:
    """Half away from zero, to a literal number of decimals."""
    call.arity(1, 2)
    value = call.number(0)
    digits = call.literal_integer(1) if len(call.args) == 2 else 0
    if value.type.kind is Kind.DECIMAL:
        return _rounded_decimal(call, value, digits)
    if value.type.is_integer:
        if digits < 0:
            raise call.unsupported("of a whole number to negative decimals")
        return call.result(value.sql, value.type)
    if value.type.kind is Kind.REAL or not 0 <= digits <= 15:
        raise call.unsupported("of this type or to this many decimals")
    factor = f"CAST('1e{digits}' AS DOUBLE)"
    return call.result(f"athena_round({value.sql}, {factor})", types.DOUBLE, refusing=True)


def _rounded_decimal(call: Call, value: Typed, digits: int) -> Typed:
    precision, scale = value.type.precision or 0, value.type.scale
    if len(call.args) == 1:
        type_ = decimal(max(precision - scale + min(scale, 1), 1), 0)
    else:
        type_ = decimal(precision + 1, scale)
    if digits < 0:
        raise call.unsupported("of a decimal to negative decimals")
    if digits >= scale:
        return call.result(f"CAST({value.sql} AS {type_.duckdb})", type_)
    narrowed = decimal(precision - scale + digits + 1, digits)
    return call.result(f"CAST(CAST({value.sql} AS {narrowed.duckdb}) AS {type_.duckdb})", type_)


@scalar("sign")
def sign(call: Call) -> Typed:
    """-1, 0 or 1 in the argument's type."""
    call.arity(1)
    value = call.number(0)
    if value.type.kind is Kind.DECIMAL:
        type_ = decimal(1, 0)
        return call.result(f"CAST(sign({value.sql}) AS {type_.duckdb})", type_)
    if value.type.is_floating:
        nan_kept = f"CASE WHEN isnan({value.sql}) OR {value.sql} = 0 THEN {value.sql}"
        return call.result(
            f"({nan_kept} ELSE CAST(sign({value.sql}) AS {value.type.duckdb}) END)", value.type
        )
    return call.result(f"CAST(sign({value.sql}) AS {value.type.duckdb})", value.type)


@scalar("mod")
def modulo(call: Call) -> Typed:
    """The remainder, with the dividend's sign."""
    call.arity(2)
    if call.node.expressions and not (call.args[0].type.is_numeric and call.args[1].type.is_numeric):
        raise call.unexpected()
    return arithmetic(call.compiler, call.node, "%", call.args[0], call.args[1])


@scalar("sqrt")
def square_root(call: Call) -> Typed:
    """Square root; NaN of a negative number."""
    call.arity(1)
    value = call.as_type(0, types.DOUBLE)
    return call.result(
        f"(CASE WHEN {value.sql} < 0 THEN CAST('NaN' AS DOUBLE) ELSE sqrt({value.sql}) END)", types.DOUBLE
    )


@scalar("is_nan", "is_infinite", "is_finite")
def is_special(call: Call) -> Typed:
    """Whether a double is NaN, infinite, neither."""
    call.arity(1)
    value = call.as_type(0, types.DOUBLE)
    return boolean_result(call, f"{call.name.replace('_', '').replace('infinite', 'inf')}({value.sql})")


@scalar("nan", "infinity")
def special(call: Call) -> Typed:
    """NaN, positive infinity."""
    call.arity(0)
    return call.result(f"CAST({text(call.name)} AS DOUBLE)", types.DOUBLE)


@scalar("greatest", "least")
def extreme(call: Call) -> Typed:
    """The largest or smallest argument; NULL if any is NULL. A NaN among them is refused."""
    if not call.args:
        raise call.unexpected()
    values = unify(call.args, "All arguments", call.position)
    for value in values:
        orderable(call.compiler, value, call.node)
    type_ = values[0].type
    listed = ", ".join(value.sql for value in values)
    nothing = " OR ".join(f"{value.sql} IS NULL" for value in values)
    guard = ""
    if type_.is_floating:
        refused = failure(
            "NOT_SUPPORTED", text(f"{call.name} of NaN is not supported by the emulated Athena"), type_
        )
        guard = f"WHEN {' OR '.join(f'isnan({value.sql})' for value in values)} THEN {refused} "
    sql = f"(CASE WHEN {nothing} THEN NULL {guard}ELSE {call.name}({listed}) END)"
    return call.result(sql, type_, refusing=type_.is_floating)
