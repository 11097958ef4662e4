"""weather_check: reachability, shape and budget, before a cluster works for weather."""

from __future__ import annotations

import json
from datetime import date

import pytest

from config.weather import CHECK_RESULT
from emr_jobs.weather.check import CheckError, check
from emr_jobs.weather.extract import Wish
from emr_jobs.weather.planner import RangeError
from local_stack.open_meteo.faults import Fault
from tests.emr_jobs.weather.conftest import BUCKET, Bench


def test_check_is_one_tiny_request_that_finds_what_the_archive_knows(bench: Bench) -> None:
    result = check(bench.extract, bench.budget, Wish(days=20))
    assert [(r.locations, r.weight) for r in bench.stand_in.requests] == [(1, 1.0)]
    assert result.archive_through == "2026-11-20"
    assert (result.planned_requests, result.planned_weight) == (2, 12.0)
    assert result.budget_left == 9_999.0
    assert json.loads(bench.text(CHECK_RESULT) or "")["archive_through"] == "2026-11-20"


def test_extract_asks_the_archive_for_all_that_the_check_saw_there(bench: Bench) -> None:
    check(bench.extract, bench.budget, Wish(days=20))
    bench.extract.run(Wish(days=20))
    assert [(r.endpoint, r.end) for r in bench.stand_in.requests[1:]] == [
        ("archive", "2026-11-20"),
        ("forecast", "2026-11-22"),
    ]


def test_extract_without_a_recent_check_keeps_a_distance(bench: Bench) -> None:
    check(bench.extract, bench.budget, Wish(days=20))
    bench.clock.next_day()
    bench.extract.run(Wish(days=20))
    assert bench.stand_in.requests[1].end == "2026-11-18"


@pytest.mark.parametrize("damage", ["{", "[]", '{"checked_at": "2026-11-22T06:00:00+00:00"}'])
def test_unreadable_check_result_is_as_none(bench: Bench, damage: str) -> None:
    bench.s3.put_object(Bucket=BUCKET, Key=f"checkpoints/{CHECK_RESULT}", Body=damage.encode())
    bench.extract.run(Wish(start=date(2026, 11, 16), end=date(2026, 11, 18)))
    assert [r.endpoint for r in bench.stand_in.requests] == ["archive", "forecast"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault("status", remaining=9), "cannot be used: 503"),
        (Fault("html", remaining=9), "cannot be used: not JSON"),
        (Fault("missing_array", remaining=9), "has no array precipitation_sum"),
        (Fault("status", status=400, reason="Invalid"), "cannot be used: 400"),
    ],
)
def test_service_that_cannot_be_used_fails_the_check(bench: Bench, fault: Fault, message: str) -> None:
    bench.stand_in.faults.order(fault)
    with pytest.raises(CheckError, match=message):
        check(bench.extract, bench.budget, Wish(days=3))
    assert bench.text(CHECK_RESULT) is None


def test_archive_that_knows_nothing_recent_fails_the_check(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.stand_in, "archive_lag_days", 40)
    with pytest.raises(CheckError, match="archive knows none of the last 10 days"):
        check(bench.extract, bench.budget, Wish(days=3))


def test_used_up_budget_fails_the_check_before_any_cluster_time(bench: Bench) -> None:
    for _ in range(9):
        bench.budget.spend(1000)
        bench.clock.sleep(1200)
    bench.budget.spend(998)
    bench.clock.sleep(120)
    with pytest.raises(CheckError, match="has 1 left, the next request weighs 6"):
        check(bench.extract, bench.budget, Wish(days=3))


def test_senseless_range_is_refused_before_anything_is_asked(bench: Bench) -> None:
    with pytest.raises(RangeError):
        check(bench.extract, bench.budget, Wish(end=date(2030, 1, 1)))
    assert bench.stand_in.requests == []
