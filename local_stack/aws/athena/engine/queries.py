"""Queries: SELECT, set operations, VALUES, WITH. Each compiles to SQL with columns c0, c1, ..."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from local_stack.aws.athena.engine.coercion import convert, unify
from local_stack.aws.athena.engine.compiler import CommonTable, Compiler, Statement, check_parts
from local_stack.aws.athena.engine.errors import QueryError, not_supported, type_mismatch
from local_stack.aws.athena.engine.operators import orderable
from local_stack.aws.athena.engine.ordering import direction, limit_clause, output_place
from local_stack.aws.athena.engine.scope import Field, Scope
from local_stack.aws.athena.engine.selects import compile_select
from local_stack.aws.athena.engine.subqueries import CompiledQuery, compiles_queries
from local_stack.aws.athena.engine.typed import Typed
from local_stack.aws.athena.engine.types import Kind, common_type

_SET_OPERATIONS: dict[type[exp.Expr], str] = {
    exp.Union: "UNION",
    exp.Intersect: "INTERSECT",
    exp.Except: "EXCEPT",
}


def compile_query(statement: Statement, node: exp.Expr) -> CompiledQuery:
    """A whole query, with nothing around it."""
    return compile_nested(Compiler(statement, Scope()), node)


@compiles_queries
def compile_nested(compiler: Compiler, node: exp.Expr) -> CompiledQuery:
    """A query inside another; ``compiler`` is of the expression or FROM clause that holds it."""
    outer = Compiler(compiler.statement, compiler.scope, compiler.common_tables)
    outer, definitions = _with_clause(outer, node.args.get("with_"))
    match node:
        case exp.Select():
            query = compile_select(outer, node)
        case exp.Union() | exp.Intersect() | exp.Except():
            query = _set_operation(outer, node)
        case exp.Values():
            query = _values(outer, node)
        case exp.Subquery() | exp.Paren():
            check_parts(node, ("this", "alias", "with_", "order", "limit", "offset"), outer.statement)
            query = _sorted(outer, node, compile_nested(outer, node.this))
        case _:
            raise not_supported(f"{type(node).__name__.upper()} as a query", outer.position(node))
    return replace(query, sql=f"WITH {', '.join(definitions)} {query.sql}") if definitions else query


def _with_clause(compiler: Compiler, node: exp.Expr | None) -> tuple[Compiler, list[str]]:
    """The compiler that knows the WITH queries, and their SQL."""
    if node is None:
        return compiler, []
    if node.args.get("recursive"):
        raise not_supported("WITH RECURSIVE", compiler.position(node))
    tables = dict(compiler.common_tables)
    definitions: list[str] = []
    for query in node.expressions:
        check_parts(query, ("this", "alias"), compiler.statement)
        compiled = compile_nested(replace(compiler, common_tables=tables), query.this)
        names = [column.name.lower() for column in query.args["alias"].args.get("columns") or []]
        if names and len(names) != len(compiled.fields):
            available = f"WITH query({query.alias}) has {len(compiled.fields)} columns"
            message = f"WITH column alias list has {len(names)} entries but {available}"
            raise QueryError("MISMATCHED_COLUMN_ALIASES", message, compiler.position(query))
        fields = tuple(
            replace(field, name=names[index] if names else field.name)
            for index, field in enumerate(compiled.fields)
        )
        name = compiler.statement.alias()
        definitions.append(f"{name} AS ({compiled.sql})")
        tables = {**tables, query.alias.lower(): CommonTable(name, fields)}
    return replace(compiler, common_tables=tables), definitions


def _set_operation(compiler: Compiler, node: exp.Expr) -> CompiledQuery:
    check_parts(
        node, ("this", "expression", "distinct", "order", "limit", "offset", "with_"), compiler.statement
    )
    left, right = (compile_nested(compiler, node.args[side]) for side in ("this", "expression"))
    operation = _SET_OPERATIONS[type(node)]
    sizes = len(left.fields), len(right.fields)
    if sizes[0] != sizes[1]:
        message = f"{operation} query has different number of fields: {sizes[0]}, {sizes[1]}"
        raise type_mismatch(message, compiler.position(node))
    fields = []
    for index, (a, b) in enumerate(zip(left.fields, right.fields, strict=True)):
        common = common_type(a.type, b.type)
        if common is None:
            message = f"column {index + 1} in {operation} query has incompatible types: {a.type}, {b.type}"
            raise type_mismatch(message, compiler.position(node))
        if common.kind is Kind.MAP:
            raise not_supported(f"{operation} of maps", compiler.position(node))
        fields.append(Field(a.name, common, f"c{index}"))
    distinct = "" if node.args.get("distinct") else " ALL"
    sides = [_as_types(compiler, side, tuple(fields)) for side in (left, right)]
    combined = CompiledQuery(
        f"{sides[0]} {operation}{distinct} {sides[1]}",
        tuple(fields),
        left.free | right.free,
        left.refusing or right.refusing,
    )
    return _sorted(compiler, node, combined)


def _as_types(compiler: Compiler, query: CompiledQuery, fields: tuple[Field, ...]) -> str:
    """One side of a set operation, its columns converted to the common types."""
    alias = compiler.statement.alias()
    columns = [
        convert(Typed(f"{alias}.c{index}", own.type), field.type).sql
        if own.type != field.type
        else f"{alias}.c{index}"
        for index, (own, field) in enumerate(zip(query.fields, fields, strict=True))
    ]
    listed = ", ".join(f"{column} AS c{index}" for index, column in enumerate(columns))
    return f"(SELECT {listed} FROM ({query.sql}) AS {alias})"


def _sorted(compiler: Compiler, node: exp.Expr, query: CompiledQuery) -> CompiledQuery:
    """ORDER BY, OFFSET and LIMIT behind a set operation or a parenthesis: they see output columns alone."""
    order = node.args.get("order")
    limits = limit_clause(compiler, node)
    if order is None and not limits:
        return query
    alias = compiler.statement.alias()
    fields = tuple(
        Field(field.name, field.type, f"{alias}.c{index}") for index, field in enumerate(query.fields)
    )
    inside = Compiler(
        compiler.statement, Scope(fields), compiler.common_tables, scalar_clause="ORDER BY clause"
    )
    terms = []
    for term in order.expressions if order else []:
        place = output_place(inside, term.this, len(fields))
        value = (
            Typed(fields[place].sql, fields[place].type) if place is not None else inside.compile(term.this)
        )
        orderable(inside, value, term)
        terms.append(f"{value.sql} {direction(inside, term)}")
    ordering = f" ORDER BY {', '.join(terms)}" if terms else ""
    return replace(query, sql=f"SELECT * FROM ({query.sql}) AS {alias}{ordering}{limits}")


def _values(compiler: Compiler, node: exp.Expr) -> CompiledQuery:
    """VALUES: every column takes the common type of its values."""
    check_parts(node, ("expressions", "alias", "order", "limit", "offset", "with_"), compiler.statement)
    rows = []
    for written in node.expressions:
        items = written.expressions if isinstance(written, exp.Tuple) else [written]
        rows.append([compiler.compile(item) for item in items])
    if len({len(row) for row in rows}) != 1:
        message = "Values rows have mismatched sizes"
        raise type_mismatch(message, compiler.position(node))
    columns = [
        unify(list(column), "Values rows", compiler.position(node)) for column in zip(*rows, strict=True)
    ]
    listed = ", ".join(f"({', '.join(value.sql for value in row)})" for row in zip(*columns, strict=True))
    names = ", ".join(f"c{index}" for index in range(len(columns)))
    alias = compiler.statement.alias()
    cast = ", ".join(
        f"CAST({alias}.c{index} AS {column[0].type.duckdb}) AS c{index}"
        for index, column in enumerate(columns)
    )
    fields = tuple(Field(None, column[0].type, f"c{index}") for index, column in enumerate(columns))
    free = frozenset().union(*(value.free for row in rows for value in row))
    query = CompiledQuery(f"SELECT {cast} FROM (VALUES {listed}) AS {alias}({names})", fields, free)
    return _sorted(compiler, node, query)
