"""EMR step: new bronze files into ICEBERG_TABLE (every valid event once) and its sibling (the quarantine).

BRONZE_PATH is the folder that Firehose delivers to. Files that are in already are not read again. All of
a run's valid events are published in one commit, which says which files it took in; its invalid rows are in
quarantine by then.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from config.jobs import JOBS
from emr_jobs.edge.arguments import (
    SourceHelp,
    add_conversion_errors_option,
    add_open_hours_option,
    job_parser,
    parse_with_folder,
)
from emr_jobs.edge.command import run_command
from emr_jobs.lake.event_tables import EventTables
from emr_jobs.lake.ingest import IngestReport, ingest
from emr_jobs.lake.silver import Delivery, SilverLake

JOB = JOBS["ingest_events"]

_SOURCE = SourceHelp(
    behaviour="Takes in new files once, publishes each table atomically.",
    example="s3://my-bronze/clickstream/",
    meaning="the folder of dt=YYYY-MM-DD/hour=HH/ that Firehose delivers to",
)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = job_parser(JOB, _SOURCE)
    add_conversion_errors_option(parser)
    add_open_hours_option(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Ingest, say what was done as one JSON line on stdout, and return the exit status."""
    options = parse_with_folder(build_parser(), argv)

    def describe(report: IngestReport) -> dict[str, object]:
        return {"job": JOB.name, "source": options.source, **asdict(report)}

    return run_command(JOB.name, options.warehouse, lambda spark: run(spark, options), describe)


def run(spark: SparkSession, options: argparse.Namespace, now: datetime | None = None) -> IngestReport:
    """Create the tables where absent, and ingest; ``now`` is the machine's time unless given.

    Raises:
        LakeError: nothing was published to silver; the message says why.
    """
    tables = EventTables.ensure(spark, options.database, options.table)
    started = now or datetime.now(UTC)
    delivery = Delivery(options.source, options.conversion_errors)
    return ingest(SilverLake(spark, delivery, tables, started), started, options.open_hours)


if __name__ == "__main__":
    sys.exit(main())
