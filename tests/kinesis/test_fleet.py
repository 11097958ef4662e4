"""The simulated fleet: deterministic, plausible, canonical."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from config.content import canonical_content, content_hash
from config.events import HUMIDITY_MAX, HUMIDITY_MIN, STATUSES
from config.grid import GRID, Grid
from kinesis.fleet import Fleet
from kinesis.records import Record

JANUARY = 1_768_435_200  # 2026-01-15T00:00:00Z
JULY = 1_784_073_600  # 2026-07-15T00:00:00Z
HOUR = 3600


def reports(start: int, hours: int, seed: int = 1, sensors: int = 100) -> list[Record]:
    """Every sensor once an hour."""
    fleet = Fleet(seed, sensors)
    return [fleet.record(start + hour * HOUR) for hour in range(hours) for _ in range(sensors)]


def events(records: list[Record]) -> list[dict[str, Any]]:
    return [json.loads(record.data) for record in records]


def mean(values: list[float | None]) -> float:
    present = [value for value in values if value is not None]
    return sum(present) / len(present)


def test_same_seed_and_clock_give_the_same_bytes() -> None:
    assert reports(JULY, 3, seed=7) == reports(JULY, 3, seed=7)


def test_another_seed_gives_other_uuids_of_the_same_sensors() -> None:
    ours, theirs = reports(JULY, 3, seed=7), reports(JULY, 3, seed=8)
    assert {record.uuid for record in ours}.isdisjoint(record.uuid for record in theirs)
    assert [e["status"] for e in events(ours)] == [e["status"] for e in events(theirs)]


def test_what_a_record_says_of_itself_is_what_its_payload_says() -> None:
    for record in reports(JULY, 24):
        event = json.loads(record.data)
        assert record.data == canonical_content(event)
        assert record.content_hash == content_hash(record.data)
        assert (record.uuid, record.timestamp) == (event["uuid"], event["timestamp"])
        assert record.partition_key == str(event["sensor_id"])


def test_uuids_are_unique() -> None:
    records = reports(JULY, 48)
    assert len({record.uuid for record in records}) == len(records)


def test_sensors_report_in_turn_from_their_places() -> None:
    first_round = events(reports(JULY, 1))
    assert [event["sensor_id"] for event in first_round] == list(range(100))
    assert [tuple(event["location"].values()) for event in first_round] == [
        GRID.place(number) for number in range(100)
    ]


def test_a_larger_fleet_shares_the_grid_points() -> None:
    event = events(reports(JULY, 1, sensors=143))[142]
    assert event["sensor_id"] == 142
    assert tuple(event["location"].values()) == GRID.place(42)


def test_every_measurement_is_within_the_contract() -> None:
    for event in events(reports(JANUARY, 48) + reports(JULY, 48)):
        assert event["temperature"] is None or -40 < event["temperature"] < 45
        assert event["humidity"] is None or HUMIDITY_MIN <= event["humidity"] <= HUMIDITY_MAX
        assert event["status"] in STATUSES


def test_summer_is_warmer_than_winter_and_the_other_way_round_in_the_south() -> None:
    def day_mean(start: int, grid: Grid) -> float:
        fleet = Fleet(1, grid=grid)
        day = [fleet.record(start + hour * HOUR) for hour in range(24) for _ in range(100)]
        return mean([event["temperature"] for event in events(day)])

    assert day_mean(JULY, GRID) > day_mean(JANUARY, GRID) + 10
    south = Grid(centre_latitude=-35.0, centre_longitude=149.0)
    assert day_mean(JANUARY, south) > day_mean(JULY, south) + 10


def test_afternoons_are_warmer_and_drier_than_nights() -> None:
    day = events(reports(JULY, 24))
    night = [event for event in day if event["timestamp"] == JULY + 2 * HOUR]
    afternoon = [event for event in day if event["timestamp"] == JULY + 14 * HOUR]
    assert mean([e["temperature"] for e in afternoon]) > mean([e["temperature"] for e in night]) + 5
    assert mean([e["humidity"] for e in afternoon]) < mean([e["humidity"] for e in night]) - 15


def test_some_sensors_fail_for_stretches_and_then_miss_measurements() -> None:
    fleet = Fleet(1)
    statuses: dict[int, list[str]] = {number: [] for number in range(len(fleet.sensors))}
    missing = {"faulty": 0, "other": 0}
    for minute in range(6 * 60):
        for _ in fleet.sensors:
            event = json.loads(fleet.record(JULY + minute * 60).data)
            statuses[event["sensor_id"]].append(event["status"])
            missing["faulty" if event["status"] == "faulty" else "other"] += event["temperature"] is None
    failing = [history for history in statuses.values() if "faulty" in history]
    assert 5 <= len(failing) <= 30
    assert missing["faulty"] > 0
    assert missing["other"] == 0
    for history in failing:
        stretches = [len(list(run)) for status, run in itertools.groupby(history) if status == "faulty"]
        assert max(stretches) > 1
        assert "active" in history


def test_a_fleet_needs_a_sensor() -> None:
    with pytest.raises(ValueError, match="at least one sensor"):
        Fleet(1, sensors=0)


def test_fleets_do_not_disturb_each_other() -> None:
    ours, theirs = Fleet(7), Fleet(8)
    mixed = [(ours.record(JULY), theirs.record(JULY))[0] for _ in range(200)]
    alone = Fleet(7)
    assert mixed == [alone.record(JULY) for _ in range(200)]
