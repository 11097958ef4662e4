"""EMR step: new bronze files into ICEBERG_TABLE (every valid event once) and its sibling (the quarantine).

BRONZE_PATH is the folder that Firehose delivers to. Files that are in already are not read again. All of
a run's valid events are published in one commit, which says which files it took in; its invalid rows are in
quarantine by then.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from config.jobs import DEFAULT_OPEN_HOURS, JOBS
from config.tables import QUARANTINE, SILVER
from emr_jobs.edge.arguments import SourceHelp, is_table_name, job_parser
from emr_jobs.lake.errors import LakeError
from emr_jobs.lake.ingest import IngestReport, ingest
from emr_jobs.lake.session import open_session
from emr_jobs.lake.silver import Delivery, SilverLake
from emr_jobs.lake.tables import ensure_table, qualified_name

logger = logging.getLogger("emr_jobs.ingest_events")

JOB = JOBS["ingest_events"]

_SOURCE = SourceHelp(
    behaviour="Takes in new files once, publishes each table atomically.",
    example="s3://my-bronze/clickstream/",
    meaning="the folder of dt=YYYY-MM-DD/hour=HH/ that Firehose delivers to",
)


def quarantine_table(table: str) -> str:
    """Name of the quarantine beside ``table``.

    >>> quarantine_table("clickstream_events"), quarantine_table("trial")
    ('clickstream_quarantine', 'trial_quarantine')
    """
    return f"{table.removesuffix('_events')}_quarantine"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = job_parser(JOB, _SOURCE)
    parser.add_argument(
        "--conversion-errors",
        default="",
        metavar="PATH",
        help="folder of the records that Firehose could not convert (default: none are read)",
    )
    parser.add_argument(
        "--open-hours",
        type=_hours,
        default=DEFAULT_OPEN_HOURS,
        help="an hour may get files for so long: the stream's retention and a day (default: %(default)s)",
    )
    return parser


def _hours(text: str) -> int:
    hours = int(text)
    if hours < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of hours")
    return hours


def main(argv: Sequence[str] | None = None) -> int:
    """Ingest, say what was done as one JSON line on stdout, and return the exit status."""
    parser = build_parser()
    options = parser.parse_args(argv)
    if is_table_name(options.source):
        parser.error(f"argument BRONZE_PATH: {options.source!r} is the name of a table, not a folder")
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("emr_jobs").setLevel(logging.INFO)
    try:
        spark = open_session(JOB.name, options.warehouse)
        try:
            report = run(spark, options)
        finally:
            spark.stop()
    except LakeError as error:
        logger.error("%s failed: %s", JOB.name, error)
        return 1
    line = {"job": JOB.name, "source": options.source, **asdict(report)}
    sys.stdout.write(json.dumps(line, sort_keys=True) + "\n")
    return 0


def run(spark: SparkSession, options: argparse.Namespace, now: datetime | None = None) -> IngestReport:
    """Create the tables where absent, and ingest; ``now`` is the machine's time unless given.

    Raises:
        LakeError: nothing was published to silver; the message says why.
    """
    silver = qualified_name(options.database, options.table)
    quarantine = qualified_name(options.database, quarantine_table(options.table))
    ensure_table(spark, silver, SILVER)
    ensure_table(spark, quarantine, QUARANTINE)
    started = now or datetime.now(UTC)
    delivery = Delivery(options.source, options.conversion_errors)
    return ingest(SilverLake(spark, delivery, silver, quarantine, started), started, options.open_hours)


if __name__ == "__main__":
    sys.exit(main())
