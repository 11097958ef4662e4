"""EMR step: upkeep of the tables, as their specifications say; BRONZE_PATH names one of them, or ``all``.

ICEBERG_TABLE gets the figures before and after.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from pyspark.sql import SparkSession

from config.jobs import MAINTAIN_TABLES
from config.tables import TABLES, TableSpec
from emr_jobs.edge.arguments import SourceHelp, is_table_name, job_parser
from emr_jobs.edge.command import run_command
from emr_jobs.lake.errors import LakeError
from emr_jobs.lake.metrics import record_metrics
from emr_jobs.lake.tables import qualified_name
from emr_jobs.lake.upkeep import (
    TableSize,
    compact,
    expire_rows,
    expire_snapshots,
    needed_snapshots,
    remove_orphans,
    table_size,
)
from emr_jobs.transforms.weather_quality import Metric

log = logging.getLogger("emr_jobs.maintain_tables")

ALL = "all"

_SOURCE = SourceHelp(
    behaviour="Compacts tables, deletes rows beyond their retention, expires snapshots, counts orphans.",
    example=ALL,
    meaning="name of the table to maintain, or all",
)


@dataclass(frozen=True)
class Plan:
    """What one run is to do: in which database, where its figures go, its name, time and limits."""

    database: str
    metrics_table: str
    run_id: str
    now: datetime
    retention: timedelta | None
    delete_orphans: bool


@dataclass(frozen=True)
class TableReport:
    """What was done to one table; ``orphans`` were deleted, or only counted in a dry run."""

    table: str
    before: TableSize
    after: TableSize
    expired_rows: int
    orphans: int
    compacted: bool
    seconds: float


@dataclass(frozen=True)
class Maintained:
    """What was done to all of them."""

    tables: tuple[TableReport, ...]


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = job_parser(MAINTAIN_TABLES, _SOURCE)
    parser.add_argument(
        "--retention-days", type=int, help="delete rows that arrived longer ago (default: none are deleted)"
    )
    parser.add_argument(
        "--remove-orphans", action="store_true", help="delete orphaned files (default: only count them)"
    )
    parser.add_argument("--run-id", help="names this run in ICEBERG_TABLE (default: its start time)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Maintain the tables, say what was done as one JSON line on stdout, and return the exit status."""
    parser = build_parser()
    options = parser.parse_args(argv)
    specs = specs_of(options.source)
    if not specs:
        parser.error(f"argument BRONZE_PATH: {options.source!r} is not the name of an Iceberg table, nor all")
    if options.retention_days is not None and options.retention_days < 1:
        parser.error("argument --retention-days: at least 1")
    now = datetime.now(UTC)
    plan = Plan(
        database=options.database,
        metrics_table=options.table,
        run_id=options.run_id or f"{now:%Y-%m-%dT%H:%M:%SZ}",
        now=now,
        retention=timedelta(days=options.retention_days) if options.retention_days else None,
        delete_orphans=options.remove_orphans,
    )
    return run_command(
        MAINTAIN_TABLES.name,
        options.warehouse,
        lambda spark: Maintained(tuple(maintain(spark, specs, plan))),
        lambda done: [asdict(report) for report in done.tables],
    )


def specs_of(source: str) -> list[TableSpec]:
    """The specifications of the Iceberg tables that BRONZE_PATH means."""
    if not is_table_name(source):
        return []
    iceberg = [spec for spec in TABLES.values() if spec.format == "iceberg"]
    return iceberg if source == ALL else [spec for spec in iceberg if spec.name == source]


def maintain(spark: SparkSession, specs: Sequence[TableSpec], plan: Plan) -> list[TableReport]:
    """Maintain those of the tables that exist, one after the other.

    Raises:
        LakeError: naming the tables that failed, after all the others are done.
    """
    reports: list[TableReport] = []
    failed: list[str] = []
    for spec in specs:
        name = qualified_name(plan.database, spec.name)
        if not spark.catalog.tableExists(name):
            continue
        try:
            reports.append(_maintain_one(spark, name, spec, plan))
        except Exception:
            log.exception("%s could not be maintained", name)
            failed.append(name)
    for report in reports:
        record_metrics(spark, plan.database, plan.run_id, report.table, _metrics(report), plan.metrics_table)
    if failed:
        raise LakeError(f"Could not be maintained: {', '.join(failed)}; the log says why")
    return reports


def _maintain_one(spark: SparkSession, name: str, spec: TableSpec, plan: Plan) -> TableReport:
    started = time.monotonic()
    before = table_size(spark, name)
    expired = 0
    if plan.retention and spec.upkeep.expires_by:
        expired = expire_rows(spark, name, spec.upkeep.expires_by, plan.now - plan.retention)
    compacted = compact(spark, name, spec)
    expire_snapshots(spark, name, spec, needed_snapshots(spark, plan.database), plan.now)
    orphans = remove_orphans(spark, name, spec, plan.now, dry_run=not plan.delete_orphans)
    report = TableReport(
        table=spec.name,
        before=before,
        after=table_size(spark, name),
        expired_rows=expired,
        orphans=orphans,
        compacted=compacted,
        seconds=round(time.monotonic() - started, 3),
    )
    log.info("%s", report)
    return report


def _metrics(report: TableReport) -> list[Metric]:
    figures: Mapping[str, float] = {
        **{f"{key}_before": value for key, value in asdict(report.before).items()},
        **{f"{key}_after": value for key, value in asdict(report.after).items()},
        "expired_rows": report.expired_rows,
        "orphans": report.orphans,
        "seconds": report.seconds,
    }
    return [Metric(f"upkeep_{name}", value) for name, value in figures.items()]


if __name__ == "__main__":
    sys.exit(main())
