"""Events per day and type, faulty events per place, from one small rollup."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from config.events import FAULTY
from emr_jobs.transforms.numbers import place_degrees, utc_day


def to_event_geo_rollup(events: DataFrame) -> DataFrame:
    """Count valid, unique events per day, type and place.

    Columns: day, event_type, latitude, longitude, event_count. The place is null
    for events that are not faulty: only faulty ones are counted by place.
    """
    faulty = F.col("status") == FAULTY
    return events.groupBy(
        utc_day(F.col("timestamp")).alias("day"),
        "event_type",
        F.when(faulty, place_degrees(F.col("location.latitude"))).alias("latitude"),
        F.when(faulty, place_degrees(F.col("location.longitude"))).alias("longitude"),
    ).agg(F.count(F.lit(1)).alias("event_count"))


def to_events(rollup: DataFrame) -> DataFrame:
    """From rollups of any days to the table ``event_geo_kpis_events``."""
    return rollup.groupBy("day", "event_type").agg(F.sum("event_count").alias("event_count"))


def to_faulty_geo(rollup: DataFrame) -> DataFrame:
    """From rollups of any days to the table ``event_geo_kpis_faulty_geo``."""
    faulty = rollup.where(F.col("latitude").isNotNull())
    return faulty.groupBy("latitude", "longitude").agg(F.sum("event_count").alias("faulty_count"))
