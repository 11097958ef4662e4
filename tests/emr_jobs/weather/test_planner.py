"""Planning is pure: ledgers in, requests out."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.days import DayRange
from config.grid import GRID, Grid
from config.weather import MAX_REQUEST_LOCATIONS, MAX_REQUEST_WEIGHT
from emr_jobs.weather.ledger import DayState, GapLedger
from emr_jobs.weather.planner import plan_requests
from emr_jobs.weather.series import Source

TODAY = date(2026, 11, 22)
ARCHIVED = TODAY - timedelta(days=2)


def test_settled_year_of_the_grid_is_one_request_of_782() -> None:
    wanted = DayRange(ARCHIVED - timedelta(days=364), ARCHIVED)
    (request,) = plan_requests(GapLedger(GRID), wanted, TODAY, ARCHIVED)
    assert request.weight == pytest.approx(782.1, abs=0.1)
    assert len(request.spans) == 100


def test_three_years_are_three_requests_of_bounded_weight() -> None:
    wanted = DayRange(ARCHIVED - timedelta(days=3 * 365), ARCHIVED)
    requests = plan_requests(GapLedger(GRID), wanted, TODAY, ARCHIVED)
    assert len(requests) == 3
    assert all(request.weight <= MAX_REQUEST_WEIGHT for request in requests)
    in_order = sorted(requests, key=lambda request: request.start)
    assert [r.start for r in in_order[1:]] == [r.end + timedelta(days=1) for r in in_order[:-1]]
    assert [r.weight for r in requests] == sorted(r.weight for r in requests)


def test_request_with_days_owed_by_earlier_runs_comes_first() -> None:
    ledger = GapLedger(GRID)
    ledger.owe([date(2026, 6, 1)])
    requests = plan_requests(ledger, DayRange(date(2020, 1, 1), date(2021, 12, 31)), TODAY, ARCHIVED)
    assert requests[0].start == date(2026, 6, 1)


def test_forecast_host_is_not_asked_for_what_it_has_forgotten() -> None:
    long_ago = TODAY - timedelta(days=120)
    requests = plan_requests(
        GapLedger(GRID), DayRange(long_ago, long_ago), TODAY, long_ago - timedelta(days=9)
    )
    assert [request.source for request in requests] == [Source.ARCHIVE]


def test_grid_of_more_places_than_a_request_takes_is_split() -> None:
    wide = Grid(rows=25, columns=20, spacing=0.01)
    requests = plan_requests(GapLedger(wide), DayRange(ARCHIVED, ARCHIVED), TODAY, ARCHIVED)
    assert [len(request.spans) for request in requests] == [100, MAX_REQUEST_LOCATIONS, MAX_REQUEST_LOCATIONS]


STATES = st.text(alphabet=[state.value for state in DayState], min_size=4, max_size=4)


@given(
    known=st.dictionaries(st.dates(date(2025, 1, 1), TODAY), STATES, max_size=40),
    start=st.dates(date(2025, 1, 1), TODAY),
    length=st.integers(min_value=0, max_value=300),
    lag=st.integers(min_value=1, max_value=10),
)
def test_every_gap_is_asked_exactly_once_and_no_settled_day_ever(
    known: dict[date, str], start: date, length: int, lag: int
) -> None:
    grid = Grid(rows=2, columns=2)
    ledger = GapLedger(grid, states=dict(known))
    wanted = DayRange(start, min(TODAY, start + timedelta(days=length)))
    requests = plan_requests(ledger, wanted, TODAY, TODAY - timedelta(days=lag))
    asked = [(span.sensor, day) for request in requests for span in request.spans for day in span.days]
    assert len(asked) == len(set(asked))
    days = set(known) | set(wanted.days)
    owed = {(n, day) for day in days for n in range(4) if ledger.of_day(day)[n] == DayState.OWED}
    assert owed <= set(asked)
    for sensor, day in set(asked) - owed:
        assert ledger.of_day(day)[sensor] == DayState.PROVISIONAL
    assert all(request.weight <= MAX_REQUEST_WEIGHT for request in requests)
