"""Climate per day and place."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from emr_jobs.transforms.numbers import exact_average, place_degrees, to_scaled, utc_day


def _partials(measure: str, short: str) -> list[Column]:
    """Exact, mergeable aggregates of a measure: they skip nulls, and all null gives null and count 0."""
    # Adding 0.0 makes -0.0 a 0.0: the two compare as equal, so min and max would keep whichever came first.
    value = F.col(measure) + F.lit(0.0)
    return [
        F.sum(to_scaled(F.col(measure))).alias(f"{short}_scaled_sum"),
        F.count(measure).alias(f"{short}_count"),
        F.min(value).alias(f"min_{short}"),
        F.max(value).alias(f"max_{short}"),
    ]


def to_climate_rollup(events: DataFrame) -> DataFrame:
    """Exact partial aggregates of valid, unique events per (day, latitude, longitude).

    Columns: the key, event_count, and for ``temp`` and ``humidity`` X_scaled_sum (bigint at 1e-6),
    X_count, min_X, max_X.
    """
    return events.groupBy(
        utc_day(F.col("timestamp")).alias("day"),
        place_degrees(F.col("location.latitude")).alias("latitude"),
        place_degrees(F.col("location.longitude")).alias("longitude"),
    ).agg(
        F.count(F.lit(1)).alias("event_count"),
        *_partials("temperature", "temp"),
        *_partials("humidity", "humidity"),
    )


def to_temp_humidity(rollup: DataFrame) -> DataFrame:
    """From the rollup to the table ``temp_humidity_kpis``: one row per day and place."""
    return rollup.select(
        "day",
        "latitude",
        "longitude",
        exact_average(F.col("temp_scaled_sum"), F.col("temp_count")).alias("avg_temp"),
        "min_temp",
        "max_temp",
        exact_average(F.col("humidity_scaled_sum"), F.col("humidity_count")).alias("avg_humidity"),
        "min_humidity",
        "max_humidity",
    )
