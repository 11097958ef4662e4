"""Which events are valid, by the contract of config/events.py."""

from __future__ import annotations

import hashlib

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from config import events as contract
from config.events import RejectReason

LARGEST_DOUBLE = 1.7976931348623157e308


def _missing(name: str) -> Column:
    return F.col(name).isNull()


def _missing_or_empty(name: str) -> Column:
    return F.col(name).isNull() | (F.col(name) == "")


def _not_finite(name: str) -> Column:
    """Spark orders NaN above every number, so one comparison finds it and both infinities."""
    return F.abs(F.col(name)) > LARGEST_DOUBLE


def _outside(name: str, low: float, high: float) -> Column:
    return (F.col(name) < low) | (F.col(name) > high)


def _any(*conditions: Column) -> Column:
    result = conditions[0]
    for condition in conditions[1:]:
        result = result | condition
    return result


def _rules() -> dict[RejectReason, Column]:
    """One condition per reason, in the contract's order; null counts as not met."""
    latitude, longitude = "location.latitude", "location.longitude"
    arrival_end = F.unix_seconds("arrival_hour") + F.lit(contract.MAX_SECONDS_AHEAD_OF_ARRIVAL)
    return {
        RejectReason.MISSING_FIELD: _any(
            *map(_missing, ("sensor_id", latitude, longitude, "timestamp")),
            *map(_missing_or_empty, ("status", "event_type", "uuid")),
        ),
        RejectReason.NOT_FINITE: _any(*map(_not_finite, ("temperature", "humidity", latitude, longitude))),
        RejectReason.HUMIDITY_RANGE: _outside("humidity", contract.HUMIDITY_MIN, contract.HUMIDITY_MAX),
        RejectReason.TEMPERATURE_RANGE: _outside(
            "temperature", contract.TEMPERATURE_MIN, contract.TEMPERATURE_MAX
        ),
        RejectReason.LOCATION_RANGE: _any(
            _outside(latitude, contract.LATITUDE_MIN, contract.LATITUDE_MAX),
            _outside(longitude, contract.LONGITUDE_MIN, contract.LONGITUDE_MAX),
        ),
        RejectReason.TIMESTAMP_TOO_OLD: F.col("timestamp") < contract.TIMESTAMP_MIN,
        RejectReason.TIMESTAMP_IN_FUTURE: _any(
            F.col("timestamp") > contract.TIMESTAMP_MAX, F.col("timestamp") > arrival_end
        ),
    }


def with_reject_reason(events: DataFrame) -> DataFrame:
    """Add ``reject_reason`` (string): the first RejectReason that applies, null for a valid event.

    ``events`` has the event's fields and ``arrival_hour`` (timestamp, UTC; null where it is not known:
    then the arrival rule does not apply).
    """
    return events.withColumn("reject_reason", _reason())


def rules_digest() -> str:
    """Tells the rules from those of another version: a digest of what Spark is asked."""
    return hashlib.sha256(_reason()._jc.toString().encode()).hexdigest()[:16]


def _reason() -> Column:
    reason = F.lit(None).cast("string")
    for name, condition in reversed(_rules().items()):
        reason = F.when(condition, F.lit(name.value)).otherwise(reason)
    return reason
