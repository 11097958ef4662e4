"""The gap ledger in memory and on disk."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.days import DayRange
from config.grid import GRID, Grid
from emr_jobs.weather.ledger import DayState, GapLedger, LedgerError, state_of
from emr_jobs.weather.series import DailyRecord, Source

DAY = date(2026, 3, 1)
SMALL = Grid(rows=1, columns=3)


def test_year_without_gaps_is_one_entry_on_disk() -> None:
    ledger = GapLedger(GRID)
    for day in DayRange(date(2025, 1, 1), date(2025, 12, 31)).days:
        ledger.record(day, dict.fromkeys(range(100), DayState.FETCHED), DAY)
    assert ledger.to_content()["days"] == [{"start": "2025-01-01", "end": "2025-12-31", "states": "F100"}]


@given(
    states=st.dictionaries(
        st.dates(date(2025, 12, 1), date(2026, 2, 1)),
        st.text(alphabet=[state.value for state in DayState], min_size=3, max_size=3),
    ),
    revision=st.integers(min_value=0, max_value=9),
)
def test_what_is_written_is_read_again(states: dict[date, str], revision: int) -> None:
    ledger = GapLedger(SMALL, states=states, untransformed=dict.fromkeys(states, revision), revision=revision)
    ledger.refreshed = dict.fromkeys(list(states)[::2], DAY)
    assert GapLedger.parse(json.dumps(ledger.to_content()), SMALL) == ledger


@pytest.mark.parametrize(
    "text", ["", "[]", "null", '{"grid": 1}', '{"grid": "1x3@52.52,13.405/0.05", "revision": "x"}']
)
def test_damaged_ledger_is_refused(text: str) -> None:
    with pytest.raises(LedgerError):
        GapLedger.parse(text, SMALL)


def test_ledger_of_another_grid_is_refused() -> None:
    with pytest.raises(LedgerError, match=r"is of the grid 10x10@52\.52,13\.405/0\.05, not 1x3@"):
        GapLedger.parse(json.dumps(GapLedger(GRID).to_content()), SMALL)


def test_day_asked_for_again_while_it_is_transformed_stays_in_the_queue() -> None:
    ledger = GapLedger(SMALL, revision=1)
    ledger.ask([DAY, DAY + timedelta(days=1)])
    seen = dict(ledger.untransformed)
    ledger.revision = 2
    ledger.ask([DAY])
    ledger.transformed(seen)
    assert ledger.untransformed == {DAY: 2}


@pytest.mark.parametrize(
    ("measures", "source", "age", "state"),
    [
        ((1.0, 0.0, 0.0), Source.ARCHIVE, 3, DayState.FETCHED),
        ((1.0, 0.0, 0.0), Source.FORECAST, 3, DayState.PROVISIONAL),
        ((None, None, None), Source.ARCHIVE, 3, DayState.PROVISIONAL),
        ((None, None, None), Source.ARCHIVE, 30, DayState.MISSING),
        ((1.0, None, None), Source.ARCHIVE, 3, DayState.PROVISIONAL),
        ((1.0, None, None), Source.ARCHIVE, 30, DayState.FETCHED),
    ],
)
def test_state_follows_source_and_age(
    measures: tuple[float | None, float | None, float | None], source: Source, age: int, state: DayState
) -> None:
    record = DailyRecord(*measures, source=source)
    assert state_of(record, DAY, DAY + timedelta(days=age)) is state
