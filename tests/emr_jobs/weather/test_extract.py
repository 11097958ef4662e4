"""The extract as a whole, against the stand-in over HTTP and S3 with real conditional puts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from config.grid import GRID
from config.weather import BUDGET_LEDGER, CHECKPOINT, GAP_LEDGER, RequestLimits
from emr_jobs.weather.extract import ExtractError, ExtractReport, Wish
from emr_jobs.weather.ledger import DayState
from emr_jobs.weather.planner import RangeError
from lakehouse.diagnosis import Cause, StepOutcome, diagnose
from local_stack.open_meteo.faults import Fault
from tests.emr_jobs.weather.conftest import BUCKET, Bench

TODAY = date(2026, 11, 22)


def run(bench: Bench, **wish: object) -> ExtractReport:
    return bench.extract.run(Wish(**wish))  # type: ignore[arg-type]


def asked(bench: Bench) -> list[tuple[str, str, str, int]]:
    return [(r.endpoint, r.start, r.end, r.locations) for r in bench.stand_in.requests]


def test_first_year_takes_one_request_of_each_host(bench: Bench) -> None:
    report = run(bench.with_grid(GRID))
    assert (report.requests, report.days_landed) == (2, 365)
    assert report.states[DayState.FETCHED] == 360 * 100
    assert report.states[DayState.PROVISIONAL] == 5 * 100
    assert asked(bench) == [
        ("forecast", "2026-11-18", "2026-11-22", 100),
        ("archive", "2025-11-23", "2026-11-17", 100),
    ]
    assert bench.clock.slept == timedelta(0)
    assert sum(request.weight for request in bench.stand_in.requests) == pytest.approx(771.4 + 100, abs=0.1)
    assert len(bench.raw_files()) == 365


def test_raw_file_holds_every_sensor_at_its_requested_place(bench: Bench) -> None:
    run(bench.with_grid(GRID), start=date(2026, 10, 1), end=date(2026, 10, 1))
    (body,) = bench.raw_files().values()
    rows = pq.read_table(pa.BufferReader(body)).to_pylist()
    assert [row["sensor_id"] for row in rows] == [f"SENSOR_{n:04d}" for n in range(100)]
    place = GRID.place(42)
    assert (rows[42]["latitude"], rows[42]["longitude"]) == place
    truth = bench.stand_in.model.observed(*place, date(2026, 10, 1))
    assert rows[42]["temperature_2m_max"] == truth.temperature_max
    assert rows[42]["precipitation_sum"] == truth.precipitation
    assert rows[42]["source"] == "archive"


def test_run_again_on_the_same_day_asks_nothing(bench: Bench) -> None:
    run(bench, days=30)
    before = len(bench.stand_in.requests)
    report = run(bench, days=30)
    assert (report.requests, len(bench.stand_in.requests)) == (0, before)


def test_daily_run_is_one_request_whatever_lies_behind(bench: Bench) -> None:
    run(bench, days=40)
    for _ in range(3):
        bench.clock.next_day()
        bench.stand_in.requests.clear()
        assert run(bench).requests == 1
        assert bench.stand_in.requests[0].weight == bench.grid.size


def test_provisional_days_are_settled_by_the_archive_a_week_at_a_time(bench: Bench) -> None:
    run(bench, days=6)
    settled = 0
    for _ in range(14):
        bench.clock.next_day()
        report = run(bench)
        settled += report.requests - 1
        assert report.states[DayState.PROVISIONAL] <= 12 * bench.grid.size
    assert settled == 2


def test_settling_replaces_the_forecast_by_what_the_archive_says(bench: Bench) -> None:
    run(bench, days=5)
    key = f"raw/openmeteo/dt={TODAY}/openmeteo.parquet"
    provisional = bench.raw_files()[key]
    for _ in range(12):
        bench.clock.next_day()
        run(bench)
    record = bench.raw.read(TODAY).records[0]
    assert record.source == "archive"
    assert bench.raw_files()[key] != provisional


def test_refetch_of_unchanged_data_leaves_the_same_bytes(bench: Bench) -> None:
    run(bench, days=20)
    before = bench.raw_files()
    versions = {key: bench.s3.head_object(Bucket=BUCKET, Key=key)["LastModified"] for key in before}
    report = run(bench, days=20, refetch=True)
    assert (report.days_landed, report.days_changed) == (20, 0)
    assert bench.raw_files() == before
    assert {key: bench.s3.head_object(Bucket=BUCKET, Key=key)["LastModified"] for key in before} == versions


def test_leap_day_is_a_day(bench: Bench) -> None:
    run(bench, start=date(2024, 2, 28), end=date(2024, 3, 1))
    assert sorted(bench.raw_files()) == [
        f"raw/openmeteo/dt={day}/openmeteo.parquet" for day in ("2024-02-28", "2024-02-29", "2024-03-01")
    ]


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"end": TODAY + timedelta(days=1)}, "is in the future: today is 2026-11-22"),
        ({"start": TODAY, "end": TODAY - timedelta(days=1)}, "is before --start 2026-11-22"),
        ({"start": TODAY, "days": 3}, "exclude each other"),
    ],
)
def test_senseless_range_is_refused_before_anything_is_asked(
    bench: Bench, wish: dict[str, object], message: str
) -> None:
    with pytest.raises(RangeError, match=message):
        run(bench, **wish)
    assert bench.stand_in.requests == []
    assert bench.text(GAP_LEDGER) is None or json.loads(bench.text(GAP_LEDGER) or "")["days"] == []


def test_nothing_fetched_says_what_to_check_and_owes_every_day(bench: Bench) -> None:
    bench.stand_in.faults.order(Fault("status", remaining=100, status=503))
    with pytest.raises(ExtractError, match="No data fetched successfully") as caught:
        run(bench, days=10)
    assert "WEATHER_API_URL" in str(caught.value)
    assert bench.raw_files() == {}
    assert bench.text(CHECKPOINT) is None
    assert json.loads(bench.text(GAP_LEDGER) or "")["days"] == [
        {"start": "2026-11-13", "end": "2026-11-22", "states": "O6"}
    ]


@pytest.mark.parametrize("answered", [0, 1])
@pytest.mark.parametrize(
    ("status", "reason", "cause"),
    [
        (503, "Service Unavailable", Cause.UNREACHABLE),
        (429, "Minutely API request limit exceeded. Please try again in one minute.", Cause.THROTTLED),
        (429, "Daily API request limit exceeded. Please try again tomorrow.", Cause.QUOTA),
        (400, "Invalid", Cause.UNKNOWN),
    ],
)
def test_what_ends_an_extract_is_diagnosed_by_its_message(
    bench: Bench, answered: int, status: int, reason: str, cause: Cause
) -> None:
    bench.stand_in.faults.order(Fault("status", remaining=1000, skip=answered, status=status, reason=reason))
    with pytest.raises(ExtractError) as caught:
        run(bench, days=10)
    assert diagnosed(caught.value) is cause


def test_no_connection_and_a_used_up_budget_are_told_apart(bench: Bench) -> None:
    with pytest.raises(ExtractError) as caught:
        run(replace(bench, url="http://127.0.0.1:9"), days=10)
    assert diagnosed(caught.value) is Cause.UNREACHABLE
    bench.budget.spend(RequestLimits().per_hour)
    with pytest.raises(ExtractError) as caught:
        run(replace(bench, max_wait=timedelta(0)), days=10)
    assert diagnosed(caught.value) is Cause.QUOTA


def diagnosed(error: ExtractError) -> Cause:
    """What is made of a step that logged this."""
    log = f"2026-11-22 06:00:30,000 ERROR {error}\n"
    return diagnose(StepOutcome("Unknown Error.", stdout=log)).cause


def test_owed_days_are_asked_for_first_by_the_next_run(bench: Bench) -> None:
    bench.stand_in.faults.order(Fault("status", remaining=6, skip=1, status=503))
    with pytest.raises(ExtractError, match="30 sensor-days are still owed after 1 requests"):
        run(bench, days=10)
    bench.stand_in.reset()
    bench.clock.next_day()
    run(bench, start=date(2025, 1, 1), end=date(2025, 1, 10))
    forecast, archive = bench.stand_in.requests
    assert (forecast.endpoint, forecast.start, forecast.end) == ("forecast", "2026-11-19", "2026-11-22")
    assert set(archive.start.split(",")) == {"2026-11-18", "2025-01-01"}


class KilledError(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@pytest.mark.parametrize("survived_puts", range(15))
def test_killed_at_any_write_and_run_again_ends_the_same(
    bench: Bench, survived_puts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = 0
    put = bench.s3.put_object

    def mortal_put(**arguments: object) -> object:
        nonlocal writes
        if writes == survived_puts:
            raise KilledError
        writes += 1
        return put(**arguments)

    monkeypatch.setattr(bench.s3, "put_object", mortal_put)
    with pytest.raises(KilledError):
        run(bench, days=8)
    monkeypatch.setattr(bench.s3, "put_object", put)
    landed = [key.split("dt=")[1][:10] for key in bench.raw_files()]
    bench.stand_in.requests.clear()

    report = run(bench, days=8)
    repeated = [day for day in landed for r in bench.stand_in.requests if r.start <= day <= r.end]
    assert repeated == []
    assert report.states[DayState.OWED] == 0
    assert bench.raw_files() == expected_files(bench, days=8)


def expected_files(bench: Bench, days: int) -> dict[str, bytes]:
    """What an undisturbed run leaves, in a bucket that is emptied for it."""
    for entry in bench.s3.list_objects_v2(Bucket=BUCKET)["Contents"]:
        bench.s3.delete_object(Bucket=BUCKET, Key=entry["Key"])
    run(bench, days=days)
    return bench.raw_files()


def test_storm_of_429_ends_complete_late_and_within_budget(bench: Bench) -> None:
    reason = "Minutely API request limit exceeded. Please try again in one minute."
    bench.stand_in.faults.order(Fault("status", remaining=12, status=429, reason=reason))
    bench.stand_in.faults.order(Fault("status", remaining=8, skip=1, status=429, reason=reason))
    report = run(bench, days=10)
    assert report.states[DayState.OWED] == 0
    assert [request.status for request in bench.stand_in.requests].count(429) == 20
    assert bench.clock.slept > timedelta(minutes=19)
    assert sum(request.weight for request in bench.stand_in.requests) == 12
    spent = json.loads(bench.text(BUDGET_LEDGER) or "")["requests"]
    assert [entry["weight"] for entry in spent] == [6, 6]


@pytest.mark.parametrize("damage", [None, b"{", b'{"grid": "other", "days": []}'])
def test_lost_ledger_and_checkpoint_are_rebuilt_from_the_raw_files(
    bench: Bench, damage: bytes | None
) -> None:
    run(bench, days=10)
    ledger, checkpoint = bench.text(GAP_LEDGER), bench.text(CHECKPOINT)
    bench.s3.delete_object(Bucket=BUCKET, Key=f"checkpoints/{CHECKPOINT}")
    if damage is None:
        bench.s3.delete_object(Bucket=BUCKET, Key=f"checkpoints/{GAP_LEDGER}")
    else:
        bench.s3.put_object(Bucket=BUCKET, Key=f"checkpoints/{GAP_LEDGER}", Body=damage)
    bench.stand_in.requests.clear()
    report = run(bench, days=10)
    assert bench.stand_in.requests == []
    assert report.states[DayState.FETCHED] == 5 * bench.grid.size
    assert bench.text(CHECKPOINT) == checkpoint
    assert json.loads(bench.text(GAP_LEDGER) or "")["days"] == json.loads(ledger or "")["days"]


def test_unreadable_raw_file_is_fetched_again(bench: Bench) -> None:
    run(bench, days=10)
    sound = bench.raw_files()
    key = "raw/openmeteo/dt=2026-11-15/openmeteo.parquet"
    bench.s3.put_object(Bucket=BUCKET, Key=key, Body=b"not parquet")
    bench.s3.delete_object(Bucket=BUCKET, Key=f"checkpoints/{GAP_LEDGER}")
    run(bench, days=10)
    assert bench.raw_files() == sound


def test_data_missing_at_the_source_is_known_as_missing_and_not_asked_again(bench: Bench) -> None:
    bench.stand_in.faults.order(Fault("nulls"))
    report = run(bench, start=date(2026, 1, 1), end=date(2026, 1, 5))
    assert report.states[DayState.MISSING] == 1
    assert bench.raw.read(date(2026, 1, 1)).records[0].measures == (None, None, None)
    assert run(bench, start=date(2026, 1, 1), end=date(2026, 1, 5)).requests == 0


def test_changed_grid_is_fetched_anew(bench: Bench) -> None:
    run(bench, start=date(2026, 1, 1), end=date(2026, 1, 3))
    moved = bench.with_grid(type(bench.grid)(centre_latitude=48.0, rows=2, columns=3))
    run(moved, start=date(2026, 1, 1), end=date(2026, 1, 3))
    assert len(bench.stand_in.requests) == 2
    assert moved.raw.read(date(2026, 1, 1)).records.keys() == set(range(6))
    assert bench.raw.read(date(2026, 1, 1)).records == {}
