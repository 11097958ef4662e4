"""The gap ledger: the state of every sensor-day, and which days still await the transform.

On disk consecutive days in equal states are one entry, so a year without gaps is one line.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Any, TypeVar

from config.days import DayRange
from config.grid import Grid
from config.weather import UNSETTLED_DAYS
from emr_jobs.weather.series import DailyRecord, Source

_ONE_DAY = timedelta(days=1)
T = TypeVar("T")


class DayState(StrEnum):
    """How it stands with one sensor's day."""

    FETCHED = "F"
    PROVISIONAL = "P"
    MISSING = "M"
    OWED = "O"


class LedgerError(ValueError):
    """The ledger is unreadable, or of another grid."""


def state_of(record: DailyRecord, day: date, today: date) -> DayState:
    """What a landed record means: a forecast, or a null that the archive may still fill, is provisional."""
    incomplete = None in record.measures
    if record.source is Source.FORECAST or (incomplete and (today - day).days < UNSETTLED_DAYS):
        return DayState.PROVISIONAL
    return DayState.MISSING if record.measures == (None, None, None) else DayState.FETCHED


def fingerprint(grid: Grid) -> str:
    """Names a grid, so that another one's ledger is not mistaken for ours."""
    return f"{grid.rows}x{grid.columns}@{grid.centre_latitude},{grid.centre_longitude}/{grid.spacing}"


@dataclass
class GapLedger:
    """States by day, one letter per sensor in the order of their numbers.

    ``untransformed`` holds the days that may have changed in raw since the tables saw them, each
    with the revision at which it was asked for last. ``refreshed`` holds the days with provisional
    states, each with the date on which they were landed.
    """

    grid: Grid
    states: dict[date, str] = field(default_factory=dict)
    untransformed: dict[date, int] = field(default_factory=dict)
    revision: int = 0
    refreshed: dict[date, date] = field(default_factory=dict)

    def of_day(self, day: date) -> str:
        """The states of one day; all owed where nothing is known."""
        return self.states.get(day, DayState.OWED * self.grid.size)

    def owe(self, days: Iterable[date]) -> None:
        """Note days that are wanted and not known yet."""
        for day in days:
            self.states.setdefault(day, DayState.OWED * self.grid.size)

    def ask(self, days: Iterable[date]) -> None:
        """Note that raw is about to change for some days: before it does, so that a kill loses none."""
        for day in days:
            self.untransformed[day] = self.revision

    def record(self, day: date, states: Mapping[int, DayState], landed_on: date) -> None:
        """Note what lies in raw for some sensors of a day, and on which date it was put there."""
        letters = list(self.of_day(day))
        for sensor, state in states.items():
            letters[sensor] = state
        self.states[day] = "".join(letters)
        self.refreshed.pop(day, None)
        if DayState.PROVISIONAL in letters:
            self.refreshed[day] = landed_on

    def transformed(self, done: Mapping[date, int]) -> None:
        """Take off days that were published, unless they were asked for again since (a newer revision)."""
        for day, revision in done.items():
            if self.untransformed.get(day) == revision:
                del self.untransformed[day]

    def count(self) -> Counter[DayState]:
        """How many sensor-days are in each state."""
        letters: Counter[str] = Counter()
        for states in self.states.values():
            letters.update(states)
        return Counter({state: letters[state] for state in DayState})

    @property
    def last_landed(self) -> date | None:
        """The last day of which anything is known."""
        landed = [day for day, states in self.states.items() if set(states) != {DayState.OWED}]
        return max(landed, default=None)

    def to_content(self) -> dict[str, Any]:
        """The ledger as a JSON object."""
        return {
            "grid": fingerprint(self.grid),
            "revision": self.revision,
            "days": [
                {"start": str(start), "end": str(end), "states": _shorten(states)}
                for start, end, states in _ranges(self.states)
            ],
            "refreshed": [
                {"start": str(start), "end": str(end), "on": str(landed_on)}
                for start, end, landed_on in _ranges(self.refreshed)
            ],
            "untransformed": [
                {"start": str(start), "end": str(end), "revision": revision}
                for start, end, revision in _ranges(self.untransformed)
            ],
        }

    @classmethod
    def parse(cls, text: str, grid: Grid) -> GapLedger:
        """Read a ledger of this grid.

        Raises:
            LedgerError: it is unreadable or of another grid.
        """
        try:
            content = json.loads(text)
            if content["grid"] != fingerprint(grid):
                raise LedgerError(f"the ledger is of the grid {content['grid']}, not {fingerprint(grid)}")
            ledger = cls(grid=grid, revision=int(content["revision"]))
            for entry in content["days"]:
                states = _expand(entry["states"], grid.size)
                ledger.states.update(dict.fromkeys(_days(entry), states))
            for entry in content["refreshed"]:
                ledger.refreshed.update(dict.fromkeys(_days(entry), date.fromisoformat(entry["on"])))
            for entry in content["untransformed"]:
                ledger.untransformed.update(dict.fromkeys(_days(entry), int(entry["revision"])))
        except (ValueError, TypeError, KeyError) as error:
            if isinstance(error, LedgerError):
                raise
            raise LedgerError(f"the ledger is unreadable: {error!r}") from error
        return ledger


def _days(entry: dict[str, str]) -> list[date]:
    return DayRange(date.fromisoformat(entry["start"]), date.fromisoformat(entry["end"])).days


def _ranges(by_day: Mapping[date, T]) -> list[tuple[date, date, T]]:
    ranges: list[tuple[date, date, T]] = []
    for day in sorted(by_day):
        value = by_day[day]
        if ranges and ranges[-1][1] + _ONE_DAY == day and ranges[-1][2] == value:
            ranges[-1] = (ranges[-1][0], day, value)
        else:
            ranges.append((day, day, value))
    return ranges


def _shorten(states: str) -> str:
    return " ".join(f"{letter}{len(list(run))}" for letter, run in groupby(states))


def _expand(shortened: str, size: int) -> str:
    states = "".join(DayState(run[0]) * int(run[1:]) for run in shortened.split())
    if len(states) != size:
        raise LedgerError(f"the ledger names {len(states)} sensors, the grid has {size}")
    return states
