"""Ingest against the least that could be done: reading the same files and appending their rows.

    python -m benchmarks.bench_ingest [--events 1000000] [--files 24] [--rounds 3]

Both write to a table of events as it is specified, in a folder, in one warm session. Ingest also judges
every row, leaves out copies (2 of 100), keeps refused rows (1 of 100) in quarantine, and audits before it
publishes.

One JSON object a line; the last one has the ratio of the medians (aim: at most 1.5).
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from benchmarks.harness import benchmark_parser, folder_catalog, spark_session
from config.tables import SILVER
from emr_jobs import ingest_events
from emr_jobs.lake.bronze import read_bronze_files
from emr_jobs.lake.event_tables import EventTables
from emr_jobs.lake.tables import ensure_table, qualified_name
from local_stack.spark.install import ensure_runtime

AIM = 1.5
START = 1_780_272_000
"""2026-06-01T00:00:00Z"""

NOW = datetime(2026, 6, 2, tzinfo=UTC)
A_DAY = 86_400

Work = Callable[[SparkSession, Path, Path, str], None]


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = benchmark_parser("ingest", __doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-ingest-") as folder, session(Path(folder)) as spark:
        bronze = Path(folder) / "bronze"
        deliver(spark, bronze, options.events, options.files)
        seconds: dict[str, list[float]] = {"ingest": [], "read_and_append": []}
        for number in range(options.rounds + 1):
            for name, work in (("ingest", ingest), ("read_and_append", read_and_append)):
                taken = timed(work, spark, bronze, Path(folder) / "warehouse", f"{name}_{number}")
                if number:  # the first round warms up
                    seconds[name].append(taken)
        medians = {name: statistics.median(taken) for name, taken in seconds.items()}
        for name, median in medians.items():
            report(name, {"seconds": round(median, 2), "rows_per_second": round(options.events / median)})
        ratio = medians["ingest"] / medians["read_and_append"]
        report("ingest / read_and_append", {"ratio": round(ratio, 2), "aim": AIM})


def deliver(spark: SparkSession, bronze: Path, events: int, files: int) -> None:
    """A day of events of 100 sensors, in files of equal stretches of it, one in an hour's folder."""
    rows = spark.range(0, events, numPartitions=files).selectExpr(
        "id % 100 AS sensor_id",
        "round(10 + 8 * sin(id / 86400.0) + (id % 97) / 50.0, 2) AS temperature",
        "CASE WHEN id % 100 = 7 THEN 101D ELSE round(50 + 30 * cos(id / 86400.0), 1) END AS humidity",
        "named_struct('latitude', 52.295D + (id % 100) DIV 10 * 0.05D, "
        "'longitude', 13.18D + id % 10 * 0.05D) AS location",
        "CASE id % 50 WHEN 0 THEN 'faulty' WHEN 1 THEN 'maintenance' ELSE 'active' END AS status",
        "CASE id % 20 WHEN 0 THEN 'heartbeat' ELSE 'measurement' END AS event_type",
        f"{START} + (id - if(id % 50 = 3, 1, 0)) * {A_DAY} DIV {events} AS timestamp",
        "md5(string(id - if(id % 50 = 3, 1, 0))) AS uuid",
    )
    rows = rows.withColumn("part", F.expr(f"(timestamp - {START}) * {files} DIV {A_DAY}"))
    placed = rows.selectExpr(
        "*",
        "date_format(date_add(DATE '2026-06-01', int(part DIV 24)), 'yyyy-MM-dd') AS dt",
        "lpad(string(part % 24), 2, '0') AS hour",
    )
    placed.drop("part").repartition(files, "dt", "hour").write.partitionBy("dt", "hour").parquet(str(bronze))


def timed(work: Work, spark: SparkSession, bronze: Path, warehouse: Path, database: str) -> float:
    """Seconds that some work takes on tables of its own, which are made before."""
    tables = EventTables.ensure(spark, database, SILVER.name)
    started = time.monotonic()
    work(spark, bronze, warehouse, database)
    taken = time.monotonic() - started
    for name in (tables.silver, tables.quarantine):
        spark.sql(f"DROP TABLE {name} PURGE")
    return taken


def ingest(spark: SparkSession, bronze: Path, warehouse: Path, database: str) -> None:
    """The job, as its command line runs it."""
    arguments = [str(bronze), database, SILVER.name, str(warehouse)]
    ingest_events.run(spark, ingest_events.build_parser().parse_args(arguments), NOW)


def read_and_append(spark: SparkSession, bronze: Path, warehouse: Path, database: str) -> None:
    """Every row as it is."""
    name = qualified_name(database, SILVER.name)
    ensure_table(spark, name, SILVER)
    files = [f"file:{file}" for file in sorted(bronze.glob("dt=*/hour=*/*.parquet"))]
    rows = read_bronze_files(spark, str(bronze), files)
    columns = {"event_time": F.timestamp_seconds("timestamp"), "ingested_at": F.lit(NOW)}
    rows.withColumns(columns).select(*SILVER.column_names).writeTo(name).append()


def session(folder: Path) -> AbstractContextManager[SparkSession]:
    """A job's session, with its catalog in a folder."""
    settings = ensure_runtime().driver_settings(scratch=folder)
    return spark_session({**settings, **folder_catalog(folder / "warehouse")})


def report(case: str, figures: dict[str, float]) -> None:
    """Print one line."""
    print(json.dumps({"benchmark": "ingest", "case": case, **figures}), flush=True)


if __name__ == "__main__":
    main()
