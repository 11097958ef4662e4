"""What the KPI tables must hold, computed by DuckDB from the bronze files alone.

It shares no code with the Spark jobs, and follows the data contract in docs and design: validity,
one row per (uuid, timestamp) by smallest (object key, row), exact averages at scale 1e-6.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

VALID = """
    sensor_id IS NOT NULL AND location.latitude IS NOT NULL AND location.longitude IS NOT NULL
    AND "timestamp" IS NOT NULL AND coalesce(status, '') <> '' AND coalesce(event_type, '') <> ''
    AND coalesce(uuid, '') <> ''
    AND coalesce(isfinite(temperature), true) AND coalesce(isfinite(humidity), true)
    AND isfinite(location.latitude) AND isfinite(location.longitude)
    AND (humidity IS NULL OR humidity BETWEEN 0 AND 100)
    AND (temperature IS NULL OR temperature BETWEEN -90 AND 70)
    AND location.latitude BETWEEN -90 AND 90 AND location.longitude BETWEEN -180 AND 180
    AND "timestamp" >= 946684800
    AND "timestamp" <= epoch(strptime(dt || ' ' || hour, '%Y-%m-%d %H')) + 86400
"""

EXACT_AVERAGE = """
    sum(CAST(round(CAST({0} AS DECIMAL(30, 12)) * 1000000) AS HUGEINT))::DOUBLE
    / (count({0}) * 1000000)::DOUBLE
"""

QUERIES = {
    "sensor_health": """
        SELECT sensor_id, count(*) FILTER (status = 'faulty') AS faulty_count, count(*) AS total_count,
            round(CAST(100 * count(*) FILTER (status = 'faulty') AS DECIMAL(30, 10)) / count(*), 2)::DOUBLE
        FROM event GROUP BY sensor_id""",
    "status_health": "SELECT status, count(DISTINCT sensor_id) FROM event GROUP BY status",
    "temp_humidity_kpis": f"""
        SELECT day, latitude, longitude,
            {EXACT_AVERAGE.format("temperature")}, min(temperature), max(temperature),
            {EXACT_AVERAGE.format("humidity")}, min(humidity), max(humidity)
        FROM event GROUP BY day, latitude, longitude""",
    "event_geo_kpis_events": "SELECT day, event_type, count(*) FROM event GROUP BY day, event_type",
    "event_geo_kpis_faulty_geo": """
        SELECT latitude, longitude, count(*)
        FROM event WHERE status = 'faulty' GROUP BY latitude, longitude""",
}
"""Each KPI table in the order of its columns."""


def event_query(bronze_folder: Path) -> str:
    """SQL of the events that count, with day, latitude and longitude as the KPI tables key them."""
    return f"""
        WITH copies AS (
            SELECT *, row_number() OVER (
                PARTITION BY uuid, "timestamp" ORDER BY filename, file_row_number) AS copy
            FROM read_parquet(
                '{bronze_folder}/**/*.parquet', filename = true, file_row_number = true,
                hive_partitioning = true, hive_types = {{'dt': VARCHAR, 'hour': VARCHAR}})
            WHERE {VALID}
        )
        SELECT *, CAST(make_timestamp("timestamp" * 1000000) AS DATE) AS day,
            round(location.latitude, 6) + 0.0 AS latitude, round(location.longitude, 6) + 0.0 AS longitude
        FROM copies WHERE copy = 1
    """


def expected_tables(bronze_folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """The five KPI tables, sorted rows, from the Parquet files below ``bronze_folder`` (dt=/hour=)."""
    database = duckdb.connect()
    database.execute(f"CREATE TABLE event AS {event_query(bronze_folder)}")
    return {table: sorted(database.execute(query).fetchall(), key=repr) for table, query in QUERIES.items()}
