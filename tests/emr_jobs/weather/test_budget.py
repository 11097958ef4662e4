"""The request budget: windows that slide, heavy requests that pay back, concurrent runs."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.weather import BUDGET_LEDGER, RequestLimits
from emr_jobs.weather.budget import Budget, BudgetExhaustedError, Spending, waiting_time
from tests.emr_jobs.weather.conftest import BUCKET, Bench
from tests.support.open_meteo import TurnedClock

NOW = TurnedClock().now()
LIMITS = RequestLimits()


def ago(seconds: float, weight: float) -> Spending:
    return Spending(NOW - timedelta(seconds=seconds), weight)


@pytest.mark.parametrize(
    ("spent", "weight", "seconds"),
    [
        ([], 100, 0),
        ([], 782, 0),
        ([ago(10, 500)], 100, 0),
        ([ago(10, 500)], 101, 50),
        ([ago(10, 782)], 1, 68.2),
        ([ago(10, 1)], 782, 0),
        ([ago(10, 599)], 782, 0),
        ([ago(10, 600)], 782, 50),
        ([ago(90, 782)], 782, 0),
        ([ago(3000, 4950)], 100, 600),
        ([ago(50_000, 9_950)], 100, 36_400),
    ],
)
def test_waits_until_every_window_has_room(spent: list[Spending], weight: float, seconds: float) -> None:
    if spent and spent[0].weight > LIMITS.per_hour:
        spent = [ago(50_000 + n, 199) for n in range(50)]
        assert waiting_time(spent, weight, NOW, LIMITS) > timedelta(hours=10)
    else:
        assert waiting_time(spent, weight, NOW, LIMITS).total_seconds() == pytest.approx(seconds, abs=0.1)


@given(st.lists(st.floats(min_value=1, max_value=600), min_size=1, max_size=60))
def test_no_clock_window_ever_holds_more_than_the_limit(weights: list[float]) -> None:
    clock = TurnedClock()
    spent: list[Spending] = []
    for weight in weights:
        wait = waiting_time(spent, weight, clock.now(), LIMITS)
        clock.sleep(wait.total_seconds() + 0.001)
        spent.append(Spending(clock.now(), weight))
    for length, limit in ((60, 600), (3600, 5000), (86400, 10000)):
        used: dict[int, float] = {}
        for spending in spent:
            window = int(spending.at.timestamp() // length)
            used[window] = used.get(window, 0) + spending.weight
        assert max(used.values()) <= limit + 1e-6


def test_budget_is_kept_across_runs(bench: Bench) -> None:
    bench.budget.spend(500)
    bench.budget.spend(500)
    assert bench.clock.slept == timedelta(seconds=60)
    assert bench.budget.remaining_today() == 9_000


def test_refused_request_costs_nothing(bench: Bench) -> None:
    bench.budget.refund(bench.budget.spend(123.4567))
    assert bench.budget.remaining_today() == 10_000


def test_wait_beyond_the_run_s_patience_is_an_error_that_names_the_time(bench: Bench) -> None:
    for _ in range(5):
        bench.budget.spend(1000)
    bench.max_wait = timedelta(minutes=5)
    with pytest.raises(BudgetExhaustedError, match=r"fit from 2026-11-22 \d\d:\d\d UTC on"):
        bench.budget.spend(1000)


def test_two_runs_at_once_both_leave_their_mark(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other = bench.budget, bench.budget
    read = bench.documents.read
    interfered = []

    def read_then_be_overtaken(name: str) -> object:
        document = read(name)
        if not interfered:
            interfered.append(True)
            other.spend(10)
        return document

    monkeypatch.setattr(bench.documents, "read", read_then_be_overtaken)
    mine.spend(20)
    entries = json.loads(bench.text(BUDGET_LEDGER) or "")["requests"]
    assert sorted(entry["weight"] for entry in entries) == [10, 20]


def test_unreadable_ledger_starts_empty(bench: Bench) -> None:
    bench.s3.put_object(Bucket=BUCKET, Key=f"checkpoints/{BUDGET_LEDGER}", Body=b'{"requests": [1]}')
    assert isinstance(bench.budget, Budget)
    assert bench.budget.remaining_today() == 10_000
