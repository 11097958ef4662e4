"""The transforms on a real Spark session: the contract's example, its edges, and DuckDB's opinion."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import pytest
from pyspark.sql import DataFrame, SparkSession

from config.grid import GRID, Grid, sensor_name
from config.tables import TABLES
from config.weather import QualityRules
from emr_jobs.transforms.sensor_weather import to_sensor_weather
from emr_jobs.transforms.weather import to_weather, to_weather_region
from emr_jobs.transforms.weather_quality import measure_weather, quality_line
from local_stack.open_meteo.weather_model import WeatherModel

pytestmark = pytest.mark.spark

DAY = date(2026, 3, 1)
RULES = QualityRules()
RAW_DDL = (
    "sensor_id string, latitude double, longitude double, temperature_2m_max double, "
    "temperature_2m_min double, precipitation_sum double, source string, dt date, file_time timestamp, "
    "file_path string"
)


def raw_row(
    number: int, *measures: float | None, day: date = DAY, at: int = 0, path: str = "a"
) -> tuple[Any, ...]:
    latitude, longitude = GRID.place(number)
    time = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(seconds=at)
    return (sensor_name(number), latitude, longitude, *measures, "archive", day, time, path)


def weather_of(spark: SparkSession, *rows: tuple[Any, ...], grid: Grid = GRID) -> DataFrame:
    return to_weather(spark.createDataFrame(list(rows), RAW_DDL), grid, RULES)


def only(frame: DataFrame) -> dict[str, Any]:
    (row,) = frame.collect()
    return dict(row.asDict())


def test_example_of_the_contract(spark: SparkSession) -> None:
    row = only(weather_of(spark, raw_row(42, 8.5, 2.3, 1.2)))
    shown = {name: row[name] for name in TABLES["weather_daily"].column_names[:-2]}
    assert shown == {
        "dt": DAY,
        "sensor_id": "SENSOR_0042",
        "region": "ZONE_4_2",
        "latitude": 52.495,
        "longitude": 13.28,
        "temperature_max": 8.5,
        "temperature_min": 2.3,
        "precipitation": 1.2,
        "temperature_max_f": 47.3,
        "temperature_min_f": 36.1,
        "temperature_avg": 5.4,
        "temperature_range": 6.2,
        "temp_category": "cold",
        "precipitation_level": "light",
        "is_complete": True,
        "data_quality_score": 100,
        "region_avg_temp": 5.4,
        "region_total_precipitation": 1.2,
    }


def test_region_is_a_block_of_two_by_two(spark: SparkSession) -> None:
    rows = weather_of(spark, *(raw_row(n, 1.0, 0.0, 0.0) for n in (42, 43, 52, 53, 0, 99, 44))).collect()
    assert {row.sensor_id[-2:]: row.region for row in rows} == {
        "42": "ZONE_4_2",
        "43": "ZONE_4_2",
        "52": "ZONE_4_2",
        "53": "ZONE_4_2",
        "00": "ZONE_0_0",
        "99": "ZONE_8_8",
        "44": "ZONE_4_4",
    }


def test_region_skips_nulls(spark: SparkSession) -> None:
    weather = weather_of(
        spark,
        raw_row(42, 10.0, 5.0, 1.5),
        raw_row(43, None, None, 2.5),
        raw_row(52, 11.0, 5.1, None),
        raw_row(44, None, None, None),
    )
    regions = {row.region: row.asDict() for row in to_weather_region(weather).collect()}
    # 7.5 and 8.05, which shows as 8.1: their mean is 7.8.
    assert regions["ZONE_4_2"] == {
        "dt": DAY,
        "region": "ZONE_4_2",
        "sensors": 3,
        "region_avg_temp": 7.8,
        "region_total_precipitation": 4.0,
    }
    assert regions["ZONE_4_4"]["region_avg_temp"] is None
    assert regions["ZONE_4_4"]["region_total_precipitation"] is None


def test_temp_category_follows_the_rounded_average(spark: SparkSession) -> None:
    cases = [
        (-0.2, -0.4, "freezing"),
        (0.0, -0.1, "freezing"),
        (0.1, -0.1, "cold"),
        (0.0, 0.0, "cold"),
        (9.9, 9.9, "cold"),
        (10.0, 9.9, "mild"),
        (19.9, 19.9, "mild"),
        (20.0, 20.0, "warm"),
        (29.9, 29.9, "warm"),
        (30.0, 30.0, "hot"),
        (None, 3.0, None),
    ]
    rows = [raw_row(n, highest, lowest, 0.0) for n, (highest, lowest, _) in enumerate(cases)]
    assert by_sensor(weather_of(spark, *rows), "temp_category") == [category for *_, category in cases]


def test_precipitation_level_follows_the_rounded_value(spark: SparkSession) -> None:
    cases = [
        (0.0, "none"),
        (0.04, "none"),
        (0.05, "light"),
        (2.44, "light"),
        (2.45, "moderate"),
        (9.9, "moderate"),
        (10.0, "heavy"),
        (49.9, "heavy"),
        (50.0, "extreme"),
        (None, None),
    ]
    rows = [raw_row(n, 1.0, 0.0, rain) for n, (rain, _) in enumerate(cases)]
    assert by_sensor(weather_of(spark, *rows), "precipitation_level") == [level for _, level in cases]


def by_sensor(weather: DataFrame, column: str) -> list[Any]:
    return [row[column] for row in weather.select("sensor_id", column).orderBy("sensor_id").collect()]


def test_null_measure_gives_null_derived_values_never_zero(spark: SparkSession) -> None:
    row = only(weather_of(spark, raw_row(0, None, 2.0, None)))
    for name in (
        "temperature_max",
        "temperature_max_f",
        "temperature_avg",
        "temperature_range",
        "temp_category",
    ):
        assert row[name] is None
    assert row["precipitation"] is None
    assert row["precipitation_level"] is None
    assert (row["temperature_min"], row["temperature_min_f"]) == (2.0, 35.6)
    assert (row["is_complete"], row["data_quality_score"]) == (False, 40)


def test_minimum_above_maximum_makes_both_null(spark: SparkSession) -> None:
    weather = weather_of(spark, raw_row(0, 1.0, 2.0, 3.0))
    row = only(weather)
    assert (row["temperature_max"], row["temperature_min"], row["precipitation"]) == (None, None, 3.0)
    assert row["data_quality_score"] == 20
    assert value(weather, "Inverted Temperature Count") == 1


def test_absurd_value_becomes_null_and_is_counted(spark: SparkSession) -> None:
    cases = [
        (999.9, 1.0, 0.0),
        (5.0, -90.1, 0.0),
        (5.0, 1.0, -0.1),
        (5.0, 1.0, 2000.1),
        (float("nan"), 1.0, 0.0),
    ]
    weather = weather_of(spark, *(raw_row(n, *measures) for n, measures in enumerate(cases)))
    for row in weather.collect():
        assert [row["temperature_max"], row["temperature_min"], row["precipitation"]].count(None) == 1
    assert value(weather, "Absurd Value Count") == len(cases)
    assert value(weather, "Complete Rows") == 0


def test_latest_record_of_a_sensor_and_day_wins(spark: SparkSession) -> None:
    weather = weather_of(
        spark,
        raw_row(0, 1.0, 0.0, 0.0, at=5, path="a"),
        raw_row(0, 2.0, 0.0, 0.0, at=9, path="b"),
        raw_row(0, 3.0, 0.0, 0.0, at=9, path="a"),
    )
    assert only(weather)["temperature_max"] == 2.0
    assert value(weather, "Duplicate Row Count") == 2


def value(weather: DataFrame, name: str) -> float:
    return {metric.name: metric.value for metric in measure_weather(weather, RULES)}[name]


def test_quality_line_has_the_original_s_wording(spark: SparkSession) -> None:
    rows = [raw_row(n, 5.0, 1.0, 0.0) for n in range(98)]
    rows += [raw_row(98, None, 1.0, 0.0), raw_row(99, 5.0, 1.0, None)]
    metrics = measure_weather(weather_of(spark, *rows), RULES)
    assert quality_line(metrics).startswith(
        "Data Quality Metrics: Total Rows: 100, Complete Rows: 98, Completeness Rate: 98.00%, "
        "Null Temperature Count: 1, Null Precipitation Count: 1"
    )
    assert [metric.verdict for metric in metrics if metric.threshold is not None] == ["pass"]


def test_verdict_fails_below_the_threshold(spark: SparkSession) -> None:
    rows = [raw_row(n, 5.0, 1.0, None if n < 6 else 0.0) for n in range(100)]
    metrics = measure_weather(weather_of(spark, *rows), RULES)
    assert {metric.name for metric in metrics if metric.verdict == "fail"} == {"Completeness Rate"}


def test_equals_an_independent_duckdb_computation(spark: SparkSession) -> None:
    model = WeatherModel(3)
    rows = []
    for offset in range(25):
        day = DAY + timedelta(days=offset)
        for number in range(100):
            weather = model.observed(*GRID.place(number), day)
            rain = weather.precipitation if (number + offset) % 17 else None
            highest = weather.temperature_max if (number * offset) % 31 else None
            rows.append(raw_row(number, highest, weather.temperature_min, rain, day=day))
    ours = weather_of(spark, *rows).select(*TABLES["weather_daily"].column_names[:-2]).collect()
    assert sorted(tuple(row) for row in ours) == duckdb_weather(rows)


def duckdb_weather(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The contract in SQL, over the same raw rows, in exact decimals."""
    database = duckdb.connect()
    database.execute(
        "CREATE TABLE raw (sensor_id VARCHAR, latitude DOUBLE, longitude DOUBLE, highest DECIMAL(9,3), "
        "lowest DECIMAL(9,3), rain DECIMAL(9,3), dt DATE)"
    )
    database.executemany("INSERT INTO raw VALUES (?,?,?,?,?,?,?)", [(*row[:6], row[7]) for row in rows])
    return database.execute(
        """
        WITH numbered AS (
          SELECT *, CAST(right(sensor_id, 4) AS INT) AS n FROM raw
        ), measured AS (
          SELECT dt, sensor_id, latitude, longitude,
            format('ZONE_{}_{}', n // 10 // 2 * 2, n % 10 // 2 * 2) AS region,
            round(highest, 1) AS hi, round(lowest, 1) AS lo, round(rain, 1) AS mm
          FROM numbered
        ), averaged AS (
          SELECT *, round(CAST(hi + lo AS DECIMAL(9,2)) * 0.5, 1) AS av FROM measured
        )
        SELECT dt, sensor_id, region, latitude, longitude, CAST(hi AS DOUBLE), CAST(lo AS DOUBLE),
          CAST(mm AS DOUBLE),
          CAST(round(hi * 1.8 + 32, 1) AS DOUBLE), CAST(round(lo * 1.8 + 32, 1) AS DOUBLE),
          CAST(av AS DOUBLE), CAST(hi - lo AS DOUBLE),
          CASE WHEN av < 0 THEN 'freezing' WHEN av < 10 THEN 'cold' WHEN av < 20 THEN 'mild'
               WHEN av < 30 THEN 'warm' WHEN av >= 30 THEN 'hot' END,
          CASE WHEN mm = 0 THEN 'none' WHEN mm < 2.5 THEN 'light' WHEN mm < 10 THEN 'moderate'
               WHEN mm < 50 THEN 'heavy' WHEN mm >= 50 THEN 'extreme' END,
          hi IS NOT NULL AND lo IS NOT NULL AND mm IS NOT NULL,
          CASE WHEN hi IS NULL THEN 0 ELSE 40 END + CASE WHEN lo IS NULL THEN 0 ELSE 40 END
            + CASE WHEN mm IS NULL THEN 0 ELSE 20 END,
          round(CAST(sum(av) OVER region AS DOUBLE) / count(av) OVER region, 1),
          CAST(sum(mm) OVER region AS DOUBLE)
        FROM averaged WINDOW region AS (PARTITION BY region, dt)
        ORDER BY ALL
        """
    ).fetchall()


CLIMATE_DDL = (
    "day date, latitude double, longitude double, avg_temp double, min_temp double, max_temp double, "
    "avg_humidity double, min_humidity double, max_humidity double"
)
MEASURED = (10.0, 5.0, 15.0, 60.0, 50.0, 70.0)


def joined(
    spark: SparkSession, *places: tuple[date, float, float], points: DataFrame, limit: float = 10.0
) -> list[Any]:
    climate = spark.createDataFrame([(*place, *MEASURED) for place in places], CLIMATE_DDL)
    columns = TABLES["sensor_weather_daily"].column_names
    return to_sensor_weather(climate, points, limit).select(*columns).orderBy("day", "latitude").collect()


def test_place_gets_the_weather_of_its_nearest_grid_point(spark: SparkSession) -> None:
    points = weather_of(spark, *(raw_row(n, 8.5, 2.3, 1.2 if n == 42 else 0.0) for n in range(100)))
    latitude, longitude = GRID.place(42)
    (row,) = joined(spark, (DAY, latitude + 0.01, longitude), points=points)
    assert (row.weather_sensor_id, row.weather_precipitation, row.avg_temp) == ("SENSOR_0042", 1.2, 10.0)
    assert row.distance_km == pytest.approx(1.112, abs=0.001)
    assert row.temp_category == "cold"


def test_place_beyond_the_limit_has_no_weather_and_keeps_its_row(spark: SparkSession) -> None:
    points = weather_of(spark, raw_row(0, 8.5, 2.3, 1.2))
    (row,) = joined(spark, (DAY, 48.1, 11.6), points=points)
    assert (row.weather_sensor_id, row.distance_km, row.weather_temperature_avg) == (None, None, None)
    assert row.avg_temp == 10.0


def test_day_without_weather_has_none(spark: SparkSession) -> None:
    points = weather_of(spark, raw_row(0, 8.5, 2.3, 1.2))
    rows = joined(spark, (DAY, *GRID.place(0)), (DAY + timedelta(days=1), *GRID.place(0)), points=points)
    assert [row.weather_temperature_max for row in rows] == [8.5, None]


def test_nearest_point_is_found_across_the_date_line(spark: SparkSession) -> None:
    raw = spark.createDataFrame(
        [
            (
                "SENSOR_0000",
                -17.0,
                -179.99,
                30.0,
                20.0,
                0.0,
                "archive",
                DAY,
                datetime(2026, 3, 2, tzinfo=UTC),
                "a",
            )
        ],
        RAW_DDL,
    )
    (row,) = joined(spark, (DAY, -17.0, 179.99), points=to_weather(raw, GRID, RULES))
    assert row.distance_km == pytest.approx(2.127, abs=0.01)
