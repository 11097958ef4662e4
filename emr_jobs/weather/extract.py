"""One run of the extract: range, gaps, requests, landing, ledger, checkpoint."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from config.days import DayRange
from config.grid import Grid
from config.weather import ARCHIVE_LAG_DAYS, CHECK_RESULT
from emr_jobs.weather.answers import MalformedAnswerError, Records
from emr_jobs.weather.budget import BudgetExhaustedError
from emr_jobs.weather.checkpoint import advance, read_last_processed
from emr_jobs.weather.client import (
    OpenMeteoClient,
    RequestRefusedError,
    ServiceUnavailableError,
    TooLateError,
)
from emr_jobs.weather.clock import Clock, today
from emr_jobs.weather.documents import DocumentStore
from emr_jobs.weather.landing import RawLanding
from emr_jobs.weather.ledger import DayState, GapLedger, state_of
from emr_jobs.weather.ledger_store import adopt, change_ledger, load_ledger, rebuild_ledger
from emr_jobs.weather.planner import choose_range, plan_requests
from emr_jobs.weather.series import PlannedRequest

log = logging.getLogger(__name__)

_ONE_DAY = timedelta(days=1)
_CHECK_VALID_FOR = timedelta(hours=12)

FETCH_ERRORS = (
    RequestRefusedError,
    ServiceUnavailableError,
    MalformedAnswerError,
    TooLateError,
    BudgetExhaustedError,
)
"""What ends a run without an answer."""


class ExtractError(RuntimeError):
    """Some of what was wanted could not be fetched; the message says what to check."""


@dataclass(frozen=True)
class Wish:
    """What the command line asks for."""

    start: date | None = None
    end: date | None = None
    days: int | None = None
    refetch: bool = False


@dataclass(frozen=True)
class ExtractReport:
    """What a run did: requests answered and their weight, days landed, and sensor-days by state."""

    requests: int
    weight: float
    days_landed: int
    days_changed: int
    states: Counter[DayState]

    def as_json(self) -> str:
        """One line for logs and for who called the step."""
        states = {state.name.lower(): self.states[state] for state in DayState}
        return json.dumps(
            {
                "requests": self.requests,
                "weight": round(self.weight, 1),
                "days_landed": self.days_landed,
                "days_changed": self.days_changed,
                **states,
            }
        )


@dataclass
class Extract:
    """Fetches what is missing. All collaborators are given, so that tests run the real thing."""

    grid: Grid
    documents: DocumentStore
    raw: RawLanding
    client: OpenMeteoClient
    clock: Clock

    def run(self, wish: Wish) -> ExtractReport:
        """Plan, fetch, land and keep the books. Safe to kill at any point and to run again.

        Raises:
            RangeError: the wish makes no sense.
            ExtractError: something is still owed; what was landed stays and is not asked for again.
        """
        now = today(self.clock)
        wanted = self.wanted_range(wish)
        archive_through = read_archive_through(self.documents, self.clock)
        requests = self.plan(wanted, archive_through, refetch=wish.refetch)
        if not requests:
            log.info("Nothing to fetch: %s to %s is complete", wanted.first, wanted.last)
        asked = sorted({day for request in requests for span in request.spans for day in span.days})
        ledger = self._change(lambda ledger: _begin(ledger, wanted, asked))
        answered: list[PlannedRequest] = []
        landed: set[date] = set()
        changed: set[date] = set()
        failure: Exception | None = None
        for number, request in enumerate(requests, start=1):
            log.info("Request %d of %d: %s", number, len(requests), request)
            try:
                records = self.client.fetch(request)
            except FETCH_ERRORS as error:
                log.error("Request %d of %d failed: %s", number, len(requests), error)
                failure = error
                break
            ledger, changed_now = self._land(records, now)
            answered.append(request)
            landed.update(records)
            changed.update(changed_now)
        if ledger.last_landed is not None:
            advance(self.documents, ledger.last_landed, now)
        report = ExtractReport(
            requests=len(answered),
            weight=sum(request.weight for request in answered),
            days_landed=len(landed),
            days_changed=len(changed),
            states=ledger.count(),
        )
        if failure is not None:
            raise _extract_error(report, failure) from failure
        return report

    def wanted_range(self, wish: Wish) -> DayRange:
        """The days that a run is to have.

        Raises:
            RangeError: the wish makes no sense.
        """
        now = today(self.clock)
        last_processed = read_last_processed(self.documents, now)
        if last_processed is None:
            last_processed = self._ledger().last_landed
        next_start = last_processed + _ONE_DAY if last_processed else None
        return choose_range(now, wish.start, wish.end, wish.days, next_start)

    def plan(self, wanted: DayRange, archive_through: date, *, refetch: bool = False) -> list[PlannedRequest]:
        """The requests still needed, days that a killed run landed left out."""
        now = today(self.clock)
        ledger = self._ledger()
        requests = plan_requests(ledger, wanted, now, archive_through, refetch=refetch)
        if refetch or not requests:
            return requests
        asked = {day for request in requests for span in request.spans for day in span.days}
        present = [day for day in self.raw.days(min(asked)) if day in asked]
        if not present:
            return requests
        ledger = self._change(lambda ledger: adopt(ledger, self.raw, present, now))
        return plan_requests(ledger, wanted, now, archive_through)

    def _ledger(self) -> GapLedger:
        ledger = load_ledger(self.documents, self.grid)
        if ledger is not None:
            return ledger
        rebuilt = rebuild_ledger(self.raw, self.grid, today(self.clock))
        if rebuilt.states:
            log.info("The gap ledger is rebuilt from %d raw files", len(rebuilt.states))
        return change_ledger(self.documents, self.grid, rebuilt, lambda ledger: None)

    def _change(self, change: Callable[[GapLedger], None]) -> GapLedger:
        return change_ledger(self.documents, self.grid, GapLedger(self.grid), change)

    def _land(self, records: Records, now: date) -> tuple[GapLedger, set[date]]:
        landed = {day: self.raw.land(day, of_day, now) for day, of_day in sorted(records.items())}

        def note(ledger: GapLedger) -> None:
            for day, landing in landed.items():
                states = {number: state_of(record, day, now) for number, record in landing.records.items()}
                ledger.record(day, states, now)

        changed = {day for day, landing in landed.items() if landing.changed}
        log.info("Landed %d days, %d of them changed", len(landed), len(changed))
        return self._change(note), changed


def _begin(ledger: GapLedger, wanted: DayRange, asked: list[date]) -> None:
    ledger.owe(wanted.days)
    ledger.ask(asked)


def read_archive_through(documents: DocumentStore, clock: Clock) -> date:
    """The last day that the archive knows: as a recent weather_check saw it, else the usual delay."""
    usual = today(clock) - timedelta(days=ARCHIVE_LAG_DAYS)
    text = documents.read(CHECK_RESULT).text
    if text is None:
        return usual
    try:
        result = json.loads(text)
        checked_at = datetime.fromisoformat(result["checked_at"])
        if clock.now() - checked_at > _CHECK_VALID_FOR:
            return usual
        return min(date.fromisoformat(result["archive_through"]), today(clock) - _ONE_DAY)
    except (ValueError, TypeError, KeyError):
        return usual


def _extract_error(report: ExtractReport, failure: Exception) -> ExtractError:
    owed = report.states[DayState.OWED]
    if report.days_landed == 0:
        return ExtractError(
            f"No data fetched successfully: {failure}. {owed} sensor-days are owed. Check that the weather "
            "API is up and reachable from the cluster (NAT, WEATHER_API_URL), that the API key is valid, "
            "and that the request budget is not used up (checkpoints/openmeteo-budget.json)."
        )
    return ExtractError(
        f"{owed} sensor-days are still owed after {report.requests} requests: {failure}. "
        "What was landed stays; run again to fetch the rest."
    )
