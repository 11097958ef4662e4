"""EMR step: one sensor's data is erased from ICEBERG_TABLE, its quarantine and the KPI tables.

Without ``--apply`` it is only counted. BRONZE_PATH is not read: what was delivered stays there until its own
retention ends, but no ingest, replay or backfill takes it in again. What the sensor measures from now on is
new data. Earlier snapshots of the tables hold the erased rows until upkeep expires them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from config.jobs import ERASE_SENSOR
from emr_jobs.edge.arguments import SourceHelp, job_parser
from emr_jobs.edge.command import run_command
from emr_jobs.edge.kpis import update_all
from emr_jobs.lake.erasure import ErasureReport, erase
from emr_jobs.lake.event_tables import EventTables
from emr_jobs.lake.silver import Delivery, SilverLake

_SOURCE = SourceHelp(
    behaviour="Counts what it would erase, or erases it; bronze keeps it, but nothing takes it in again.",
    example="s3://my-bronze/clickstream/",
    meaning="the folder that Firehose delivers to; it is not read",
)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = job_parser(ERASE_SENSOR, _SOURCE)
    parser.add_argument("--sensor-id", type=int, required=True, help="number of the sensor")
    parser.add_argument("--apply", action="store_true", help="erase it (default: only count it)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Erase, say what was done as one JSON line on stdout, and return the exit status."""
    options = build_parser().parse_args(argv)

    def describe(report: ErasureReport) -> dict[str, object]:
        return {"job": ERASE_SENSOR.name, **asdict(report)}

    return run_command(ERASE_SENSOR.name, options.warehouse, lambda spark: run(spark, options), describe)


def run(spark: SparkSession, options: argparse.Namespace, now: datetime | None = None) -> ErasureReport:
    """Erase what was measured or has arrived until ``now``, or count it.

    Raises:
        LakeError: nothing was erased; the message says why.
    """
    started = now or datetime.now(UTC)
    tables = EventTables.existing(spark, options.database, options.table)
    lake = SilverLake(spark, Delivery(options.source), tables, started)
    report = erase(lake, options.sensor_id, started, options.apply)
    if not options.apply:
        return report
    return replace(report, work=update_all(spark, options.table, options.database, options.warehouse))


if __name__ == "__main__":
    sys.exit(main())
