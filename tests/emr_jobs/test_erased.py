"""The rule of erasure: by columns, by what an entry says, and as SQL; never unknown."""

from __future__ import annotations

import base64
import itertools
import json
from datetime import UTC, datetime

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from emr_jobs.transforms.erased import erasure_rule, is_erased, is_erased_entry

UNTIL = 1_780_000_000
ERASED = {7: UNTIL, 2**40: 0, -1: UNTIL}
SENSORS = (7, 8, 2**40, -1, None)
TIMES = (UNTIL - 1, UNTIL, UNTIL + 1, None)

Case = tuple[int | None, int | None, int | None]
CASES: list[Case] = list(itertools.product(SENSORS, TIMES, TIMES))
"""Sensor, timestamp and arrival, epoch seconds."""


def truth(sensor: int | None, timestamp: int | None, arrival: int | None) -> bool:
    """What was measured before the erasure, or arrived until then, is gone."""
    until = ERASED.get(sensor) if sensor is not None else None
    if until is None:
        return False
    return (timestamp is not None and timestamp < until) or (arrival is not None and arrival <= until)


def hour(arrival: int | None) -> datetime | None:
    return None if arrival is None else datetime.fromtimestamp(arrival, UTC)


@pytest.mark.spark
def test_events_are_erased_by_their_columns(spark: SparkSession) -> None:
    rows = [(sensor, timestamp, hour(arrival)) for sensor, timestamp, arrival in CASES]
    events = spark.createDataFrame(rows, "sensor_id bigint, timestamp bigint, arrival_hour timestamp")
    found = events.select(is_erased(ERASED), F.expr(erasure_rule({}))).collect()
    assert [tuple(row) for row in found] == [(truth(*case), False) for case in CASES]


@pytest.mark.spark
def test_entries_are_erased_by_what_they_say(spark: SparkSession) -> None:
    said = [json.dumps({"sensor_id": sensor, "timestamp": time}).encode() for sensor, time, _ in CASES]
    rows = [(data.decode(), hour(arrival)) for data, (_, _, arrival) in zip(said, CASES, strict=True)]
    rows += [(base64.b64encode(data).decode(), at) for data, (_, at) in zip(said, rows, strict=True)]
    rows += [("{torn", hour(UNTIL)), (base64.b64encode(b"\xff\xfe").decode(), hour(UNTIL)), (None, None)]
    entries = spark.createDataFrame(rows, "raw string, arrival_hour timestamp")
    found = [row[0] for row in entries.select(is_erased_entry(ERASED)).collect()]
    in_correction = entries.select("arrival_hour", F.lit("{}").alias("raw"), F.col("raw").alias("correction"))
    corrected = in_correction.select(is_erased_entry(ERASED, ("raw", "correction")))
    assert found == [row[0] for row in corrected.collect()]
    assert found == [*(truth(*case) for case in CASES * 2), False, False, False]
