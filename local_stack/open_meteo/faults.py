"""Faults that a test or a drill orders, each for the next few requests."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

Answer = dict[str, Any]

Transport = Literal["status", "html", "truncated", "appended", "dropped", "slow"]
"""Faults of the service: an error body, HTML with status 200, a body cut short, an error text after
a body's beginning, a closed connection, and an answer that is late."""

Corruption = Literal[
    "missing_array", "unequal_arrays", "duplicate_day", "nulls", "inverted", "absurd", "one_location_less"
]
"""Faults of the data inside a well-formed answer, at the first location."""


@dataclass
class Fault:
    """One ordered fault.

    ``remaining`` requests are hit, after ``skip`` further ones have passed. ``status`` and ``reason``
    are for kind status, ``seconds`` for kind slow.
    """

    kind: str
    remaining: int = 1
    skip: int = 0
    status: int = 503
    reason: str = "The service is overloaded"
    seconds: float = 0.0

    def __post_init__(self) -> None:
        """Refuse an unknown kind.

        Raises:
            ValueError: naming the kinds.
        """
        kinds = (*get_args(Transport), *get_args(Corruption))
        if self.kind not in kinds:
            raise ValueError(f"unknown fault {self.kind!r}: use one of {', '.join(kinds)}")


class FaultPlan:
    """The faults still to come, in the order in which they were ordered."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def order(self, fault: Fault) -> None:
        """Add a fault behind those already ordered."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Drop all faults."""
        self._faults.clear()

    def next(self) -> Fault | None:
        """The fault that hits this request, if any."""
        while self._faults:
            fault = self._faults[0]
            if fault.skip > 0:
                fault.skip -= 1
                return None
            if fault.remaining > 0:
                fault.remaining -= 1
                return fault
            self._faults.pop(0)
        return None


def corrupted(answers: list[Answer], kind: str) -> list[Answer]:
    """The answers with one fault of the data at the first location; other kinds change nothing."""
    change = _CORRUPTIONS.get(kind)
    if change is None:
        return answers
    changed = copy.deepcopy(answers)
    change(changed)
    return changed


def _missing_array(answers: list[Answer]) -> None:
    del answers[0]["daily"]["precipitation_sum"]


def _unequal_arrays(answers: list[Answer]) -> None:
    answers[0]["daily"]["temperature_2m_max"].pop()


def _duplicate_day(answers: list[Answer]) -> None:
    for values in answers[0]["daily"].values():
        values.append(values[-1])


def _nulls(answers: list[Answer]) -> None:
    daily = answers[0]["daily"]
    for name in daily.keys() - {"time"}:
        daily[name][0] = None


def _inverted(answers: list[Answer]) -> None:
    daily = answers[0]["daily"]
    daily["temperature_2m_max"][0] = daily["temperature_2m_min"][0] - 5.0


def _absurd(answers: list[Answer]) -> None:
    answers[0]["daily"]["temperature_2m_max"][0] = 999.9


def _one_location_less(answers: list[Answer]) -> None:
    answers.pop()


_CORRUPTIONS: dict[str, Callable[[list[Answer]], None]] = {
    "missing_array": _missing_array,
    "unequal_arrays": _unequal_arrays,
    "duplicate_day": _duplicate_day,
    "nulls": _nulls,
    "inverted": _inverted,
    "absurd": _absurd,
    "one_location_less": _one_location_less,
}
