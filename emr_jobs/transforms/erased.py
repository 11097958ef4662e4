"""Which records belong to sensors whose data was erased.

An erasure has a time (epoch seconds): what a sensor measured before it, or what arrived until then, is gone
for good, wherever it turns up again. What the sensor measures and sends later is new.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812

_RAW_EVENT = "CASE WHEN startswith(raw, '{') THEN raw ELSE decode(unbase64(raw), 'UTF-8') END"


def erasure_rule(
    erased_sensors: Mapping[int, int], sensor: str = "sensor_id", timestamp: str = "timestamp"
) -> str:
    """Whether a row is erased, in Spark SQL, by its sensor, timestamp and arrival_hour; never null.

    As text, since DELETE takes no Column. ``sensor`` and ``timestamp`` are columns or expressions.
    """
    rules = (
        f"({sensor} <=> {sensor_id} "
        f"AND coalesce({timestamp} < {until} OR unix_seconds(arrival_hour) <= {until}, false))"
        for sensor_id, until in sorted(erased_sensors.items())
    )
    return " OR ".join(rules) or "false"


def is_erased(erased_sensors: Mapping[int, int]) -> Column:
    """Whether an event is erased; never null."""
    return F.expr(erasure_rule(erased_sensors))


def is_erased_entry(erased_sensors: Mapping[int, int]) -> Column:
    """Whether an entry of quarantine is erased, by what its ``raw`` says; never null.

    Bytes in which no sensor can be read belong to nobody.
    """
    sensor, timestamp = (
        f"CAST(get_json_object({_RAW_EVENT}, '$.{name}') AS BIGINT)" for name in ("sensor_id", "timestamp")
    )
    return F.expr(erasure_rule(erased_sensors, sensor, timestamp))
