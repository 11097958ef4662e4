"""Which records belong to sensors whose data was erased.

An erasure has a time (epoch seconds): what a sensor measured before it, or what arrived until then, is gone
for good, wherever it turns up again. What the sensor measures and sends later is new.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812


def is_erased(erased_sensors: Mapping[int, int]) -> Column:
    """Whether an event is erased, by its sensor_id, timestamp and arrival_hour; never null."""
    return _is_erased(erased_sensors, F.col("sensor_id"), F.col("timestamp"))


def is_erased_entry(erased_sensors: Mapping[int, int]) -> Column:
    """Whether an entry of quarantine is erased, by what its ``raw`` says; never null.

    Bytes in which no sensor can be read belong to nobody.
    """
    is_json = F.col("raw").startswith("{")
    event = F.when(is_json, F.col("raw")).otherwise(F.decode(F.unbase64("raw"), "UTF-8"))
    sensor, timestamp = (
        F.get_json_object(event, f"$.{name}").cast("bigint") for name in ("sensor_id", "timestamp")
    )
    return _is_erased(erased_sensors, sensor, timestamp)


def _is_erased(erased_sensors: Mapping[int, int], sensor: Column, timestamp: Column) -> Column:
    conditions = (
        (sensor == sensor_id) & (_before(timestamp, until) | _arrived(until))
        for sensor_id, until in sorted(erased_sensors.items())
    )
    return F.coalesce(reduce(Column.__or__, conditions, F.lit(False)), F.lit(False))


def _before(timestamp: Column, until: int) -> Column:
    return F.coalesce(timestamp < until, F.lit(False))


def _arrived(until: int) -> Column:
    return F.coalesce(F.unix_seconds("arrival_hour") <= until, F.lit(False))
