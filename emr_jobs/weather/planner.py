"""What to ask: from the gaps to a few requests under the limits. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from config.days import DayRange
from config.weather import (
    DAILY_VARIABLES,
    DEFAULT_DAYS,
    FORECAST_PAST_DAYS,
    MAX_REQUEST_LOCATIONS,
    MAX_REQUEST_WEIGHT,
    REFERENCE_DAYS,
    REFERENCE_VARIABLES,
    SETTLE_AFTER_DAYS,
)
from emr_jobs.weather.ledger import DayState, GapLedger
from emr_jobs.weather.series import PlannedRequest, Source, Span

_ONE_DAY = timedelta(days=1)

Wanted = dict[int, list[date]]
"""Days by sensor number, ascending."""


class RangeError(ValueError):
    """The range asked for makes no sense."""


def choose_range(
    today: date,
    start: date | None,
    end: date | None,
    days: int | None,
    next_start: date | None,
) -> DayRange:
    """The range of a run: as asked for, else from the checkpoint on, else a year; to today at most.

    Raises:
        RangeError: the end is before the start or in the future.
    """
    last = end or today
    if last > today:
        raise RangeError(f"--end {last} is in the future: today is {today} (UTC)")
    if start and days:
        raise RangeError("--start and --days exclude each other")
    if start:
        if start > last:
            raise RangeError(f"--end {last} is before --start {start}")
        return DayRange(start, last)
    if days:
        return DayRange(last - timedelta(days=days - 1), last)
    return DayRange(next_start or last - timedelta(days=DEFAULT_DAYS - 1), last)


def plan_requests(
    ledger: GapLedger, wanted: DayRange, today: date, archive_through: date, *, refetch: bool = False
) -> list[PlannedRequest]:
    """The requests that fill the gaps: those first that hold days owed by earlier runs, then light ones.

    Owed days anywhere are asked for, and those of the wanted range that are not known (all of them
    if ``refetch``). The archive answers up to ``archive_through``, the forecast host after it.
    Provisional days ride along where the forecast is asked anyway (they weigh nothing extra), and
    are settled by the archive once it knows ``SETTLE_AFTER_DAYS`` of them.
    """
    in_range = set(wanted.days)
    gaps = _gaps(ledger, in_range if refetch else set(), in_range)
    by_source: dict[Source, dict[date, set[int]]] = {Source.ARCHIVE: {}, Source.FORECAST: {}}
    for day, sensors in gaps.items():
        by_source[_source(day, today, archive_through)][day] = sensors
    _add_provisional(ledger, by_source, today, archive_through)
    owed_before = {day for day in ledger.states if DayState.OWED in ledger.of_day(day)}
    requests = [
        request
        for source, days in by_source.items()
        for request in _pack(source, _by_sensor(days), ledger.grid.size)
    ]
    # A heavy request fills the minute's budget: what comes after it waits.
    return sorted(requests, key=lambda each: (not _touches(each, owed_before), each.weight, each.start))


def _gaps(ledger: GapLedger, refetched: set[date], in_range: set[date]) -> dict[date, set[int]]:
    everyone = set(range(ledger.grid.size))
    gaps: dict[date, set[int]] = {}
    for day in sorted(in_range | ledger.states.keys()):
        owed = {number for number, state in enumerate(ledger.of_day(day)) if state == DayState.OWED}
        sensors = everyone if day in refetched else owed
        if sensors:
            gaps[day] = sensors
    return gaps


def _source(day: date, today: date, archive_through: date) -> Source:
    if day <= archive_through or (today - day).days > FORECAST_PAST_DAYS:
        return Source.ARCHIVE
    return Source.FORECAST


def _add_provisional(
    ledger: GapLedger, by_source: Mapping[Source, dict[date, set[int]]], today: date, archive_through: date
) -> None:
    provisional = {
        day: {number for number, state in enumerate(states) if state == DayState.PROVISIONAL}
        for day, states in ledger.states.items()
        if DayState.PROVISIONAL in states
    }
    settled = sorted(day for day in provisional if day <= archive_through)
    if settled and (archive_through - settled[0]).days + 1 >= SETTLE_AFTER_DAYS:
        for day in settled:
            by_source[Source.ARCHIVE].setdefault(day, set()).update(provisional[day])
    if by_source[Source.FORECAST]:
        for day in provisional:
            is_stale = ledger.refreshed.get(day) != today
            if is_stale and _source(day, today, archive_through) is Source.FORECAST:
                by_source[Source.FORECAST].setdefault(day, set()).update(provisional[day])


def _by_sensor(days: Mapping[date, set[int]]) -> Wanted:
    wanted: defaultdict[int, list[date]] = defaultdict(list)
    for day in sorted(days):
        for sensor in sorted(days[day]):
            wanted[sensor].append(day)
    return dict(wanted)


def _pack(source: Source, wanted: Wanted, grid_size: int) -> list[PlannedRequest]:
    """Cut the days into windows that the whole grid can be asked for at once, then fill requests."""
    requests: list[PlannedRequest] = []
    for spans in _windows(wanted, _window_days(grid_size)):
        batch: list[Span] = []
        for span in spans:
            too_heavy = sum(s.weight for s in batch) + span.weight > MAX_REQUEST_WEIGHT
            if batch and (too_heavy or len(batch) == MAX_REQUEST_LOCATIONS):
                requests.append(PlannedRequest(source, tuple(batch)))
                batch = []
            batch.append(span)
        requests.append(PlannedRequest(source, tuple(batch)))
    return requests


def _window_days(grid_size: int) -> int:
    weight_per_day = len(DAILY_VARIABLES) / REFERENCE_VARIABLES / REFERENCE_DAYS
    together = min(grid_size, MAX_REQUEST_LOCATIONS)
    return max(1, int(MAX_REQUEST_WEIGHT / together / weight_per_day))


def _windows(wanted: Wanted, length: int) -> list[list[Span]]:
    if not wanted:
        return []
    first = min(days[0] for days in wanted.values())
    windows: defaultdict[int, list[Span]] = defaultdict(list)
    for sensor in sorted(wanted):
        for span in _spans(sensor, wanted[sensor], first, length):
            windows[(span.start - first).days // length].append(span)
    return [windows[number] for number in sorted(windows)]


def _spans(sensor: int, days: Iterable[date], first: date, length: int) -> list[Span]:
    """Runs of consecutive days, cut at the borders of the windows."""
    spans: list[Span] = []
    for day in days:
        at_border = (day - first).days % length == 0
        if spans and spans[-1].end + _ONE_DAY == day and not at_border:
            spans[-1] = Span(sensor, spans[-1].start, day)
        else:
            spans.append(Span(sensor, day, day))
    return spans


def _touches(request: PlannedRequest, days: set[date]) -> bool:
    return any(span.start <= day <= span.end for span in request.spans for day in days)
