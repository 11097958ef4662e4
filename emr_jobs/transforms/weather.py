"""Raw weather to rows per day and sensor, and per day and region. Pure.

All arithmetic is in whole tenths (bigint), rounded half up in the sense of SQL's ``round`` (ties go
away from zero): results are exact and equal in any engine. Every derived value follows from the
rounded measures that the row shows.
"""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from config.grid import Grid
from config.weather import QualityRules

_REGION_SIDE = 2

_MEASURES = {
    "temperature_2m_max": "max_tenths",
    "temperature_2m_min": "min_tenths",
    "precipitation_sum": "rain_tenths",
}

_TEMP_CATEGORIES = (("freezing", 0), ("cold", 100), ("mild", 200), ("warm", 300))
_PRECIPITATION_LEVELS = (("light", 25), ("moderate", 100), ("heavy", 500))
"""Names with the tenths below which they apply; above the last: hot and extreme."""


def keep_latest(raw: DataFrame) -> DataFrame:
    """One row per dt and sensor_id: of the file written last, by time, then by name.

    Drops ``file_time`` and ``file_path``, by which it judges, and adds ``copies``: of how many rows.
    """
    measures = [F.col(name).desc_nulls_last() for name in _MEASURES]
    latest_first = Window.partitionBy("dt", "sensor_id").orderBy(
        F.col("file_time").desc(), F.col("file_path").desc(), *measures
    )
    of_the_day = Window.partitionBy("dt", "sensor_id")
    ranked = raw.withColumn("rank", F.row_number().over(latest_first)).withColumn(
        "copies", F.count(F.lit(1)).over(of_the_day)
    )
    return ranked.where("rank = 1").drop("rank", "file_time", "file_path")


def with_believable_tenths(raw: DataFrame, rules: QualityRules) -> DataFrame:
    """Add max_tenths, min_tenths and rain_tenths: the measures in tenths, null where not believable.

    Also is_absurd (a measure outside the rules) and is_inverted (minimum above maximum): what they
    concern is null, the rest of the row stays.
    """
    highest, lowest = F.col("temperature_2m_max"), F.col("temperature_2m_min")
    rain = F.col("precipitation_sum")
    low, high = rules.temperature_min, rules.temperature_max
    sane_highest = F.when(highest.between(low, high), highest)
    sane_lowest = F.when(lowest.between(low, high), lowest)
    sane_rain = F.when(rain.between(0.0, rules.precipitation_max), rain)
    pairs = ((highest, sane_highest), (lowest, sane_lowest), (rain, sane_rain))
    absurd = reduce(Column.__or__, (given.isNotNull() & sane.isNull() for given, sane in pairs))
    return (
        raw.withColumn("is_absurd", absurd)
        .withColumn("is_inverted", F.coalesce(sane_lowest > sane_highest, F.lit(False)))
        .withColumn("max_tenths", F.when(~F.col("is_inverted"), _tenths(sane_highest)))
        .withColumn("min_tenths", F.when(~F.col("is_inverted"), _tenths(sane_lowest)))
        .withColumn("rain_tenths", _tenths(sane_rain))
    )


def with_region(rows: DataFrame, grid: Grid) -> DataFrame:
    """Add region: the sensor's block of 2 x 2, ZONE_ROW_COLUMN of the block's first sensor."""
    number = F.regexp_extract("sensor_id", r"(\d+)$", 1).cast("int")
    row = F.floor(number / grid.columns)
    column = number % grid.columns
    return rows.withColumn("region", F.format_string("ZONE_%d_%d", _block(row), _block(column)))


def with_measures(rows: DataFrame) -> DataFrame:
    """Add what follows from the tenths: the measures in both units, averages, categories, completeness."""
    highest, lowest, rain = F.col("max_tenths"), F.col("min_tenths"), F.col("rain_tenths")
    average = F.col("avg_tenths")
    return (
        rows.withColumn("avg_tenths", _divided(highest + lowest, 2))
        .withColumn("temperature_max", _from_tenths(highest))
        .withColumn("temperature_min", _from_tenths(lowest))
        .withColumn("precipitation", _from_tenths(rain))
        .withColumn("temperature_max_f", _from_tenths(_fahrenheit_tenths(highest)))
        .withColumn("temperature_min_f", _from_tenths(_fahrenheit_tenths(lowest)))
        .withColumn("temperature_avg", _from_tenths(average))
        .withColumn("temperature_range", _from_tenths(highest - lowest))
        .withColumn("temp_category", _category(average, _TEMP_CATEGORIES, "hot"))
        .withColumn(
            "precipitation_level",
            F.when(rain == 0, "none").otherwise(_category(rain, _PRECIPITATION_LEVELS, "extreme")),
        )
        .withColumn("is_complete", highest.isNotNull() & lowest.isNotNull() & rain.isNotNull())
        .withColumn("data_quality_score", _score(highest, 40) + _score(lowest, 40) + _score(rain, 20))
    )


def with_region_aggregates(rows: DataFrame) -> DataFrame:
    """Add sensors, region_avg_temp and region_total_precipitation, over the rows of (region, dt)."""
    region = Window.partitionBy("region", "dt")
    total, present = F.sum("avg_tenths").over(region), F.count("avg_tenths").over(region)
    return (
        rows.withColumn("sensors", F.count(F.lit(1)).over(region))
        .withColumn("region_avg_temp", _from_tenths(_divided(total, present)))
        .withColumn("region_total_precipitation", _from_tenths(F.sum("rain_tenths").over(region)))
    )


def to_weather(raw: DataFrame, grid: Grid, rules: QualityRules) -> DataFrame:
    """From raw files to rows per dt and sensor_id with all columns of ``weather_daily`` but the last two.

    ``raw`` has dt, sensor_id, latitude, longitude, the three measures, file_time and file_path. The
    result also has sensors, copies, is_absurd and is_inverted.
    """
    believable = with_believable_tenths(keep_latest(raw), rules)
    return with_region_aggregates(with_measures(with_region(believable, grid)))


def to_weather_region(weather: DataFrame) -> DataFrame:
    """From the rows of :func:`to_weather` to the table ``weather_region_daily``."""
    return weather.select(
        "dt", "region", "sensors", "region_avg_temp", "region_total_precipitation"
    ).distinct()


def _block(position: Column) -> Column:
    return (F.floor(position / _REGION_SIDE) * _REGION_SIDE).cast("int")


def _tenths(value: Column) -> Column:
    """A double as tenths (bigint); its decimal digits decide, as a person would round them."""
    return (F.round(value.cast("decimal(18,6)"), 1) * 10).cast("bigint")


def _from_tenths(tenths: Column) -> Column:
    return tenths.cast("double") / F.lit(10.0)


def _fahrenheit_tenths(tenths: Column) -> Column:
    return _divided(tenths * 9 + 1600, 5)


def _divided(numerator: Column, denominator: Column | int) -> Column:
    """Quotient of bigints, rounded half up (ties away from zero); null if the denominator is null or 0."""
    by = F.lit(denominator) if isinstance(denominator, int) else denominator
    magnitude = F.floor((F.abs(numerator) * 2 + by) / (by * 2))
    return F.when(by > 0, F.when(numerator < 0, -magnitude).otherwise(magnitude))


def _category(tenths: Column, names: tuple[tuple[str, int], ...], last: str) -> Column:
    category = F.lit(last)
    for name, below in reversed(names):
        category = F.when(tenths < below, name).otherwise(category)
    return F.when(tenths.isNotNull(), category)


def _score(measure: Column, points: int) -> Column:
    return F.when(measure.isNotNull(), points).otherwise(0)
