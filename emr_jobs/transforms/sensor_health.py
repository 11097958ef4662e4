"""Sensor and status health, from one small rollup."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from config.events import FAULTY
from emr_jobs.transforms.numbers import percentage, utc_day


def to_sensor_status_rollup(events: DataFrame) -> DataFrame:
    """Count events per outcome, day, sensor and status.

    Columns: outcome, day, sensor_id, status, event_count.
    """
    return events.groupBy("outcome", utc_day(F.col("timestamp")).alias("day"), "sensor_id", "status").agg(
        F.count(F.lit(1)).alias("event_count")
    )


def to_sensor_status(rollup: DataFrame) -> DataFrame:
    """From rollups of any days to the internal table ``_sensor_status``: events per sensor and status."""
    return rollup.groupBy("sensor_id", "status").agg(F.sum("event_count").alias("event_count"))


def to_sensor_health(rollup: DataFrame) -> DataFrame:
    """From rollups of any days, or ``_sensor_status``, to the table ``sensor_health``: one row a sensor."""
    faulty = F.sum(F.when(F.col("status") == FAULTY, F.col("event_count")).otherwise(F.lit(0)))
    counts = rollup.groupBy("sensor_id").agg(
        faulty.alias("faulty_count"), F.sum("event_count").alias("total_count")
    )
    return counts.select(
        "sensor_id",
        "faulty_count",
        "total_count",
        percentage(F.col("faulty_count"), F.col("total_count")).alias("faulty_pct"),
    )


def to_status_health(rollup: DataFrame) -> DataFrame:
    """From rollups of any days, or ``_sensor_status``, to the table ``status_health``.

    Each status with its number of distinct sensors.
    """
    return rollup.groupBy("status").agg(F.countDistinct("sensor_id").alias("sensor_count"))
