"""What all KPI jobs do: arguments, read, transform, publish, report."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from emr_jobs.edge.arguments import JobArguments, job_parser, parse_job_arguments
from emr_jobs.edge.command import run_command
from emr_jobs.edge.incremental import update
from emr_jobs.edge.kpi_job import KpiJob, KpiTable
from emr_jobs.edge.report import RunReport
from emr_jobs.lake.bronze import read_bronze
from emr_jobs.lake.frames import persisted
from emr_jobs.lake.publish import publish, replacing, start_over
from emr_jobs.lake.tables import current_snapshot, ensure_table, qualified_name
from emr_jobs.transforms.outcomes import count_by_outcome, to_counted_fields, with_outcome

logger = logging.getLogger(__name__)


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
    return run_command(kpi.job.name, arguments.warehouse, lambda spark: run(spark, kpi, arguments))


def run(spark: SparkSession, kpi: KpiJob, arguments: JobArguments) -> RunReport:
    """Compute and publish; a run that lost to a concurrent one starts over, from what is there then.

    Raises:
        LakeError: a table cannot be written; the message says why.
    """
    if arguments.source_is_table:
        return start_over(lambda: _run_on_table(spark, kpi, arguments))
    return start_over(lambda: _run_on_path(spark, kpi, arguments))


def _run_on_table(spark: SparkSession, kpi: KpiJob, arguments: JobArguments) -> RunReport:
    """What has changed in a table of events."""
    database, _, table = arguments.source.rpartition(".")
    events = qualified_name(database or arguments.database, table)

    def name_of(table: KpiTable) -> str:
        return qualified_name(arguments.database, table.name(arguments.table))

    done = update(spark, kpi, events, name_of, arguments.full)
    report = RunReport.of_rows(kpi.job.name, arguments.source, done.rows_by_outcome)
    _warn_of_rejects(report)
    return replace(report, work=done.work, published=done.published)


def _run_on_path(spark: SparkSession, kpi: KpiJob, arguments: JobArguments) -> RunReport:
    """All of the Parquet files of events below a path."""
    targets = {qualified_name(arguments.database, table.name(arguments.table)): table for table in kpi.tables}
    for name, table in targets.items():
        ensure_table(spark, name, table.spec)
    bases = {name: current_snapshot(spark, name) for name in targets}

    events = read_bronze(spark, arguments.source)
    if events is None:
        return RunReport.of_rows(kpi.job.name, arguments.source, {})

    with persisted(kpi.to_rollup(to_counted_fields(with_outcome(events)))) as rollup:
        rows_by_outcome = count_by_outcome(rollup)
        report = RunReport.of_rows(kpi.job.name, arguments.source, rows_by_outcome)
        _warn_of_rejects(report)
        if not rows_by_outcome:
            logger.warning("%s holds no rows: tables are left as they are", arguments.source)
            return report
        counted = rollup.where(F.col("outcome").isNull())
        published = {
            name: publish(spark, name, replacing(table.from_rollup(counted), table.spec), base=bases[name])
            for name, table in targets.items()
        }
    return replace(report, published=published)


def _warn_of_rejects(report: RunReport) -> None:
    for reason, rows in report.rejected.items():
        logger.warning("rejected %d rows: %s", rows, reason)
