"""How an expression compiles the query inside it, without the two modules importing each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from local_stack.aws.athena.engine import types
from local_stack.aws.athena.engine.compiler import Compiler
from local_stack.aws.athena.engine.scope import Field
from local_stack.aws.athena.engine.typed import FreeColumn, Typed


@dataclass(frozen=True)
class CompiledQuery:
    """A query in DuckDB's SQL with its output columns, which it calls c0, c1, ...

    ``fields`` carry the names a user sees; ``free`` are columns of the queries around that it reads.
    """

    sql: str
    fields: tuple[Field, ...]
    free: frozenset[FreeColumn] = frozenset()
    refusing: bool = False

    def as_typed(self) -> Typed:
        """What an expression that holds the query inherits from it."""
        return Typed("", types.UNKNOWN, free=self.free, refusing=self.refusing)


QueryCompiler = Callable[[Compiler, exp.Expr], CompiledQuery]
_query_compiler: list[QueryCompiler] = []


def compiles_queries(compile_query: QueryCompiler) -> QueryCompiler:
    """Register the function that compiles queries (in ``queries``)."""
    _query_compiler[:] = [compile_query]
    return compile_query


def compile_subquery(compiler: Compiler, node: exp.Expr) -> CompiledQuery:
    """A query inside an expression; it may read the columns in the expression's reach."""
    return _query_compiler[0](compiler, node)
