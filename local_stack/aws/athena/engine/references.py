"""Columns, struct fields and subscripts."""

from __future__ import annotations

from sqlglot import exp

from local_stack.aws.athena.engine import types
from local_stack.aws.athena.engine.coercion import coerce, unify
from local_stack.aws.athena.engine.compiler import Compiler, handles
from local_stack.aws.athena.engine.errors import QueryError, not_supported, type_mismatch
from local_stack.aws.athena.engine.scope import Found
from local_stack.aws.athena.engine.syntax import AthenaSql
from local_stack.aws.athena.engine.typed import FreeColumn, Typed, combine
from local_stack.aws.athena.engine.types import Kind, quote

_CATALOG = "awsdatacatalog"
_UNAUTHORIZED = "or requester is not authorized to access requested resources"


def name_parts(node: exp.Expr) -> tuple[str, ...] | None:
    """``a.b.c`` as lower-case names, None if the node is more than a dotted name."""
    if isinstance(node, exp.Identifier):
        return (node.name.lower(),)
    if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
        return tuple(part.name.lower() for part in node.parts)
    if isinstance(node, exp.Dot):
        before, after = name_parts(node.this), name_parts(node.expression)
        return (*before, *after) if before and after else None
    return None


def last_name(node: exp.Expr) -> str | None:
    """The last part of a dotted name as it is written, which names a column of the result."""
    if name_parts(node) is None:
        return None
    return str(node.expression.name if isinstance(node, exp.Dot) else node.name)


@handles(exp.Column, args="this table db catalog")
def column(compiler: Compiler, node: exp.Expr) -> Typed:
    """A column by its name, or a field of a struct column."""
    parts = name_parts(node)
    if parts is None:
        raise not_supported("* in this place", compiler.position(node))
    return dotted(compiler, parts, node)


@handles(exp.Identifier, args="this quoted")
def identifier(compiler: Compiler, node: exp.Expr) -> Typed:
    """A lambda's variable."""
    return dotted(compiler, (node.name.lower(),), node)


@handles(exp.Dot)
def dot(compiler: Compiler, node: exp.Expr) -> Typed:
    """A field of a struct, ``(expression).field`` or a long dotted name."""
    parts = name_parts(node)
    if parts is not None:
        return dotted(compiler, parts, node)
    if not isinstance(node.expression, exp.Identifier):
        raise not_supported(f"'{node.expression.name}' after a dot", compiler.position(node))
    base = node.this.sql(dialect=AthenaSql)
    return _field(compiler, compiler.compile(node.this), node.expression.name.lower(), base, node)


def dotted(compiler: Compiler, parts: tuple[str, ...], node: exp.Expr) -> Typed:
    """What a dotted name means: the longest part of it that names a column, then fields of that.

    Raises:
        QueryError: COLUMN_NOT_FOUND.
    """
    variable = compiler.variables.get(parts[0])
    if variable:
        return _fields(compiler, Typed(variable.sql, variable.type), parts, 1, node)
    if compiler.outputs.get(parts[0]):
        return _fields(compiler, _output(compiler, parts[0], node), parts, 1, node)
    names = parts[1:] if parts[0] == _CATALOG and len(parts) > 1 else parts
    position = compiler.position(node)
    for split in range(min(len(names), 3) - 1, -1, -1):
        found = compiler.scope.find(names[:split], names[split], position)
        if found:
            return _fields(compiler, _reference(compiler, found), names, split + 1, node)
    message = f"Column '{'.'.join(parts)}' cannot be resolved {_UNAUTHORIZED}"
    raise QueryError("COLUMN_NOT_FOUND", message, position)


def _output(compiler: Compiler, name: str, node: exp.Expr) -> Typed:
    """ORDER BY sees the SELECT list's names before the tables and their columns, even in ``name.column``."""
    candidates = compiler.outputs[name]
    if len({candidate.sql for candidate in candidates}) > 1:
        raise QueryError("AMBIGUOUS_NAME", f"Column '{name}' is ambiguous", compiler.position(node))
    return candidates[0]


def _reference(compiler: Compiler, found: Found) -> Typed:
    field = found.field
    column = FreeColumn(found.scope, field.sql, field.name or "?")
    return compiler.grouped(Typed(field.sql, field.type, free=frozenset({column})))


def _fields(compiler: Compiler, value: Typed, names: tuple[str, ...], start: int, node: exp.Expr) -> Typed:
    """The field that the names from ``start`` on lead to, from the value that those before name."""
    for place in range(start, len(names)):
        value = _field(compiler, value, names[place], ".".join(names[:place]), node)
    return value


def _field(compiler: Compiler, value: Typed, name: str, base: str, node: exp.Expr) -> Typed:
    if value.type.kind is not Kind.ROW:
        message = f"Expression {base} is not of type ROW"
        raise type_mismatch(message, compiler.position(node))
    matching = [index for index, field in enumerate(value.type.names) if field and field.lower() == name]
    if len(matching) != 1:
        code, what = (
            ("AMBIGUOUS_NAME", "Ambiguous row field reference")
            if matching
            else ("COLUMN_NOT_FOUND", "No row field")
        )
        raise QueryError(code, f"{what}: {name}", compiler.position(node))
    index = matching[0]
    sql = f"{value.sql}.{quote(value.type.field_names[index])}"
    return compiler.grouped(combine(sql, value.type.items[index], value))


@handles(exp.Bracket, args="this expressions")
def subscript(compiler: Compiler, node: exp.Expr) -> Typed:
    """``array[n]`` from 1, ``map[key]``; an index or a key that is not there is an error."""
    if len(node.expressions) != 1:
        raise not_supported("a subscript of several values", compiler.position(node))
    value, index = compiler.compile(node.this), compiler.compile(node.expressions[0])
    if value.type.kind is Kind.ARRAY:
        place = coerce(index, types.BIGINT, compiler.position(node))
        return combine(f"athena_array_get({value.sql}, {place.sql})", value.type.items[0], value, index)
    if value.type.kind is Kind.MAP:
        key = coerce(index, value.type.items[0], compiler.position(node))
        return combine(f"athena_map_get({value.sql}, {key.sql})", value.type.items[1], value, index)
    raise type_mismatch(f"Cannot subscript {value.type}", compiler.position(node))


@handles(exp.Array, args="expressions value_constructor")
def array_constructor(compiler: Compiler, node: exp.Expr) -> Typed:
    """``ARRAY[a, b]``."""
    values = [compiler.compile(item) for item in node.expressions]
    if not values:
        return Typed("CAST([] AS INTEGER[])", types.array(types.UNKNOWN))
    values = unify(values, "All ARRAY elements", compiler.position(node))
    type_ = types.array(values[0].type)
    return combine(f"CAST([{', '.join(value.sql for value in values)}] AS {type_.duckdb})", type_, *values)
