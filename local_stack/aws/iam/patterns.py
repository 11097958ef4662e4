"""IAM's wildcards: ``*`` is any text, ``?`` any one character, all else itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

Matcher = Callable[[str], object]
"""Says whether a value matches: anything true, or None."""


@cache
def matcher(patterns: tuple[str, ...], *, ignore_case: bool = False) -> Matcher:
    """A test whether a value matches any of the patterns.

    >>> bool(matcher(("s3:Get*", "s3:PutObject"), ignore_case=True)("S3:getobject"))
    True
    >>> bool(matcher(("arn:aws:s3:::a[b]/?",))("arn:aws:s3:::a[b]/c"))
    True
    """
    alternatives = "|".join(map(_expression, patterns))
    return re.compile(f"(?:{alternatives})", re.DOTALL | (re.IGNORECASE if ignore_case else 0)).fullmatch


def _expression(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")


def listed(value: Any) -> list[Any]:
    """A policy document's value as a list: one alone needs no brackets there."""
    return value if isinstance(value, list) else [value]


def texts(values: Iterable[object]) -> tuple[str, ...]:
    """Values as IAM compares them: booleans in small letters."""
    return tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in values)
