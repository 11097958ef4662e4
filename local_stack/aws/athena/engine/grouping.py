"""GROUP BY: keys, ordinals, GROUPING SETS, ROLLUP, CUBE."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlglot import exp

from local_stack.aws.athena.engine.compiler import Compiler, check_parts
from local_stack.aws.athena.engine.errors import QueryError, not_supported
from local_stack.aws.athena.engine.typed import Typed
from local_stack.aws.athena.engine.types import Kind


@dataclass(frozen=True)
class Grouping:
    """A GROUP BY clause: its SQL, its keys' SQL, and the keys. ``applies``: rows are grouped, if into one."""

    applies: bool
    sql: str = ""
    values: tuple[Typed, ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        """The keys' SQL."""
        return frozenset(value.sql for value in self.values)


def compile_grouping(compiler: Compiler, node: exp.Expr, items: list[tuple[Typed, exp.Expr]]) -> Grouping:
    """The grouping of a SELECT whose list, compiled as if nothing were grouped, is ``items``."""
    group = node.args.get("group")
    if group is None:
        aggregates = any(value.aggregate for value, _ in items) or node.args.get("having") is not None
        return Grouping(applies=aggregates)
    check_parts(group, ("expressions",), compiler.statement)
    keys = replace(compiler, scalar_clause="GROUP BY clause")
    values: list[Typed] = []

    def sql_of(part: exp.Expr) -> str:
        match part:
            case exp.Rollup() | exp.Cube() | exp.GroupingSets():
                check_parts(part, ("expressions",), compiler.statement)
                word = {exp.Rollup: "ROLLUP", exp.Cube: "CUBE"}.get(type(part), "GROUPING SETS")
                return f"{word} ({', '.join(sql_of(inner) for inner in part.expressions)})"
            case exp.Tuple():
                return f"({', '.join(sql_of(inner) for inner in part.expressions)})"
            case exp.Paren() if not isinstance(part.this, exp.Tuple):
                return f"({sql_of(part.this)})"
        value = _key(keys, part, items)
        values.append(value)
        return value.sql

    parts = [sql_of(part) for part in group.expressions]
    sql = f" GROUP BY {', '.join(parts)}"
    return Grouping(True, sql, tuple(values))


def _key(compiler: Compiler, node: exp.Expr, items: list[tuple[Typed, exp.Expr]]) -> Typed:
    if isinstance(node, exp.Literal) and not node.args["is_string"]:
        if not str(node.this).isdecimal() or not 1 <= int(node.this) <= len(items):
            message = f"GROUP BY position {node.this} is not in select list"
            raise QueryError("INVALID_COLUMN_REFERENCE", message, compiler.position(node))
        value, written = items[int(node.this) - 1]
        if value.aggregate or value.window:
            message = "GROUP BY clause cannot contain aggregations, window functions or grouping operations"
            raise QueryError("EXPRESSION_NOT_SCALAR", message, compiler.position(written))
    else:
        value = compiler.compile(node)
    if value.type.kind is Kind.MAP:
        raise not_supported("GROUP BY a map", compiler.position(node))
    if value.constant is not None or not value.free:
        raise not_supported("GROUP BY a constant", compiler.position(node))
    return value
