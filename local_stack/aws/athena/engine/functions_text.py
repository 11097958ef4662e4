"""Functions of strings, and those that choose among values."""

from __future__ import annotations

from local_stack.aws.athena.engine import types
from local_stack.aws.athena.engine.calls import Call, boolean_result, scalar
from local_stack.aws.athena.engine.coercion import unify
from local_stack.aws.athena.engine.errors import QueryError
from local_stack.aws.athena.engine.operators import comparison
from local_stack.aws.athena.engine.regular_expressions import re2_pattern
from local_stack.aws.athena.engine.typed import Typed, combine
from local_stack.aws.athena.engine.types import UNBOUNDED, Kind, SqlType, text

_WHITESPACE = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \u1680" + "".join(
    map(chr, (*range(0x2000, 0x2007), *range(0x2008, 0x200B), 0x2028, 0x2029, 0x205F, 0x3000))
)
"""What Java counts as white space, which Athena trims; DuckDB trims blanks alone."""

VARCHAR, BIGINT = types.VARCHAR, types.BIGINT


@scalar("lower", "upper")
def change_case(call: Call) -> Typed:
    """Letters changed one by one: ß has no upper case."""
    call.arity(1)
    value = call.as_type(0, VARCHAR)
    function = "athena_upper" if call.name == "upper" else "lower"
    return call.result(f"{function}({value.sql})", _text_type(call))


def _text_type(call: Call) -> SqlType:
    """The first argument's type: a part of a varchar(5) is a varchar(5)."""
    return call.args[0].type if call.args[0].type.kind is Kind.VARCHAR else VARCHAR


@scalar("length")
def length(call: Call) -> Typed:
    """Number of characters (code points)."""
    call.arity(1)
    return call.result(f"length({call.as_type(0, VARCHAR).sql})", BIGINT)


@scalar("trim", "ltrim", "rtrim")
def trim(call: Call) -> Typed:
    """Without the white space, or the given characters, at its ends."""
    call.arity(1, 2)
    characters = call.as_type(1, VARCHAR).sql if len(call.args) == 2 else text(_WHITESPACE)
    return call.result(f"{call.name}({call.as_type(0, VARCHAR).sql}, {characters})", _text_type(call))


@scalar("substr")
def substring(call: Call) -> Typed:
    """Part of a string: positions count from 1, negative ones from the end, 0 gives nothing."""
    call.arity(2, 3)
    value, first = call.as_type(0, VARCHAR), call.as_type(1, BIGINT)
    amount = call.as_type(2, BIGINT).sql if len(call.args) == 3 else f"length({value.sql})"
    return call.result(f"athena_substr({value.sql}, {first.sql}, {amount})", _text_type(call))


@scalar("concat")
def concat(call: Call) -> Typed:
    """Strings in a row; NULL if any is NULL."""
    if len(call.args) < 2:
        raise call.unexpected()
    if any(arg.type.kind is Kind.ARRAY for arg in call.args):
        raise call.unsupported("of arrays")
    return call.result(
        f"({' || '.join(call.as_type(index, VARCHAR).sql for index in range(len(call.args)))})", VARCHAR
    )


@scalar("replace")
def replace(call: Call) -> Typed:
    """Every occurrence replaced, or removed."""
    call.arity(2, 3)
    if call.literal_text(1) == "":
        raise call.unsupported("of an empty string")
    value, old = call.as_type(0, VARCHAR), call.as_type(1, VARCHAR)
    if len(call.args) == 2:
        return call.result(f"replace({value.sql}, {old.sql}, '')", _text_type(call))
    new = call.as_type(2, VARCHAR)
    length, growth = _text_type(call).precision, call.args[2].type.precision
    longest = None if length is None or growth is None else min(length + growth * (length + 1), UNBOUNDED)
    return call.result(f"replace({value.sql}, {old.sql}, {new.sql})", types.varchar(longest))


@scalar("strpos")
def strpos(call: Call) -> Typed:
    """Place of the first occurrence, from 1; 0 if there is none."""
    call.arity(2)
    return call.result(f"strpos({call.as_type(0, VARCHAR).sql}, {call.as_type(1, VARCHAR).sql})", BIGINT)


@scalar("starts_with")
def starts_with(call: Call) -> Typed:
    """Whether a string begins with another."""
    call.arity(2)
    return boolean_result(
        call, f"starts_with({call.as_type(0, VARCHAR).sql}, {call.as_type(1, VARCHAR).sql})"
    )


@scalar("split")
def split(call: Call) -> Typed:
    """The parts between a literal delimiter."""
    call.arity(2)
    if call.literal_text(1) == "":
        raise QueryError(
            "INVALID_FUNCTION_ARGUMENT", "The delimiter may not be the empty string", call.position
        )
    sql = f"string_split({call.as_type(0, VARCHAR).sql}, {call.as_type(1, VARCHAR).sql})"
    return call.result(sql, types.array(_text_type(call)))


@scalar("split_part")
def split_part(call: Call) -> Typed:
    """One part, from 1; NULL beyond the last."""
    call.arity(3)
    value, delimiter, place = call.as_type(0, VARCHAR), call.as_type(1, VARCHAR), call.as_type(2, BIGINT)
    sql = f"athena_split_part({value.sql}, {delimiter.sql}, {place.sql})"
    return call.result(sql, _text_type(call), refusing=True)


@scalar("lpad", "rpad")
def pad(call: Call) -> Typed:
    """Filled, or cut, to a literal length."""
    call.arity(3)
    if call.literal_integer(1) < 0 or call.literal_text(2) == "":
        message = "Target length must be in the range [0..2147483647] and the padding string not empty"
        raise QueryError("INVALID_FUNCTION_ARGUMENT", message, call.position)
    value, padding = call.as_type(0, VARCHAR), call.as_type(2, VARCHAR)
    return call.result(
        f"{call.name}({value.sql}, CAST({call.literal_integer(1)} AS INTEGER), {padding.sql})", VARCHAR
    )


@scalar("regexp_like")
def regexp_like(call: Call) -> Typed:
    """Whether a pattern occurs; only patterns that all engines read alike."""
    call.arity(2)
    pattern = re2_pattern(call.literal_text(1), call.position)
    return boolean_result(call, f"regexp_matches({call.as_type(0, VARCHAR).sql}, {text(pattern)})")


@scalar("regexp_extract")
def regexp_extract(call: Call) -> Typed:
    """The first match, or NULL."""
    call.arity(2)
    pattern = text(re2_pattern(call.literal_text(1), call.position))
    value = call.as_type(0, VARCHAR)
    sql = (
        f"(CASE WHEN regexp_matches({value.sql}, {pattern}) THEN regexp_extract({value.sql}, {pattern}) END)"
    )
    return call.result(sql, _text_type(call))


@scalar("coalesce")
def coalesce(call: Call) -> Typed:
    """The first that is not NULL."""
    if len(call.args) < 2:
        raise QueryError(
            "SYNTAX_ERROR", "The 'coalesce' function must have at least two arguments", call.position
        )
    values = unify(call.args, "All COALESCE operands", call.position)
    return call.result(f"coalesce({', '.join(value.sql for value in values)})", values[0].type)


@scalar("nullif")
def nullif(call: Call) -> Typed:
    """NULL if both are equal, else the first."""
    call.arity(2)
    first, second = call.args
    equal = comparison(call.compiler, call.node.expressions[0], "=", first, second)
    return combine(f"(CASE WHEN {equal.sql} THEN NULL ELSE {first.sql} END)", first.type, first, second)
