"""Athena SQL over the bronze table, by the data contract's limits (``config.events``)."""

from __future__ import annotations

from config import events
from config.tables import BRONZE

_PRESENT = ("sensor_id", "location.latitude", "location.longitude", '"timestamp"')
_NOT_EMPTY = ("status", "event_type", "uuid")
_FINITE = ("temperature", "humidity", "location.latitude", "location.longitude")
_RANGES = {
    "humidity": (events.HUMIDITY_MIN, events.HUMIDITY_MAX),
    "temperature": (events.TEMPERATURE_MIN, events.TEMPERATURE_MAX),
    "location.latitude": (events.LATITUDE_MIN, events.LATITUDE_MAX),
    "location.longitude": (events.LONGITUDE_MIN, events.LONGITUDE_MAX),
}
_ARRIVAL = "to_unixtime(CAST(dt || ' ' || hour || ':00:00' AS timestamp))"


def valid_predicate() -> str:
    """Whether a bronze row is a valid event: true or false, never null."""
    conditions = [
        *(f"{field} IS NOT NULL" for field in _PRESENT),
        *(f"{field} <> ''" for field in _NOT_EMPTY),
        *(f"coalesce(is_finite({field}), true)" for field in _FINITE),
        *(f"coalesce({field} BETWEEN {low} AND {high}, true)" for field, (low, high) in _RANGES.items()),
        f'"timestamp" >= {events.TIMESTAMP_MIN}',
        f'"timestamp" <= {_ARRIVAL} + {events.MAX_SECONDS_AHEAD_OF_ARRIVAL}',
    ]
    return f"coalesce({' AND '.join(conditions)}, false)"


def account_query() -> str:
    """One row: ``valid`` events, ``invalid`` rows, ``duplicate`` rows (further copies of a valid event)."""
    # Names and limits come from config, not from outside.
    return f"""
SELECT
  count(CASE WHEN is_valid THEN 1 END) AS valid,
  coalesce(sum(CASE WHEN is_valid THEN copies - 1 END), 0) AS duplicate,
  coalesce(sum(CASE WHEN is_valid THEN 0 ELSE copies END), 0) AS invalid
FROM (
  SELECT uuid, "timestamp", is_valid, count(*) AS copies
  FROM (SELECT uuid, "timestamp", {valid_predicate()} AS is_valid FROM {BRONZE.name}) AS judged
  GROUP BY uuid, "timestamp", is_valid
) AS identities"""  # noqa: S608
