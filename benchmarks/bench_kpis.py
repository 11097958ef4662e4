"""The KPI jobs over bronze files, in full, against DuckDB over the same files.

    python -m benchmarks.bench_kpis [--events 2000000 20000000] [--rounds 3]

Events lie in a local folder as Firehose would have delivered them, dt= and hour= folders of thirty days,
2 % of them copies and 1 % invalid. *spark*: a job as its step runs it: read, judge, deduplicate, roll up,
publish its Iceberg tables; in a warm session, since a step's start is the same at any size. *duckdb*:
the same rows of the same tables, no table written. Both have two threads and may use 2 GB; the rounds
alternate, and both answers are compared.

One JSON object a line; ``ratio`` is spark / duckdb, each the median of the rounds (aim: under 2 at 20 M).
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import duckdb
from pyspark.sql import SparkSession

from benchmarks.harness import benchmark_parser, folder_catalog, spark_session
from config import names
from emr_jobs import kpi_event_geo, kpi_sensor_health, kpi_temp_humidity
from emr_jobs.edge.kpi import KpiJob, parse_arguments, run
from local_stack.spark.install import ensure_runtime
from tests.support.event_truth import QUERIES, event_query

KPI_JOBS = (kpi_sensor_health.KPI, kpi_temp_humidity.KPI, kpi_event_geo.KPI)
AIM = 2.0
AIM_EVENTS = 20_000_000
DAYS = 30
MEMORY = "2g"
THREADS = 2
START = 1_780_272_000
"""2026-06-01T00:00:00Z"""

EVENTS = f"""
    SELECT
        CAST((n * 7919) % 100 AS BIGINT) AS sensor_id,
        round(10 + 8 * sin(n / 86400.0) + (n % 97) / 50.0, 2)::DOUBLE AS temperature,
        (CASE WHEN n % 100 = 3 THEN 250 ELSE round(50 + 30 * cos(n / 86400.0), 1) END)::DOUBLE AS humidity,
        {{{{
            'latitude': (52.295 + ((n * 7919) % 100 // 10) * 0.05)::DOUBLE,
            'longitude': (13.18 + ((n * 7919) % 10) * 0.05)::DOUBLE
        }}}} AS location,
        CASE n % 50 WHEN 0 THEN 'faulty' WHEN 1 THEN 'maintenance' ELSE 'active' END AS status,
        CASE n % 20 WHEN 0 THEN 'heartbeat' ELSE 'measurement' END AS event_type,
        {START} + n * {DAYS * 86_400} // {{events}} AS "timestamp",
        CAST(CAST(md5(CAST(n AS VARCHAR)) AS UUID) AS VARCHAR) AS uuid
    FROM (SELECT i - CASE WHEN i % 50 = 49 THEN 7 ELSE 0 END AS n FROM range({{events}}) AS numbers(i))
"""
"""Every fiftieth row repeats the one seven before it; every hundredth has a humidity of 250 %."""


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = benchmark_parser("kpis", __doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[2_000_000, AIM_EVENTS])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-kpis-") as name:
        folder = Path(name)
        with session(folder / "warehouse") as spark:
            for count in arguments.events:
                bronze = folder / f"bronze-{count}"
                write_bronze(bronze, count)
                for kpi in KPI_JOBS:
                    compare(spark, kpi, bronze, count, arguments.rounds)


def write_bronze(folder: Path, count: int) -> None:
    """Write ``count`` events, one file an hour."""
    database = duckdb.connect(config={"threads": THREADS, "memory_limit": "4GB"})
    database.execute(f"""
        COPY (
            SELECT *, strftime(make_timestamp("timestamp" * 1000000), '%Y-%m-%d') AS dt,
                strftime(make_timestamp("timestamp" * 1000000), '%H') AS hour
            FROM ({EVENTS.format(events=count)})
        ) TO '{folder}' (FORMAT parquet, COMPRESSION snappy, PARTITION_BY (dt, hour))
    """)


def compare(spark: SparkSession, kpi: KpiJob, bronze: Path, count: int, rounds: int) -> None:
    """Time one job both ways and print the figures."""
    warehouse = spark.conf.get(f"spark.sql.catalog.{names.SPARK_CATALOG}.warehouse")
    database = f"bench_{count}"
    arguments = parse_arguments(kpi, [str(bronze), database, kpi.job.table, str(warehouse)])
    tables = [table.name(kpi.job.table) for table in kpi.tables]
    answers: dict[str, list[tuple[object, ...]]] = {}

    def by_duckdb() -> None:
        answers.update(duckdb_tables(bronze, tables))

    spark_seconds, duckdb_seconds = [], []
    for _ in range(rounds):
        spark_seconds.append(seconds_of(lambda: run(spark, kpi, arguments)))
        duckdb_seconds.append(seconds_of(by_duckdb))
    for table in tables:
        published = spark.table(f"{names.SPARK_CATALOG}.{database}.{table}").collect()
        if sorted(map(tuple, published), key=repr) != sorted(answers[table], key=repr):
            raise AssertionError(f"{table}: Spark and DuckDB disagree")
    ratio = statistics.median(spark_seconds) / statistics.median(duckdb_seconds)
    figures = {
        "benchmark": "kpis",
        "job": kpi.job.name,
        "events": count,
        "bytes": sum(file.stat().st_size for file in bronze.rglob("*.parquet")),
        "spark_seconds": round(statistics.median(spark_seconds), 2),
        "duckdb_seconds": round(statistics.median(duckdb_seconds), 2),
        "ratio": round(ratio, 2),
    }
    print(json.dumps(figures | ({"aim": AIM} if count == AIM_EVENTS else {})), flush=True)


def duckdb_tables(bronze: Path, tables: list[str]) -> dict[str, list[tuple[object, ...]]]:
    """The rows of KPI tables by DuckDB: one pass over the files, then one query a table."""
    database = duckdb.connect(config={"threads": THREADS, "memory_limit": MEMORY.upper() + "B"})
    columns = sorted({column for table in tables for column in COLUMNS[table]})
    database.execute(f"CREATE TABLE event AS SELECT {', '.join(columns)} FROM ({event_query(bronze)})")
    return {table: database.execute(QUERIES[table]).fetchall() for table in tables}


COLUMNS = {
    "sensor_health": ("sensor_id", "status"),
    "status_health": ("sensor_id", "status"),
    "temp_humidity_kpis": ("day", "latitude", "longitude", "temperature", "humidity"),
    "event_geo_kpis_events": ("day", "event_type"),
    "event_geo_kpis_faulty_geo": ("latitude", "longitude", "status"),
}
"""What each table is made of."""


def seconds_of(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.monotonic()
    work()
    return time.monotonic() - started


def session(warehouse: Path) -> AbstractContextManager[SparkSession]:
    """A job's session, with a catalog in a folder and the JVM's full compiler, as on a cluster."""
    settings = {
        **ensure_runtime().driver_settings(),
        "spark.driver.memory": MEMORY,
        "spark.driver.defaultJavaOptions": "-Duser.timezone=UTC",
    }
    return spark_session({**settings, **folder_catalog(warehouse)})


if __name__ == "__main__":
    main()
