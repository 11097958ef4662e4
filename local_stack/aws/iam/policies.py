"""Policy documents and what they say of a request.

IAM's own order: a statement that denies wins, then one that allows; where none speaks, the answer is no.
Documents are parsed once and decisions remembered by the documents' text: a changed policy is another
text, so nothing has to be forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from typing import Any

from local_stack.aws.iam.conditions import Condition, UnsupportedPolicyError, read_conditions
from local_stack.aws.iam.patterns import listed, matcher, texts

REMEMBERED_DECISIONS = 50_000

Context = tuple[tuple[str, str], ...]
"""Condition keys in small letters, each with its value."""


class Decision(Enum):
    """What policies say of a request."""

    ALLOWED = "allowed"
    NOT_ALLOWED = "not allowed"
    """No statement allows it."""
    DENIED = "denied"
    """A statement denies it."""


@dataclass(frozen=True)
class Access:
    """One thing that a request does: an action such as ``s3:GetObject`` on the ARN of a resource."""

    action: str
    resource: str
    context: Context = ()


@dataclass(frozen=True)
class Statement:
    """A statement of a policy. What is None is not said; ``principals`` are pairs of kind and value."""

    sid: str
    allows: bool
    actions: tuple[str, ...] | None
    not_actions: tuple[str, ...] | None
    resources: tuple[str, ...] | None
    not_resources: tuple[str, ...] | None
    conditions: tuple[Condition, ...]
    principals: frozenset[tuple[str, str]]

    def covers(self, action: str) -> bool:
        """Whether it speaks of the action."""
        if self.not_actions is not None:
            return not matcher(self.not_actions, ignore_case=True)(action)
        return bool(matcher(self.actions or (), ignore_case=True)(action))

    def about_its_owner(self) -> Statement:
        """The statement of a trust policy, which names no resource, said of the role that has it."""
        return replace(self, resources=("*",))

    def applies(self, access: Access) -> bool:
        """Whether it speaks of the access's resource, under its conditions; the action is known to fit.

        Raises:
            UnsupportedPolicyError: it holds a policy variable or an operator that is not emulated.
        """
        patterns = self.not_resources if self.not_resources is not None else self.resources or ()
        for pattern in patterns:
            if "${" in pattern:
                raise UnsupportedPolicyError(f"the policy variable in {pattern}")
        if bool(matcher(patterns)(access.resource)) == (self.not_resources is not None):
            return False
        context = dict(access.context)
        return all(condition.holds(context) for condition in self.conditions)


def _optional(element: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    return texts(listed(element[name])) if name in element else None


def _principals(element: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    principal = element.get("Principal", {})
    if principal == "*":
        return frozenset({("AWS", "*")})
    return frozenset((kind, value) for kind, values in principal.items() for value in texts(listed(values)))


def read_statement(element: Mapping[str, Any]) -> Statement:
    """A statement from its JSON object."""
    return Statement(
        sid=element.get("Sid", ""),
        allows=element["Effect"] == "Allow",
        actions=_optional(element, "Action"),
        not_actions=_optional(element, "NotAction"),
        resources=_optional(element, "Resource"),
        not_resources=_optional(element, "NotResource"),
        conditions=read_conditions(element.get("Condition", {})),
        principals=_principals(element),
    )


@lru_cache(maxsize=1000)
def read_document(document: str) -> tuple[Statement, ...]:
    """The statements of a policy document (JSON)."""
    parsed: dict[str, Any] = json.loads(document)
    elements: list[Any] = listed(parsed["Statement"])
    return tuple(map(read_statement, elements))


@lru_cache(maxsize=10_000)
def _speaking_of(documents: tuple[str, ...], action: str) -> tuple[Statement, ...]:
    return tuple(
        statement for text in documents for statement in read_document(text) if statement.covers(action)
    )


def judge(statements: Iterable[Statement], access: Access) -> Decision:
    """What statements that cover the action say of an access.

    Raises:
        UnsupportedPolicyError: one of them holds what is not emulated.
    """
    decision = Decision.NOT_ALLOWED
    for statement in statements:
        if statement.applies(access):
            if not statement.allows:
                return Decision.DENIED
            decision = Decision.ALLOWED
    return decision


@lru_cache(maxsize=REMEMBERED_DECISIONS)
def decide(documents: tuple[str, ...], access: Access) -> Decision:
    """What policy documents (JSON) together say of an access.

    Raises:
        UnsupportedPolicyError: a statement that covers the action holds what is not emulated.
    """
    return judge(_speaking_of(documents, access.action), access)
