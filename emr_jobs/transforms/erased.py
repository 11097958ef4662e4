"""Which records belong to sensors whose data was erased.

An erasure has a time (epoch seconds): what a sensor measured before it, or what arrived until then, is gone
for good, wherever it turns up again. What the sensor measures and sends later is new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812

SAID_BY_ENTRIES = ("raw", "correction")
"""Columns in which an entry of quarantine says an event."""


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


def is_erased_entry(erased_sensors: Mapping[int, int], said_in: Sequence[str] = ("raw",)) -> Column:
    """Whether a record is erased, by what any of the columns ``said_in`` says, as JSON or base64; never null.

    Bytes in which no sensor can be read belong to nobody.
    """
    rules = (
        erasure_rule(erased_sensors, _said(text, "sensor_id"), _said(text, "timestamp")) for text in said_in
    )
    return F.expr(" OR ".join(rules))


def _said(text: str, name: str) -> str:
    event = f"CASE WHEN startswith({text}, '{{') THEN {text} ELSE decode(unbase64({text}), 'UTF-8') END"
    return f"CAST(get_json_object({event}, '$.{name}') AS BIGINT)"
