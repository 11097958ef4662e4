"""One SELECT."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlglot import exp

from local_stack.aws.athena.engine.compiler import Compiler, check_parts
from local_stack.aws.athena.engine.errors import QueryError, not_supported
from local_stack.aws.athena.engine.grouping import Grouping, compile_grouping
from local_stack.aws.athena.engine.operators import condition, orderable
from local_stack.aws.athena.engine.ordering import direction, limit_clause, output_place
from local_stack.aws.athena.engine.references import name_parts
from local_stack.aws.athena.engine.relations import Source, compile_from
from local_stack.aws.athena.engine.scope import Field, Scope
from local_stack.aws.athena.engine.subqueries import CompiledQuery
from local_stack.aws.athena.engine.typed import FreeColumn, Typed

_PARTS = [
    "expressions",
    "from_",
    "joins",
    "where",
    "group",
    "having",
    "windows",
    "distinct",
    "order",
    "limit",
    "offset",
    "with_",
]


@dataclass(frozen=True)
class Item:
    """One column of the SELECT list: its name (None: it has none), its value, and its node."""

    name: str | None
    value: Typed
    node: exp.Expr


def compile_select(outer: Compiler, node: exp.Expr) -> CompiledQuery:
    """A SELECT; ``outer`` holds the names of the queries around it."""
    check_parts(node, _PARTS, outer.statement)
    source = compile_from(outer, node)
    scope = Scope(source.relation.fields, outer.scope)
    plain = replace(outer, scope=scope, windows=_named_windows(node))
    used: list[Typed] = []
    where = ""
    if node.args.get("where"):
        test = condition(
            replace(plain, scalar_clause="WHERE clause"), node.args["where"].this, "WHERE clause"
        )
        used.append(test)
        where = f" WHERE {test.sql}"
    items = _items(plain, node, source)
    grouping = compile_grouping(plain, node, [(item.value, item.node) for item in items])
    grouped = replace(plain, groups=grouping.keys if grouping.applies else None)
    if grouping.applies:
        items = _items(grouped, node, source)
        for item in items:
            grouped.check_grouped(item.value, item.node)
    having = _having(grouped, node, grouping, used)
    distinct = _distinct(plain, node)
    order = _order(grouped, node, items, distinct=bool(distinct))
    used += [*(item.value for item in items), *order.values, *grouping.values]
    listed = ", ".join(f"{item.value.sql} AS c{index}" for index, item in enumerate(items))
    sql = (
        f"SELECT {distinct}{listed} FROM {source.relation.sql}{where}{grouping.sql}{having}"
        f"{order.sql}{limit_clause(plain, node)}"
    )
    fields = tuple(Field(item.name, item.value.type, f"c{index}") for index, item in enumerate(items))
    free = source.free.union(*(value.free for value in used))
    refusing = any(value.refusing for value in used)
    return CompiledQuery(
        sql, fields, frozenset(column for column in free if column.scope is not scope), refusing
    )


def _named_windows(node: exp.Expr) -> dict[str, exp.Expr]:
    return {window.this.name.lower(): window for window in node.args.get("windows") or []}


def _distinct(compiler: Compiler, node: exp.Expr) -> str:
    distinct = node.args.get("distinct")
    if distinct is None:
        return ""
    check_parts(distinct, (), compiler.statement)
    return "DISTINCT "


def _items(compiler: Compiler, node: exp.Expr, source: Source) -> list[Item]:
    items: list[Item] = []
    for expression in node.expressions:
        if isinstance(expression, exp.Star) or (
            isinstance(expression, exp.Column) and isinstance(expression.this, exp.Star)
        ):
            items += _star(compiler, expression, source)
        elif isinstance(expression, exp.Alias):
            check_parts(expression, ("this", "alias"), compiler.statement)
            items.append(Item(expression.alias.lower(), compiler.compile(expression.this), expression.this))
        else:
            parts = name_parts(expression)
            items.append(Item(parts[-1] if parts else None, compiler.compile(expression), expression))
    if not items:
        raise QueryError(
            "COLUMN_NOT_FOUND",
            "SELECT * not allowed from relation that has no columns",
            compiler.position(node),
        )
    for item in items:
        if item.value.type.is_interval:
            raise not_supported("an interval as a result", compiler.position(item.node))
    return items


def _star(compiler: Compiler, node: exp.Expr, source: Source) -> list[Item]:
    star = node if isinstance(node, exp.Star) else node.this
    check_parts(star, (), compiler.statement)
    qualifier = tuple(part.name.lower() for part in node.parts[:-1]) if isinstance(node, exp.Column) else ()
    if source.relation.is_partial:
        raise not_supported("* of this table (name the columns)", compiler.position(node))
    fields = [
        field
        for field in source.relation.fields
        if not field.is_hidden and (not qualifier or field.qualifier[-len(qualifier) :] == qualifier)
    ]
    if qualifier and not fields:
        message = f"Unable to resolve reference {'.'.join(qualifier)}"
        raise QueryError("TABLE_NOT_FOUND", message, compiler.position(node))
    return [Item(field.name, _column(compiler, field), node) for field in fields]


def _column(compiler: Compiler, field: Field) -> Typed:
    column = FreeColumn(compiler.scope, field.sql, field.name or "?")
    return compiler.grouped(Typed(field.sql, field.type, free=frozenset({column})))


def _having(compiler: Compiler, node: exp.Expr, grouping: Grouping, used: list[Typed]) -> str:
    having = node.args.get("having")
    if having is None:
        return ""
    test = condition(compiler, having.this, "HAVING clause")
    if test.window:
        raise QueryError(
            "NESTED_WINDOW", "HAVING clause cannot contain window functions", compiler.position(having)
        )
    if grouping.applies:
        compiler.check_grouped(test, having.this)
    used.append(test)
    return f" HAVING {test.sql}"


@dataclass(frozen=True)
class _Order:
    sql: str = ""
    values: tuple[Typed, ...] = ()


def _order(compiler: Compiler, node: exp.Expr, items: list[Item], *, distinct: bool) -> _Order:
    """ORDER BY: ordinals and output names first, then the tables' columns."""
    order = node.args.get("order")
    if order is None:
        return _Order()
    outputs: dict[str, list[Typed]] = {}
    for item in items:
        if item.name:
            outputs.setdefault(item.name, []).append(item.value)
    inside = replace(compiler, outputs=outputs)
    places = {item.value.sql: index for index, item in enumerate(items)}
    terms, values = [], []
    for term in order.expressions:
        place = output_place(compiler, term.this, len(items))
        value = items[place].value if place is not None else inside.compile(term.this)
        orderable(compiler, value, term)
        compiler.check_grouped(value, term.this)
        if value.aggregate and compiler.groups is None:
            raise not_supported("an aggregate in ORDER BY alone", compiler.position(term))
        position = places.get(value.sql)
        if distinct and position is None:
            message = "For SELECT DISTINCT, ORDER BY expressions must appear in select list"
            raise QueryError("EXPRESSION_NOT_IN_DISTINCT", message, compiler.position(term))
        terms.append(f"{value.sql if position is None else position + 1} {direction(compiler, term)}")
        values.append(value)
    return _Order(f" ORDER BY {', '.join(terms)}", tuple(values))
