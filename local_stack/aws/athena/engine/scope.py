"""Names in a query: relations, their fields, and how a written name finds one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from local_stack.aws.athena.engine.errors import Position, QueryError
from local_stack.aws.athena.engine.types import SqlType


@dataclass(frozen=True)
class Field:
    """A column of a relation: the name a query may use (None: it has none), its type, and its SQL.

    ``qualifier`` is the relation's name or alias, with the schema before it where it is a table's own.
    ``is_hidden`` columns are not in ``*``.
    """

    name: str | None
    type: SqlType
    sql: str
    qualifier: tuple[str, ...] = ()
    is_hidden: bool = False

    def answers(self, qualifier: tuple[str, ...], name: str) -> bool:
        """Whether ``qualifier.name`` means this field."""
        matches = not qualifier or self.qualifier[-len(qualifier) :] == qualifier
        return matches and self.name == name


@dataclass(frozen=True)
class Relation:
    """What a FROM item offers: DuckDB SQL that may stand in a FROM clause, and its fields in order.

    ``is_partial``: Athena has more columns than these, so that ``*`` is refused.
    """

    sql: str
    fields: tuple[Field, ...]
    is_partial: bool = False

    def renamed(self, alias: str) -> Relation:
        """The same under an alias: its fields answer to that alone."""
        fields = tuple(replace(field_, qualifier=(alias,)) for field_ in self.fields)
        return replace(self, fields=fields)


@dataclass(frozen=True, eq=False)
class Scope:
    """The fields that a clause may name, and the scope around it (of the query that holds this one)."""

    fields: tuple[Field, ...] = ()
    outer: Scope | None = None

    def find(self, qualifier: tuple[str, ...], name: str, position: Position | None) -> Found | None:
        """The field that a name means, here or in a scope around; None if there is none.

        Raises:
            QueryError: AMBIGUOUS_COLUMN where several fields answer.
        """
        found = [field_ for field_ in self.fields if field_.answers(qualifier, name)]
        if len(found) > 1:
            written = ".".join((*qualifier, name))
            raise QueryError("AMBIGUOUS_NAME", f"Column '{written}' is ambiguous", position)
        if found:
            return Found(found[0], self)
        return self.outer.find(qualifier, name, position) if self.outer else None


@dataclass(frozen=True, eq=False)
class Found:
    """A field and the scope that holds it."""

    field: Field
    scope: Scope
