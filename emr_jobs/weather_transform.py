"""EMR step: raw weather into ICEBERG_TABLE (per day and sensor) and its sibling (per day and region).

BRONZE_PATH is the landing, s3://BRONZE/raw/openmeteo/. Only days that were landed since the last
run are read and written; ``--all`` takes every landed day. A run whose data is below the quality
threshold publishes nothing but its metrics, and fails.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from pyspark.sql import SparkSession

from config.grid import GRID
from config.jobs import JOBS
from config.tables import TABLES
from config.weather import PROCESSING_VERSION, QUALITY_RULES, QualityRules
from emr_jobs.edge.arguments import SourceHelp, job_parser
from emr_jobs.edge.command import run_command
from emr_jobs.edge.weather import Landing, add_bookkeeping_options, open_landing
from emr_jobs.lake.days import replace_days, with_stamp
from emr_jobs.lake.errors import LakeError
from emr_jobs.lake.frames import persisted
from emr_jobs.lake.metrics import record_metrics
from emr_jobs.lake.publish import start_over
from emr_jobs.lake.tables import ensure_table, qualified_name
from emr_jobs.lake.weather_landing import read_raw_weather
from emr_jobs.transforms.weather import to_weather, to_weather_region
from emr_jobs.transforms.weather_quality import Metric, measure_weather, quality_line
from emr_jobs.weather.ledger_store import change_ledger, load_ledger, rebuild_ledger

log = logging.getLogger("emr_jobs.weather_transform")

DAILY = TABLES["weather_daily"]
REGION = TABLES["weather_region_daily"]

_SOURCE = SourceHelp(
    behaviour="Reads the days landed since the last run, publishes each table atomically.",
    example="s3://my-bronze/raw/openmeteo/",
    meaning="the raw landing, a folder in S3",
)


class QualityError(LakeError):
    """The data is not good enough to be published."""


@dataclass(frozen=True)
class Run:
    """What one run is to do: the names of its tables and of itself, all landed days or those that wait."""

    database: str
    table: str
    run_id: str
    everything: bool = False
    rules: QualityRules = QUALITY_RULES

    @property
    def daily(self) -> str:
        """The table per day and sensor."""
        return qualified_name(self.database, self.table)

    @property
    def region(self) -> str:
        """The table per day and region."""
        return qualified_name(self.database, region_table(self.table))


@dataclass(frozen=True)
class TransformReport:
    """What a run did; ``changed`` says of each table whether it was written to."""

    run_id: str
    days: int
    metrics: dict[str, float]
    changed: dict[str, bool]


def region_table(table: str) -> str:
    """Name of the table of regions beside ``table``.

    >>> region_table("weather_daily"), region_table("trial")
    ('weather_region_daily', 'trial_region_daily')
    """
    return f"{table.removesuffix('_daily')}_region_daily"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = job_parser(JOBS["weather_transform"], _SOURCE)
    add_bookkeeping_options(parser)
    parser.add_argument("--all", action="store_true", help="transform every landed day again")
    parser.add_argument("--run-id", help="names this run in data_quality_metrics (default: its start time)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Transform, say what was done as one JSON line on stdout, and return the exit status."""
    parser = build_parser()
    options = parser.parse_args(argv)
    landing = open_landing(parser, options)
    run_id = options.run_id or f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    run = Run(options.database, options.table, run_id, options.all)
    return run_command(
        JOBS["weather_transform"].name, options.warehouse, lambda spark: transform(spark, landing, run)
    )


def transform(spark: SparkSession, landing: Landing, run: Run) -> TransformReport:
    """Transform the days that wait for it; a run that lost to a concurrent one starts over.

    Raises:
        QualityError: the data is below its threshold; the metrics say how far.
        LakeError: a table cannot be written.
    """
    return start_over(lambda: _transform_once(spark, landing, run))


def _transform_once(spark: SparkSession, landing: Landing, run: Run) -> TransformReport:
    ensure_table(spark, run.daily, DAILY)
    ensure_table(spark, run.region, REGION)
    waiting = _waiting_days(landing, run.everything)
    landed = landing.raw.days(min(waiting)) if waiting else ()
    days = [day for day in landed if day in waiting]
    if days:
        log.info("Transforming %d days, %s to %s", len(days), days[0], days[-1])
        report = _transform_days(spark, landing, run, days)
    else:
        log.info("No day awaits its transform: the tables are left as they are")
        report = TransformReport(run.run_id, 0, {}, {run.daily: False, run.region: False})
    _take_off_queue(landing, waiting)
    return report


def _transform_days(spark: SparkSession, landing: Landing, run: Run, days: list[date]) -> TransformReport:
    raw = read_raw_weather(spark, landing.path, days)
    with persisted(to_weather(raw, GRID, run.rules)) as weather:
        metrics = measure_weather(weather, run.rules)
        log.info("%s", quality_line(metrics))
        record_metrics(spark, run.database, run.run_id, run.table, metrics)
        _require_quality(metrics)
        stamped = with_stamp(weather, spark.table(run.daily), DAILY, datetime.now(UTC), PROCESSING_VERSION)
        changed = {
            run.daily: replace_days(spark, run.daily, stamped, DAILY, "dt", days),
            run.region: replace_days(spark, run.region, to_weather_region(weather), REGION, "dt", days),
        }
    return TransformReport(run.run_id, len(days), {metric.name: metric.value for metric in metrics}, changed)


def _waiting_days(landing: Landing, everything: bool) -> Mapping[date, int]:
    """The queue of the gap ledger: days with the revision at which they were asked for last."""
    ledger = load_ledger(landing.documents, GRID)
    if ledger is None:
        ledger = rebuild_ledger(landing.raw, GRID, datetime.now(UTC).date())
    if everything:
        return {day: ledger.untransformed.get(day, ledger.revision) for day in landing.raw.days()}
    return dict(ledger.untransformed)


def _take_off_queue(landing: Landing, done: Mapping[date, int]) -> None:
    ledger = load_ledger(landing.documents, GRID)
    if ledger is not None and done:
        change_ledger(landing.documents, GRID, ledger, lambda ledger: ledger.transformed(done))


def _require_quality(metrics: Sequence[Metric]) -> None:
    failed = [metric for metric in metrics if metric.verdict == "fail"]
    if failed:
        listed = ", ".join(f"{m.name} is {m.value:.2f}, at least {m.threshold:g} is wanted" for m in failed)
        raise QualityError(f"Nothing was published but the metrics: {listed}")


if __name__ == "__main__":
    sys.exit(main())
