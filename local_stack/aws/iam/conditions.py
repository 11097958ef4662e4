"""The Condition element of a policy statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from local_stack.aws.iam.patterns import listed, matcher, texts

IF_EXISTS = "IfExists"

Comparison = Callable[[str, tuple[str, ...]], bool]


class UnsupportedPolicyError(NotImplementedError):
    """A policy holds what cannot be evaluated here; the message names it."""


def _equals(value: str, wanted: tuple[str, ...]) -> bool:
    return value in wanted


def _equals_ignoring_case(value: str, wanted: tuple[str, ...]) -> bool:
    return value.lower() in {each.lower() for each in wanted}


def _like(value: str, wanted: tuple[str, ...]) -> bool:
    return bool(matcher(wanted)(value))


def _negated(comparison: Comparison) -> Comparison:
    return lambda value, wanted: not comparison(value, wanted)


_POSITIVE: dict[str, Comparison] = {
    "StringEquals": _equals,
    "StringEqualsIgnoreCase": _equals_ignoring_case,
    "StringLike": _like,
    "ArnEquals": _like,
    "ArnLike": _like,
    "Bool": _equals_ignoring_case,
}
_NEGATIVE: dict[str, Comparison] = {
    "StringNotEquals": _negated(_equals),
    "StringNotEqualsIgnoreCase": _negated(_equals_ignoring_case),
    "StringNotLike": _negated(_like),
    "ArnNotEquals": _negated(_like),
    "ArnNotLike": _negated(_like),
}


@dataclass(frozen=True)
class Condition:
    """One operator on one key, such as ``StringEquals`` on ``aws:SourceAccount``."""

    operator: str
    key: str
    wanted: tuple[str, ...]

    def holds(self, context: Mapping[str, str]) -> bool:
        """Whether a request satisfies it. ``context`` has its keys in small letters.

        A key that the request lacks satisfies negated and ``...IfExists`` operators only.

        Raises:
            UnsupportedPolicyError: the operator is not emulated.
        """
        value = context.get(self.key.lower())
        if self.operator == "Null":
            return (value is None) == (self.wanted == ("true",))
        name = self.operator.removesuffix(IF_EXISTS)
        is_negative = name in _NEGATIVE
        comparison = _NEGATIVE.get(name) or _POSITIVE.get(name)
        if comparison is None:
            raise UnsupportedPolicyError(f"the condition operator {self.operator}")
        if value is None:
            return is_negative or name != self.operator
        return comparison(value, self.wanted)


def read_conditions(element: Mapping[str, Mapping[str, object]]) -> tuple[Condition, ...]:
    """The conditions of a statement; all have to hold."""
    return tuple(
        Condition(operator, key, texts(listed(wanted)))
        for operator, keys in element.items()
        for key, wanted in keys.items()
    )
