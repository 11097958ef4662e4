"""What all KPI jobs do: arguments, read, transform, publish, report."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from config.events import RejectReason
from config.jobs import Job
from config.tables import TableSpec
from emr_jobs.edge.arguments import JobArguments, job_parser, parse_job_arguments
from emr_jobs.edge.report import PublishedTable, RunReport
from emr_jobs.lake.bronze import read_bronze, read_events_table
from emr_jobs.lake.errors import ConcurrentPublishError, LakeError
from emr_jobs.lake.session import open_session
from emr_jobs.lake.tables import current_snapshot, ensure_table, publish, qualified_name
from emr_jobs.transforms.deduplication import keep_first_copies
from emr_jobs.transforms.validity import with_reject_reason

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class KpiTable:
    """A table of a KPI job: its specification, its name given ICEBERG_TABLE, its rows given the rollup."""

    spec: TableSpec
    name: Callable[[str], str]
    from_rollup: Callable[[DataFrame], DataFrame]


@dataclass(frozen=True)
class KpiJob:
    """A job that turns events into a small rollup in one scan, and the rollup into tables."""

    job: Job
    to_rollup: Callable[[DataFrame], DataFrame]
    tables: tuple[KpiTable, ...]


def parse_arguments(kpi: KpiJob, argv: Sequence[str] | None = None) -> JobArguments:
    """The arguments of a KPI job.

    Raises:
        SystemExit: 2 after the usage on stderr if they are wrong, 0 after ``--help``.
    """
    parser = job_parser(kpi.job)
    arguments = parse_job_arguments(parser, argv)
    if len({table.name(arguments.table) for table in kpi.tables}) < len(kpi.tables):
        parser.error(f"argument ICEBERG_TABLE: {arguments.table!r} is the name of the job's other table")
    return arguments


def main(kpi: KpiJob, argv: Sequence[str] | None = None) -> int:
    """Run a KPI job from its command line; returns the exit status."""
    arguments = parse_arguments(kpi, argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        spark = open_session(kpi.job.name, arguments.warehouse)
        try:
            report = run(spark, kpi, arguments)
        finally:
            spark.stop()
    except LakeError as error:
        logger.error("%s failed: %s", kpi.job.name, error)
        return 1
    sys.stdout.write(report.to_json_line() + "\n")
    return 0


def run(spark: SparkSession, kpi: KpiJob, arguments: JobArguments) -> RunReport:
    """Compute and publish; a run that lost to a concurrent one starts over once, from what is there then.

    Raises:
        LakeError: a table cannot be written; the message says why.
    """
    try:
        return _run_once(spark, kpi, arguments)
    except ConcurrentPublishError as error:
        logger.warning("%s: starting over", error)
        return _run_once(spark, kpi, arguments)


def _run_once(spark: SparkSession, kpi: KpiJob, arguments: JobArguments) -> RunReport:
    targets = {qualified_name(arguments.database, table.name(arguments.table)): table for table in kpi.tables}
    for name, table in targets.items():
        ensure_table(spark, name, table.spec)
    bases = {name: current_snapshot(spark, name) for name in targets}
    report = RunReport(job=kpi.job.name, source=arguments.source)

    if arguments.source_is_table:
        events = read_events_table(spark, arguments.database, arguments.source)
    else:
        events = read_bronze(spark, arguments.source)
    if events is None:
        return report

    judged = Observation()
    reason = F.col("reject_reason")
    valid = (
        with_reject_reason(events)
        .observe(
            judged,
            F.count(F.lit(1)).alias("input_rows"),
            *(F.count(F.when(reason == each.value, 1)).alias(each.value) for each in RejectReason),
        )
        .where(reason.isNull())
    )
    rollup = kpi.to_rollup(keep_first_copies(valid)).persist()
    try:
        unique_rows = rollup.agg(F.sum("event_count")).first()[0] or 0
        counts = judged.get
        rejected = {each.value: counts[each.value] for each in RejectReason if counts[each.value]}
        for each, count in rejected.items():
            logger.warning("rejected %d events: %s", count, each)
        published = {}
        if counts["input_rows"]:
            for name, table in targets.items():
                publish(name, table.from_rollup(rollup), table.spec, bases[name])
                published[name] = PublishedTable(
                    rows=spark.table(name).count(), snapshot_id=current_snapshot(spark, name)
                )
        else:
            logger.warning("%s holds no rows: tables are left as they are", arguments.source)
    finally:
        rollup.unpersist()
    return RunReport(
        job=kpi.job.name,
        source=arguments.source,
        input_rows=counts["input_rows"],
        unique_rows=unique_rows,
        duplicates=counts["input_rows"] - sum(rejected.values()) - unique_rows,
        rejected=rejected,
        published=published,
    )
