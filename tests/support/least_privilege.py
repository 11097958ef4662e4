"""Which parts of the deployed policies nobody needed: found by leaving each out and judging all again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from local_stack.aws.iam.policies import Access, Decision, Statement, judge, read_document, read_statement
from local_stack.aws.iam.records import Record


@dataclass(frozen=True, order=True)
class Grant:
    """One action that a statement of a role's policy allows."""

    role: str
    sid: str
    action: str

    def __str__(self) -> str:
        return f"{self.role} {self.sid} {self.action}"


def inline_statements(iam: Any, role: str) -> list[Statement]:
    """The statements of a role's inline policies, as they are deployed."""
    statements: list[Statement] = []
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        elements = document["Statement"] if isinstance(document, dict) else None
        if elements is None:
            statements += read_document(unquote(document))
        else:
            statements += map(read_statement, elements)
    return statements


def exercised(role: str, statements: Iterable[Statement], used: Iterable[Access]) -> set[Grant]:
    """The grants that allowed something."""
    return {
        Grant(role, statement.sid, action)
        for access in used
        for statement in statements
        if statement.covers(access.action) and statement.applies(access)
        for action in statement.actions or ()
        if action.lower() == access.action.lower()
    }


def used_by_role(records: Iterable[Record]) -> dict[str, list[Access]]:
    """What was allowed to each role, by the role's name."""
    found: dict[str, list[Access]] = defaultdict(list)
    for record in records:
        if record.decision is Decision.ALLOWED:
            found[record.role.rpartition("/")[2]].append(record.access)
    return found


def grants(role: str, statements: Iterable[Statement]) -> Iterator[Grant]:
    """Every action that the statements allow."""
    for statement in statements:
        for action in statement.actions or ():
            yield Grant(role, statement.sid, action)


def needless(role: str, statements: Sequence[Statement], used: Sequence[Access]) -> set[Grant]:
    """The grants without each of which everything that was used would still be allowed."""
    return {
        grant
        for grant in grants(role, statements)
        if _still_allowed(_without(statements, grant), grant, used)
    }


def _without(statements: Sequence[Statement], grant: Grant) -> list[Statement]:
    return [
        replace(each, actions=tuple(action for action in each.actions or () if action != grant.action))
        if each.sid == grant.sid
        else each
        for each in statements
    ]


def _still_allowed(statements: Sequence[Statement], grant: Grant, used: Sequence[Access]) -> bool:
    """Whether all that was used is allowed; only what was granted can have changed."""
    return all(
        judge((each for each in statements if each.covers(access.action)), access) is Decision.ALLOWED
        for access in used
        if access.action.lower() == grant.action.lower()
    )
