"""The request budget, kept across runs: what was asked in the last day, and how long to wait."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from config.weather import BUDGET_LEDGER, RequestLimits
from emr_jobs.weather.clock import Clock
from emr_jobs.weather.documents import DocumentStore, update

log = logging.getLogger(__name__)

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


class BudgetExhaustedError(RuntimeError):
    """The budget frees up later than this run may wait."""


@dataclass(frozen=True)
class Spending:
    """One request: when it was sent and what it weighed."""

    at: datetime
    weight: float


def waiting_time(spent: list[Spending], weight: float, now: datetime, limits: RequestLimits) -> timedelta:
    """How long a request of this weight has to wait, by windows that slide.

    The service counts in windows of the clock; whatever fits any sliding window fits those. Like the
    service we let one request overshoot: if it is heavier than a window's whole limit, it may go while
    the limit is not reached, and then fills the window for proportionally longer, so that the rate
    stays below the limit in the long run.
    """
    waits = [
        _wait(spent, weight, now, window, limit)
        for window, limit in ((_MINUTE, limits.per_minute), (_HOUR, limits.per_hour), (_DAY, limits.per_day))
    ]
    return max(waits)


def _wait(spent: list[Spending], weight: float, now: datetime, window: timedelta, limit: float) -> timedelta:
    leaves = sorted(
        (spending.at + window * max(1.0, spending.weight / limit), spending.weight) for spending in spent
    )
    present = [(end, filled) for end, filled in leaves if end > now]
    used = sum(filled for _, filled in present)
    wait = timedelta(0)
    for end, filled in present:
        if used + weight <= limit or (weight > limit and used < limit):
            break
        used -= filled
        wait = end - now
    return wait


def remaining_today(spent: list[Spending], now: datetime, limits: RequestLimits) -> float:
    """Weight that may still be asked within the last 24 hours' limit, at least 0."""
    return max(0.0, limits.per_day - sum(s.weight for s in spent if s.at + _DAY > now))


class Budget:
    """The shared ledger of what was spent, as a document changed by compare-and-set.

    ``max_wait`` bounds a single wait; a longer one is an error, so that a run ends within its time.
    """

    def __init__(
        self, documents: DocumentStore, clock: Clock, limits: RequestLimits, max_wait: timedelta
    ) -> None:
        self._documents = documents
        self._clock = clock
        self._limits = limits
        self._max_wait = max_wait

    def remaining_today(self) -> float:
        """Weight left of the last 24 hours' limit."""
        spent = _parse(self._documents.read(BUDGET_LEDGER).text)
        return remaining_today(spent, self._clock.now(), self._limits)

    def spend(self, weight: float) -> Spending:
        """Wait until the weight fits, then record it: before the request, so that a kill never forgets one.

        Raises:
            BudgetExhaustedError: it would have to wait too long.
        """
        while True:
            outcome = self._try(weight)
            if isinstance(outcome, Spending):
                return outcome
            if outcome > self._max_wait:
                raise BudgetExhaustedError(
                    f"the request budget is used up: {weight:.0f} more fit from "
                    f"{(self._clock.now() + outcome):%Y-%m-%d %H:%M} UTC on"
                )
            log.info("Waiting %.0f s for the request budget", outcome.total_seconds())
            self._clock.sleep(outcome.total_seconds())

    def refund(self, spending: Spending) -> None:
        """Take back what a refused request did not cost."""

        def without(text: str | None) -> dict[str, Any]:
            spent = _parse(text)
            if spending in spent:
                spent.remove(spending)
            return _content(spent)

        update(self._documents, BUDGET_LEDGER, without)

    def _try(self, weight: float) -> Spending | timedelta:
        outcome: Spending | timedelta = timedelta(0)

        def record(text: str | None) -> dict[str, Any] | None:
            nonlocal outcome
            now = self._clock.now()
            recent = [spending for spending in _parse(text) if spending.at + 2 * _DAY > now]
            wait = waiting_time(recent, weight, now, self._limits)
            if wait > timedelta(0):
                outcome = wait
                return None
            outcome = Spending(now, round(weight, 3))
            return _content([*recent, outcome])

        update(self._documents, BUDGET_LEDGER, record)
        return outcome


def _parse(text: str | None) -> list[Spending]:
    if text is None:
        return []
    try:
        return [
            Spending(datetime.fromisoformat(entry["at"]), float(entry["weight"]))
            for entry in json.loads(text)["requests"]
        ]
    except (ValueError, TypeError, KeyError):
        log.warning("%s is unreadable and starts empty: the service still enforces its limits", BUDGET_LEDGER)
        return []


def _content(spent: list[Spending]) -> dict[str, Any]:
    return {"requests": [{"at": s.at.isoformat(), "weight": s.weight} for s in spent]}
