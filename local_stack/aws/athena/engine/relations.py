"""FROM: tables, subqueries, VALUES, UNNEST, joins."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlglot import exp

from local_stack.aws.athena.engine import types
from local_stack.aws.athena.engine.coercion import unify
from local_stack.aws.athena.engine.compiler import Compiler, check_parts
from local_stack.aws.athena.engine.errors import QueryError, not_supported, type_mismatch
from local_stack.aws.athena.engine.operators import comparison, condition
from local_stack.aws.athena.engine.scope import Field, Relation, Scope
from local_stack.aws.athena.engine.subqueries import compile_subquery
from local_stack.aws.athena.engine.typed import FreeColumn, Typed
from local_stack.aws.athena.engine.types import Kind, SqlType, quote

_SIDES = {"": "INNER", "LEFT": "LEFT", "RIGHT": "RIGHT", "FULL": "FULL"}


@dataclass(frozen=True)
class Source:
    """A FROM clause: its relation, and the columns of outer queries that it reads."""

    relation: Relation
    free: frozenset[FreeColumn] = frozenset()


def compile_from(compiler: Compiler, node: exp.Expr) -> Source:
    """A SELECT's FROM with its joins; without one, a single row of no columns."""
    from_ = node.args.get("from_")
    if from_ is None:
        return Source(Relation("(SELECT 1) AS nothing", ()))
    source = _item(compiler, from_.this, ())
    return _joined(compiler, source, [*(from_.this.args.get("joins") or []), *(node.args.get("joins") or [])])


def _joined(compiler: Compiler, source: Source, joins: list[exp.Expr]) -> Source:
    after_comma = False
    for join in joins:
        if after_comma and join.args.get("side") in ("RIGHT", "FULL"):
            raise not_supported("RIGHT or FULL JOIN behind a comma", compiler.position(join))
        after_comma |= not any(join.args.get(part) for part in ("side", "kind", "on", "using"))
        source = _join(compiler, source, join)
    return source


def _item(compiler: Compiler, node: exp.Expr, left: tuple[Field, ...]) -> Source:
    """One FROM item; ``left`` are the fields to its left, which UNNEST and LATERAL may read."""
    match node:
        case exp.Table():
            return Source(_table(compiler, node))
        case exp.Subquery():
            check_parts(node, ("this", "alias"), compiler.statement)
            if isinstance(node.this, exp.Table):
                return _joined(compiler, _item(compiler, node.this, ()), node.this.args.get("joins") or [])
            return _derived(compiler, node, node.this)
        case exp.Values():
            return _derived(compiler, node, node)
        case exp.Unnest():
            return _unnest(replace(compiler, scope=Scope(left, compiler.scope)), node)
        case exp.Lateral():
            check_parts(node, ("this", "alias"), compiler.statement)
            inside = replace(compiler, scope=Scope(left, compiler.scope))
            source = _derived(inside, node, node.this)
            return replace(source, relation=replace(source.relation, sql=f"LATERAL {source.relation.sql}"))
    raise not_supported(f"{type(node).__name__.upper()} in FROM", compiler.position(node))


def _table(compiler: Compiler, node: exp.Table) -> Relation:
    check_parts(node, ("this", "db", "catalog", "alias", "version", "joins"), compiler.statement)
    if not isinstance(node.this, exp.Identifier):
        raise not_supported(f"the table function {node.this.name}", compiler.position(node))
    common = compiler.common_tables.get(node.name.lower())
    if common and not node.args.get("db"):
        if node.args.get("version"):
            raise not_supported("time travel of a WITH query", compiler.position(node))
        alias = compiler.statement.alias()
        fields = tuple(
            replace(field, sql=f"{alias}.c{index}", qualifier=(node.name.lower(),))
            for index, field in enumerate(common.fields)
        )
        relation = Relation(f"{common.name} AS {alias}", fields)
    else:
        relation = compiler.statement.tables.relation(node, compiler.statement.database, compiler.statement)
    return _aliased(compiler, relation, node)


def _derived(compiler: Compiler, node: exp.Expr, query: exp.Expr) -> Source:
    """A query in FROM."""
    inner = compile_subquery(compiler, query)
    alias = compiler.statement.alias()
    fields = tuple(
        Field(field.name, field.type, f"{alias}.c{index}") for index, field in enumerate(inner.fields)
    )
    return Source(_aliased(compiler, Relation(f"({inner.sql}) AS {alias}", fields), node), inner.free)


def _aliased(compiler: Compiler, relation: Relation, node: exp.Expr) -> Relation:
    """The relation under the alias that is written, with its column names if there are any."""
    alias = node.args.get("alias")
    if alias is None:
        return relation
    if alias.this is not None:
        relation = relation.renamed(alias.name.lower())
    names = [column.name.lower() for column in alias.args.get("columns") or []]
    if not names:
        return relation
    visible = [field for field in relation.fields if not field.is_hidden]
    if len(names) != len(visible):
        available = f"'{alias.name}' has {len(visible)} columns available"
        message = f"Column alias list has {len(names)} entries but {available}"
        raise QueryError("MISMATCHED_COLUMN_ALIASES", message, compiler.position(node))
    fields = (replace(field, name=name) for field, name in zip(visible, names, strict=True))
    return replace(relation, fields=tuple(fields))


def _unnest(compiler: Compiler, node: exp.Expr) -> Source:
    """UNNEST of arrays and maps side by side: short ones end in NULLs, an array of rows gives its fields."""
    check_parts(node, ("expressions", "alias", "offset"), compiler.statement)
    inner, alias = compiler.statement.alias(), compiler.statement.alias()
    values = [compiler.compile(expression) for expression in node.expressions]
    columns, lengths = [], []
    outputs: list[tuple[str | None, SqlType, str]] = []
    for index, value in enumerate(values):
        sql, element = _unnested(compiler, value, node)
        columns.append(f"unnest({sql}) AS u{index}")
        lengths.append(f"coalesce(len({sql}), 0)")
        if element.kind is Kind.ROW:
            names = zip(element.names, element.field_names, element.items, strict=True)
            outputs += [(name, item, f"{inner}.u{index}.{quote(stored)}") for name, stored, item in names]
        else:
            outputs.append((None, element, f"{inner}.u{index}"))
    ordinality = node.args.get("offset")
    if ordinality:
        longest = f"greatest({', '.join(lengths)})" if len(lengths) > 1 else lengths[0]
        columns.append(f"unnest(range(1, {longest} + 1)) AS place")
        outputs.append(("ordinality", types.BIGINT, f"{inner}.place"))
    listed = ", ".join(f"{sql} AS c{index}" for index, (_, _, sql) in enumerate(outputs))
    sql = f"LATERAL (SELECT {listed} FROM (SELECT {', '.join(columns)}) AS {inner}) AS {alias}"
    fields = tuple(Field(name, type_, f"{alias}.c{index}") for index, (name, type_, _) in enumerate(outputs))
    relation = _aliased(compiler, Relation(sql, fields), _with_ordinality_name(node))
    free = frozenset().union(*(value.free for value in values))
    return Source(relation, frozenset(column for column in free if column.scope is not compiler.scope))


def _with_ordinality_name(node: exp.Expr) -> exp.Expr:
    """sqlglot takes the last column name away for the ordinality: put it back."""
    alias, offset = node.args.get("alias"), node.args.get("offset")
    if alias is None or not isinstance(offset, exp.Identifier) or not alias.args.get("columns"):
        return node
    restored = node.copy()
    restored.args["alias"].set("columns", [*alias.args["columns"], offset])
    return restored


def _unnested(compiler: Compiler, value: Typed, node: exp.Expr) -> tuple[str, SqlType]:
    """What to unnest, as an array, and the type of its elements."""
    if value.type.kind is Kind.ARRAY:
        return value.sql, value.type.items[0]
    if value.type.kind is Kind.MAP:
        key, item = value.type.items
        return f"map_entries({value.sql})", types.row(("key", "value"), (key, item))
    raise type_mismatch(f"Cannot unnest type: {value.type}", compiler.position(node))


def _join(compiler: Compiler, left: Source, node: exp.Expr) -> Source:
    check_parts(node, ("this", "side", "kind", "on", "using"), compiler.statement)
    side, kind = str(node.args.get("side") or "").upper(), str(node.args.get("kind") or "").upper()
    if side not in _SIDES or kind not in ("", "INNER", "OUTER", "CROSS"):
        raise not_supported(f"{side} {kind} JOIN".strip(), compiler.position(node))
    right = _item(compiler, node.this, left.relation.fields)
    right = _joined(
        compiler, right, [] if isinstance(node.this, exp.Subquery) else node.this.args.get("joins") or []
    )
    free = left.free | right.free
    fields = (*left.relation.fields, *right.relation.fields)
    partial = left.relation.is_partial or right.relation.is_partial
    using = node.args.get("using")
    if using:
        return _using(compiler, left, right, [name.name.lower() for name in using], _SIDES[side], node)
    if node.args.get("on") is None:
        if side or kind not in ("", "CROSS"):
            raise QueryError(
                "SYNTAX_ERROR", f"{side or kind} JOIN needs ON or USING", compiler.position(node)
            )
        sql = f"{left.relation.sql} CROSS JOIN {right.relation.sql}"
        return Source(Relation(sql, fields, partial), free)
    inside = Compiler(
        compiler.statement, Scope(fields, compiler.scope), compiler.common_tables, scalar_clause="JOIN clause"
    )
    test = _join_condition(inside, node.args["on"])
    free |= frozenset(column for column in test.free if column.scope is not inside.scope)
    lateral = isinstance(node.this, exp.Unnest | exp.Lateral)
    if lateral and (side not in ("", "LEFT") or test.sql != "TRUE"):
        raise not_supported(
            "a join with UNNEST or LATERAL other than CROSS, or LEFT JOIN .. ON TRUE", compiler.position(node)
        )
    sql = f"{left.relation.sql} {_SIDES[side]} JOIN {right.relation.sql} ON {test.sql}"
    return Source(Relation(f"({sql})", fields, partial), free)


def _join_condition(compiler: Compiler, node: exp.Expr) -> Typed:
    """ON: equalities of doubles are written so that DuckDB can hash them: false and NULL are alike here."""
    tests = []
    for part in node.flatten() if isinstance(node, exp.And) else [node]:
        if isinstance(part, exp.EQ):
            left, right = compiler.compile(part.left), compiler.compile(part.right)
            tests.append(_equal(compiler, part.left, left, right))
        else:
            tests.append(condition(compiler, part, "JOIN ON clause"))
    merged = tests[0]
    for test in tests[1:]:
        merged = replace(merged, sql=f"{merged.sql} AND {test.sql}", free=merged.free | test.free)
    return replace(merged, sql=f"({merged.sql})" if len(tests) > 1 else merged.sql)


def _equal(compiler: Compiler, at: exp.Expr, left: Typed, right: Typed) -> Typed:
    equal = comparison(compiler, at, "=", left, right)
    common = types.common_type(left.type, right.type)
    if common is None or not common.is_floating:
        return equal
    a, b = unify([left, right], "Join keys")
    return replace(equal, sql=f"(CASE WHEN isnan({a.sql}) THEN NULL ELSE {a.sql} END = {b.sql})")


def _using(
    compiler: Compiler, left: Source, right: Source, names: list[str], side: str, node: exp.Expr
) -> Source:
    """JOIN .. USING: the named columns come first and once, without a qualifier."""
    keys, tests = [], []
    for name in names:
        a, b = (_key(compiler, source, name, node) for source in (left, right))
        tests.append(_equal(compiler, node, Typed(a.sql, a.type), Typed(b.sql, b.type)).sql)
        first, second = unify(
            [Typed(a.sql, a.type), Typed(b.sql, b.type)], "USING columns", compiler.position(node)
        )
        merged = first.sql if side in ("INNER", "LEFT") else f"coalesce({first.sql}, {second.sql})"
        keys.append(Field(name, first.type, merged))
    sql = f"({left.relation.sql} {side} JOIN {right.relation.sql} ON ({' AND '.join(tests)}))"
    others = [
        field for source in (left, right) for field in source.relation.fields if field.name not in names
    ]
    partial = left.relation.is_partial or right.relation.is_partial
    return Source(Relation(sql, (*keys, *others), partial), left.free | right.free)


def _key(compiler: Compiler, source: Source, name: str, node: exp.Expr) -> Field:
    found = Scope(source.relation.fields).find((), name, compiler.position(node))
    if found is None:
        message = f"Column '{name}' is missing from one side of join"
        raise QueryError("COLUMN_NOT_FOUND", message, compiler.position(node))
    return found.field
