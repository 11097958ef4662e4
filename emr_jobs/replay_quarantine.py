"""EMR step: chosen entries of quarantine are judged anew, as they are or corrected, for ICEBERG_TABLE.

What is valid now becomes an event or a duplicate; quarantine keeps its entry, marked as replayed, with the
correction. BRONZE_PATH is not read. Running it again changes nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from config.jobs import REPLAY_QUARANTINE
from emr_jobs.edge.arguments import SourceHelp, job_parser
from emr_jobs.edge.command import run_command
from emr_jobs.lake.event_tables import EventTables
from emr_jobs.lake.replay import Choice, ReplayLake, ReplayReport, parse_corrections, replay
from emr_jobs.lake.silver import Delivery

_SOURCE = SourceHelp(
    behaviour="What is valid now becomes an event or a duplicate; the rest stays as it is.",
    example="s3://my-bronze/clickstream/",
    meaning="the folder that Firehose delivers to; it is not read",
)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = job_parser(REPLAY_QUARANTINE, _SOURCE)
    parser.add_argument(
        "--reason", action="append", default=[], help="only entries with this reason (or several)"
    )
    parser.add_argument("--source-file", default="", metavar="URI", help="only entries from this file")
    parser.add_argument("--uuid", default="", help="only entries whose event has this uuid")
    parser.add_argument(
        "--correction",
        default="",
        metavar="FILE",
        help="JSON lines of source_file, source_row and event: only these entries, with these events",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Replay, say what was done as one JSON line on stdout, and return the exit status."""
    parser = build_parser()
    options = parser.parse_args(argv)
    if not (options.reason or options.source_file or options.uuid or options.correction):
        parser.error("choose entries: --reason, --source-file, --uuid or --correction")

    def describe(report: ReplayReport) -> dict[str, object]:
        return {"job": REPLAY_QUARANTINE.name, **asdict(report)}

    return run_command(REPLAY_QUARANTINE.name, options.warehouse, lambda spark: run(spark, options), describe)


def run(spark: SparkSession, options: argparse.Namespace, now: datetime | None = None) -> ReplayReport:
    """Replay the entries that the options choose; ``now`` is the machine's time unless given.

    Raises:
        LakeError: nothing was published to silver; the message says why.
    """
    tables = EventTables.ensure(spark, options.database, options.table)
    lines = [row.value for row in spark.read.text(options.correction).collect()] if options.correction else []
    choice = Choice(tuple(options.reason), options.source_file, options.uuid, parse_corrections(lines))
    started = now or datetime.now(UTC)
    lake = ReplayLake(spark, Delivery(options.source), tables, started)
    return replay(lake, choice)


if __name__ == "__main__":
    sys.exit(main())
