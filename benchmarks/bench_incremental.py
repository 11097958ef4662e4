"""The KPI jobs on the table of events when one day is new: with 30 days behind them, and with 365.

    python -m benchmarks.bench_incremental [--events-a-day 20000] [--rounds 3]

Events lie in an Iceberg table in the emulated Glue and S3, reached through a door that counts what is
asked. Each round appends one day to either lake and runs the three jobs, in one warm session; a run with
nothing new follows. Figures are of all three jobs together: seconds, S3 and Glue calls, data files of
events and the bytes read of them.

One JSON object a line; the last one has the ratios 365 / 30 (aim: at most 1.2).
"""

from __future__ import annotations

import http.client
import json
import os
import re
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from benchmarks.harness import benchmark_parser, spark_session
from config import names
from emr_jobs import kpi_event_geo, kpi_sensor_health, kpi_temp_humidity
from emr_jobs.edge.kpi import parse_arguments, run
from local_stack.spark.install import ensure_runtime
from local_stack.spark.runtime import catalog_settings, endpoint_settings
from tests.support.emulated_aws import run_emulated_aws

KPI_JOBS = (kpi_sensor_health.KPI, kpi_temp_humidity.KPI, kpi_event_geo.KPI)
AIM = 1.2
BEHIND = (30, 365)
DAYS_AT_ONCE = 30
"""So many are made in one commit: a year at once is more than the driver's memory holds."""

BUCKET = "bench-iceberg"
EVENTS = "clickstream_events"
START = 1_748_736_000
"""2025-06-01T00:00:00Z"""

A_DAY = 86_400

EVENT_FILE = re.compile(rf"/{EVENTS}/data/.*\.parquet")


@dataclass
class Door:
    """What has passed through: calls by service, and of data files of events their names and bytes."""

    calls: dict[str, int] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    bytes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, method: str, path: str, headers: Mapping[str, str], size: int) -> None:
        """Count one call and the ``size`` of its answer."""
        service = "glue" if "AWSGlue" in headers.get("X-Amz-Target", "") else "s3"
        with self.lock:
            self.calls[service] = self.calls.get(service, 0) + 1
            if method == "GET" and (found := EVENT_FILE.search(path)):
                self.files.add(found[0])
                self.bytes += size

    def reset(self) -> None:
        """Count from zero."""
        with self.lock:
            self.calls, self.files, self.bytes = {}, set(), 0


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = benchmark_parser("incremental", __doc__)
    parser.add_argument("--events-a-day", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    door = Door()
    with (
        tempfile.TemporaryDirectory(prefix="bench-incremental-") as folder,
        session(Path(folder), door) as spark,
    ):
        for behind in BEHIND:
            make_lake(spark, behind, options.events_a_day)
            run_jobs(spark, behind)
        figures: dict[int, list[dict[str, float]]] = {behind: [] for behind in BEHIND}
        for number in range(options.rounds + 1):
            for behind in BEHIND:
                append(spark, behind, [behind + number], options.events_a_day)
                measured = measure(spark, behind, door)
                if number:  # the first round warms up
                    figures[behind].append(measured)
        medians = {behind: median(rounds) for behind, rounds in figures.items()}
        for behind in BEHIND:
            report(f"one more day, {behind} behind", medians[behind])
            report(f"nothing new, {behind} behind", measure(spark, behind, door))
        few, many = (medians[behind] for behind in BEHIND)
        ratios = {name: round(many[name] / few[name], 2) for name in few if few[name]}
        report("365 behind / 30 behind", ratios | {"aim": AIM})


def make_lake(spark: SparkSession, behind: int, events_a_day: int) -> None:
    """A table of events with some days."""
    spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {names.SPARK_CATALOG}.{database(behind)}")
    events_of(spark, [0], events_a_day).limit(0).writeTo(events_name(behind)).partitionedBy(
        F.days("event_time")
    ).tableProperty("write.summary.partition-limit", "100000").create()
    for first in range(0, behind, DAYS_AT_ONCE):
        append(spark, behind, range(first, min(first + DAYS_AT_ONCE, behind)), events_a_day)


def append(spark: SparkSession, behind: int, days: Any, events_a_day: int) -> None:
    """One commit with these days, one file each."""
    events_of(spark, days, events_a_day).writeTo(events_name(behind)).append()


def events_of(spark: SparkSession, days: Any, events_a_day: int) -> Any:
    """Events of a fleet of 100 sensors on some days, as ingest leaves them."""
    first, last = min(days), max(days)
    numbers = spark.range(first * events_a_day, (last + 1) * events_a_day, numPartitions=1)
    return numbers.selectExpr(
        "id % 100 AS sensor_id",
        "round(10 + 8 * sin(id / 86400.0) + (id % 97) / 50.0, 2) AS temperature",
        "round(50 + 30 * cos(id / 86400.0), 1) AS humidity",
        "named_struct('latitude', 52.295D + (id % 100) DIV 10 * 0.05D, "
        "'longitude', 13.18D + id % 10 * 0.05D) AS location",
        "CASE id % 50 WHEN 0 THEN 'faulty' WHEN 1 THEN 'maintenance' ELSE 'active' END AS status",
        "CASE id % 20 WHEN 0 THEN 'heartbeat' ELSE 'measurement' END AS event_type",
        f"{START} + id * {A_DAY} DIV {events_a_day} AS timestamp",
        "md5(string(id)) AS uuid",
        f"timestamp_seconds({START} + id * {A_DAY} DIV {events_a_day}) AS event_time",
        f"timestamp_seconds({START} + id * {A_DAY} DIV {events_a_day}) AS arrival_hour",
        f"concat('day-', id DIV {events_a_day}) AS source_file",
        "id AS source_row",
    )


def run_jobs(spark: SparkSession, behind: int) -> None:
    """The three jobs, on the table."""
    for kpi in KPI_JOBS:
        arguments = [EVENTS, database(behind), kpi.job.table, f"s3://{BUCKET}/"]
        run(spark, kpi, parse_arguments(kpi, arguments))


def measure(spark: SparkSession, behind: int, door: Door) -> dict[str, float]:
    """Figures of one run of the three jobs."""
    door.reset()
    started = time.monotonic()
    run_jobs(spark, behind)
    return {
        "seconds": round(time.monotonic() - started, 2),
        "s3_calls": door.calls.get("s3", 0),
        "glue_calls": door.calls.get("glue", 0),
        "event_files": len(door.files),
        "event_bytes": door.bytes,
    }


def median(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {name: round(statistics.median(figures[name] for figures in rounds), 2) for name in rounds[0]}


def database(behind: int) -> str:
    """The database of a lake."""
    return f"bench_{behind}"


def events_name(behind: int) -> str:
    """The table of events of a lake."""
    return f"{names.SPARK_CATALOG}.{database(behind)}.{EVENTS}"


@contextmanager
def session(folder: Path, door: Door) -> Iterator[SparkSession]:
    """A job's session on an emulated AWS behind the door."""
    with run_emulated_aws(folder / "aws", "--fresh") as aws, counting(aws.endpoint, door) as endpoint:
        location = {"LocationConstraint": aws.region}
        aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=location)
        os.environ.update(aws.environment)
        settings = {
            **ensure_runtime().driver_settings(scratch=folder),
            **catalog_settings(f"s3://{BUCKET}/"),
            **endpoint_settings(endpoint, aws.region),
        }
        with spark_session(settings) as spark:
            yield spark


@contextmanager
def counting(endpoint: str, door: Door) -> Iterator[str]:
    """Serve a door to ``endpoint`` on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            inside = http.client.HTTPConnection(endpoint.removeprefix("http://"))
            inside.request(self.command, self.path, body or None, dict(self.headers))
            answer = inside.getresponse()
            content = answer.read()
            door.note(self.command, self.path, self.headers, len(content))
            self.send_response_only(answer.status)
            for key, value in answer.getheaders():
                if key.lower() not in ("connection", "transfer-encoding"):
                    self.send_header(key, value)
            if answer.getheader("Content-Length") is None:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            inside.close()

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on  # noqa: N815

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Say nothing of clients that drop a connection they no longer need."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def report(case: str, figures: dict[str, float]) -> None:
    """Print one line."""
    print(json.dumps({"benchmark": "incremental", "case": case, **figures}), flush=True)


if __name__ == "__main__":
    main()
