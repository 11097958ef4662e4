"""One more day through the lake: with 30 days behind it, and with 365.

    python -m benchmarks.bench_incremental [--events-a-day 20000] [--rounds 3]

Bronze files and Iceberg tables lie in the emulated S3 and Glue, reached through a door that counts what is
asked. Each round delivers one day to either lake (2 of 100 events are copies, 1 is refused, 1 comes a day
late) and runs the steps of the DAG on it, ingest, three KPI jobs and reconcile, in one warm session; a run
with nothing new follows. Figures: seconds in all and by step, S3 and Glue calls, data files of whatever table
and the bytes read of them.

One JSON object a line; the last one has the ratios 365 / 30 (aim: at most 1.2).
"""

from __future__ import annotations

import http.client
import json
import os
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from benchmarks.harness import benchmark_parser, spark_session
from config.tables import SILVER
from emr_jobs import ingest_events, kpi_event_geo, kpi_sensor_health, kpi_temp_humidity, reconcile
from emr_jobs.edge.kpi import parse_arguments, run
from local_stack.spark.install import ensure_runtime
from local_stack.spark.runtime import catalog_settings, endpoint_settings
from tests.support.emulated_aws import run_emulated_aws

KPI_JOBS = (kpi_sensor_health.KPI, kpi_temp_humidity.KPI, kpi_event_geo.KPI)
AIM = 1.2
BEHIND = (30, 365)
DAYS_AT_ONCE = 73
"""So many are taken in at once while a lake is made."""

BUCKET = "bench-lake"
WAREHOUSE = f"s3://{BUCKET}/"
START_DAY = "2025-06-01"
START = int(datetime.fromisoformat(f"{START_DAY}T00:00:00+00:00").timestamp())

A_DAY = 86_400

DATA_FILE = re.compile(r"/[^?]*\.parquet")


@dataclass
class Door:
    """What has passed through: calls by service, and of data files their names and bytes."""

    calls: dict[str, int] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    bytes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, method: str, path: str, headers: Mapping[str, str], size: int) -> None:
        """Count one call and the ``size`` of its answer."""
        service = "glue" if "AWSGlue" in headers.get("X-Amz-Target", "") else "s3"
        with self.lock:
            self.calls[service] = self.calls.get(service, 0) + 1
            if method == "GET" and (found := DATA_FILE.search(path)):
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
        figures: dict[int, list[dict[str, float]]] = {behind: [] for behind in BEHIND}
        for number in range(options.rounds + 1):
            for behind in BEHIND:
                deliver(spark, behind, [behind + number], options.events_a_day)
                measured = measure(spark, behind, behind + number, door)
                if number:  # the first round warms up
                    figures[behind].append(measured)
        medians = {behind: median(rounds) for behind, rounds in figures.items()}
        for behind in BEHIND:
            report(f"one more day, {behind} behind", medians[behind])
            report(f"nothing new, {behind} behind", measure(spark, behind, behind + options.rounds, door))
        few, many = (medians[behind] for behind in BEHIND)
        ratios = {name: round(many[name] / few[name], 2) for name in few if few[name]}
        report("365 behind / 30 behind", ratios | {"aim": AIM})


def make_lake(spark: SparkSession, behind: int, events_a_day: int) -> None:
    """A lake that has taken in some days."""
    for first in range(0, behind, DAYS_AT_ONCE):
        days = range(first, min(first + DAYS_AT_ONCE, behind))
        deliver(spark, behind, days, events_a_day)
        ingest(spark, behind, days[-1])
        print(f"lake of {behind} days: {days.stop} are in", file=sys.stderr)
    run_kpis(spark, behind, behind - 1)
    run_reconcile(spark, behind, behind - 1)


def deliver(spark: SparkSession, behind: int, days: Sequence[int], events_a_day: int) -> None:
    """Events of a fleet of 100 sensors as Firehose delivers them, one file for each day."""
    numbers = spark.range(days[0] * events_a_day, (days[-1] + 1) * events_a_day)
    copied = numbers.selectExpr("id", "id - if(id % 50 = 3, 1, 0) AS n")
    events = copied.selectExpr(
        "n % 100 AS sensor_id",
        "round(10 + 8 * sin(n / 86400.0) + (n % 97) / 50.0, 2) AS temperature",
        "CASE WHEN n % 100 = 7 THEN 101D ELSE round(50 + 30 * cos(n / 86400.0), 1) END AS humidity",
        "named_struct('latitude', 52.295D + (n % 100) DIV 10 * 0.05D, "
        "'longitude', 13.18D + n % 10 * 0.05D) AS location",
        "CASE n % 50 WHEN 0 THEN 'faulty' WHEN 1 THEN 'maintenance' ELSE 'active' END AS status",
        "CASE n % 20 WHEN 0 THEN 'heartbeat' ELSE 'measurement' END AS event_type",
        f"{START} + n * {A_DAY} DIV {events_a_day} - if(n % 100 = 50, {A_DAY}, 0) AS timestamp",
        "md5(string(n)) AS uuid",
        f"date_format(date_add(DATE '{START_DAY}', int(id DIV {events_a_day})), 'yyyy-MM-dd') AS dt",
        "23 AS hour",
    )
    files = events.repartition(len(days), "dt").write.mode("append").partitionBy("dt", "hour")
    files.parquet(bronze(behind))


def ingest(spark: SparkSession, behind: int, last_day: int) -> None:
    """The first step."""
    arguments = [bronze(behind), database(behind), SILVER.name, WAREHOUSE]
    ingest_events.run(spark, ingest_events.build_parser().parse_args(arguments), end_of(last_day))


def run_kpis(spark: SparkSession, behind: int, last_day: int) -> None:
    """The three jobs, on the table of events."""
    for kpi in KPI_JOBS:
        arguments = [SILVER.name, database(behind), kpi.job.table, WAREHOUSE]
        run(spark, kpi, parse_arguments(kpi, arguments))


def run_reconcile(spark: SparkSession, behind: int, last_day: int) -> None:
    """The last step."""
    arguments = [bronze(behind), database(behind), SILVER.name, WAREHOUSE]
    result = reconcile.run(spark, reconcile.build_parser().parse_args(arguments), end_of(last_day))
    if result.account.differences:
        raise RuntimeError(f"the lake does not add up: {result.account.differences}")


STEPS = {"ingest": ingest, "kpis": run_kpis, "reconcile": run_reconcile}


def measure(spark: SparkSession, behind: int, last_day: int, door: Door) -> dict[str, float]:
    """Figures of one run of all steps."""
    door.reset()
    seconds = {}
    for name, step in STEPS.items():
        started = time.monotonic()
        step(spark, behind, last_day)
        seconds[f"{name}_seconds"] = round(time.monotonic() - started, 2)
    return {
        "seconds": round(sum(seconds.values()), 2),
        **seconds,
        "s3_calls": door.calls.get("s3", 0),
        "glue_calls": door.calls.get("glue", 0),
        "data_files": len(door.files),
        "data_bytes": door.bytes,
    }


def median(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {name: round(statistics.median(figures[name] for figures in rounds), 2) for name in rounds[0]}


def database(behind: int) -> str:
    """The database of a lake."""
    return f"bench_{behind}"


def bronze(behind: int) -> str:
    """The folder that a lake's events are delivered to."""
    return f"{WAREHOUSE}bronze-{behind}/clickstream/"


def end_of(day: int) -> datetime:
    """When a day's events have all arrived."""
    return datetime.fromtimestamp(START + (day + 1) * A_DAY, UTC)


@contextmanager
def session(folder: Path, door: Door) -> Iterator[SparkSession]:
    """A job's session on an emulated AWS behind the door."""
    with run_emulated_aws(folder / "aws", "--fresh") as aws, counting(aws.endpoint, door) as endpoint:
        location = {"LocationConstraint": aws.region}
        aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=location)
        os.environ.update(aws.environment)
        settings = {
            **ensure_runtime().driver_settings(scratch=folder),
            **catalog_settings(WAREHOUSE),
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
