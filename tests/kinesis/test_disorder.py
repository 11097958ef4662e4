"""Disorder comes in the asked shares, is labelled truly, and is the same for the same seed."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from config.events import (
    HUMIDITY_MAX,
    LATITUDE_MAX,
    MAX_SECONDS_AHEAD_OF_ARRIVAL,
    STATUSES,
    TEMPERATURE_MAX,
    TIMESTAMP_MIN,
)
from kinesis.corruption import CORRUPTIONS
from kinesis.disorder import LATE_SECONDS, DisorderedFleet, Shares
from kinesis.fleet import Fleet
from kinesis.records import Disorder, Record

NOW = 1_784_073_600


def send(count: int, shares: Shares, seed: int = 3) -> list[Record]:
    fleet = DisorderedFleet(Fleet(seed), shares, seed)
    return [fleet.record(NOW) for _ in range(count)]


def of_kind(records: list[Record], kind: Disorder) -> list[Record]:
    return [record for record in records if record.disorder == kind]


@pytest.fixture(scope="module")
def corrupt() -> list[Record]:
    return send(3000, Shares(corrupt=1))


def test_same_seed_same_disorder() -> None:
    shares = Shares(late=0.1, duplicates=0.1, corrupt=0.1)
    assert send(2000, shares) == send(2000, shares)
    assert send(2000, shares) != send(2000, shares, seed=4)


def test_no_disorder_unless_asked() -> None:
    assert {record.disorder for record in send(2000, Shares())} == {None}


def test_shares_are_kept() -> None:
    counts = Counter(record.disorder for record in send(20_000, Shares(0.05, 0.03, 0.02)))
    duplicates = counts[Disorder.DUPLICATE] + counts[Disorder.UUID_CONFLICT]
    corrupt = sum(counts[kind] for kind in CORRUPTIONS)
    assert counts[Disorder.LATE] == pytest.approx(1000, rel=0.2)
    assert duplicates == pytest.approx(600, rel=0.2)
    assert corrupt == pytest.approx(400, rel=0.2)


@pytest.mark.parametrize(
    ("shares", "problem"),
    [
        ({"late": -0.1}, "--late"),
        ({"duplicates": 1.1}, "--duplicates"),
        ({"corrupt": float("nan")}, "--corrupt"),
        ({"late": 0.5, "duplicates": 0.4, "corrupt": 0.2}, "together exceed 1"),
    ],
)
def test_impossible_shares_are_refused(shares: dict[str, float], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Shares(**shares)


def test_late_events_are_hours_to_days_old() -> None:
    shortest, longest = LATE_SECONDS
    records = send(500, Shares(late=1))
    for record in records:
        assert record.timestamp is not None
        assert shortest <= NOW - record.timestamp <= longest
        assert record.disorder == Disorder.LATE
    ages = sorted(NOW - (record.timestamp or 0) for record in records)
    assert ages[0] < 2 * 3600
    assert ages[-1] > 5 * 86_400


def test_duplicates_repeat_a_record_and_conflicts_contradict_one() -> None:
    records = send(20_000, Shares(late=0.1, duplicates=0.2))
    seen: dict[tuple[str | None, int | None], bytes] = {}
    for record in records:
        key = (record.uuid, record.timestamp)
        if record.disorder == Disorder.DUPLICATE:
            assert seen[key] == record.data
        elif record.disorder == Disorder.UUID_CONFLICT:
            assert seen[key] != record.data
        else:
            assert key not in seen
            seen[key] = record.data
    counts = Counter(record.disorder for record in records)
    assert 0 < counts[Disorder.UUID_CONFLICT] < 0.1 * counts[Disorder.DUPLICATE]


def test_every_kind_of_corruption_occurs(corrupt: list[Record]) -> None:
    assert {record.disorder for record in corrupt} == set(CORRUPTIONS)


@pytest.mark.parametrize(
    "kind",
    [
        Disorder.CORRUPT_NOT_JSON,
        Disorder.CORRUPT_TRUNCATED,
        Disorder.CORRUPT_EMPTY,
        Disorder.CORRUPT_NOT_UTF8,
    ],
)
def test_what_does_not_parse_has_no_identity(corrupt: list[Record], kind: Disorder) -> None:
    for record in of_kind(corrupt, kind):
        with pytest.raises(ValueError, match=r".*"):
            json.loads(record.data.decode())
        assert (record.uuid, record.timestamp) == (None, None)
        assert record.partition_key.isdecimal()


def test_arrays_have_no_identity(corrupt: list[Record]) -> None:
    for record in of_kind(corrupt, Disorder.CORRUPT_ARRAY):
        assert isinstance(json.loads(record.data), list)
        assert (record.uuid, record.timestamp) == (None, None)


def test_missing_and_null_fields_take_each_required_field(corrupt: list[Record]) -> None:
    required = {"sensor_id", "location", "status", "event_type", "timestamp", "uuid"}
    for kind in (Disorder.CORRUPT_MISSING_FIELD, Disorder.CORRUPT_NULL_FIELD):
        spoilt = set()
        for record in of_kind(corrupt, kind):
            event = json.loads(record.data)
            spoilt |= {name for name in required if event.get(name) is None}
            assert record.uuid == event.get("uuid")
            assert record.timestamp == event.get("timestamp")
        assert spoilt == required


def test_what_is_out_of_range_is_out_of_range(corrupt: list[Record]) -> None:
    for record in of_kind(corrupt, Disorder.CORRUPT_OUT_OF_RANGE):
        event = json.loads(record.data)
        assert (
            (event["temperature"] or 0) > TEMPERATURE_MAX
            or (event["humidity"] or 0) > HUMIDITY_MAX
            or event["location"]["latitude"] > LATITUDE_MAX
        )


def test_wrong_years_wrong_types_nan_and_new_statuses(corrupt: list[Record]) -> None:
    for record in of_kind(corrupt, Disorder.CORRUPT_FUTURE):
        assert record.timestamp is not None
        assert record.timestamp > NOW + MAX_SECONDS_AHEAD_OF_ARRIVAL
    for record in of_kind(corrupt, Disorder.CORRUPT_YEAR_1970):
        assert record.timestamp is not None
        assert record.timestamp < TIMESTAMP_MIN
    for record in of_kind(corrupt, Disorder.CORRUPT_NAN):
        assert b"NaN" in record.data
    for record in of_kind(corrupt, Disorder.CORRUPT_UNKNOWN_STATUS):
        assert json.loads(record.data)["status"] not in STATUSES
    wrong = [json.loads(record.data) for record in of_kind(corrupt, Disorder.CORRUPT_WRONG_TYPE)]
    assert {name for event in wrong for name, value in event.items() if value in ("warm", "yesterday")} == {
        "temperature",
        "timestamp",
    }
