"""EMR step: some days of ICEBERG_TABLE computed anew from BRONZE_PATH, and the KPI tables with them.

Without ``--apply`` nothing is written: per day the rows and the KPI values that would change are printed.
Running it again changes nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial

from pyspark.sql import SparkSession

from config.days import DayRange
from config.jobs import BACKFILL, MAX_BACKFILL_DAYS
from emr_jobs.edge.arguments import SourceHelp, add_open_hours_option, job_parser, parse_with_folder
from emr_jobs.edge.command import run_command
from emr_jobs.edge.kpi_changes import EventChanges, TableChanges, kpi_changes
from emr_jobs.edge.kpis import KPIS, table_name, update_all
from emr_jobs.lake.backfill import Backfill, DayChange, planned, publish_backfill
from emr_jobs.lake.errors import LakeError
from emr_jobs.lake.event_tables import EventTables
from emr_jobs.lake.history import EventHistory
from emr_jobs.lake.ingest import settle
from emr_jobs.lake.publish import start_over
from emr_jobs.lake.silver import Delivery, SilverLake

_SOURCE = SourceHelp(
    behaviour="Shows what would change, or replaces each day as a whole.",
    example="s3://my-bronze/clickstream/",
    meaning="the folder of dt=YYYY-MM-DD/hour=HH/ that Firehose delivers to",
)


@dataclass(frozen=True)
class BackfillReport:
    """What has changed, or would: days of silver, entries of quarantine, copies that count as duplicates.

    ``kpis`` are told by a run that changes nothing; ``work`` is what one that does has done to their tables.
    """

    is_applied: bool
    days: tuple[DayChange, ...]
    entries_added: Mapping[str, int]
    entries_done: int
    duplicates: Mapping[str, int]
    kpis: tuple[TableChanges, ...] = ()
    work: Mapping[str, str] = field(default_factory=dict)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = job_parser(BACKFILL, _SOURCE)
    day = date.fromisoformat
    parser.add_argument(
        "--first-day", type=day, required=True, metavar="YYYY-MM-DD", help="first day of events, UTC"
    )
    parser.add_argument(
        "--last-day", type=day, required=True, metavar="YYYY-MM-DD", help="last day of events, UTC"
    )
    add_open_hours_option(parser)
    parser.add_argument("--apply", action="store_true", help="change it (default: only show what would)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Backfill, say what was done as text and one JSON line on stdout, and return the exit status."""
    parser = build_parser()
    options = parse_with_folder(parser, argv)
    days = (options.last_day - options.first_day).days + 1
    if not 1 <= days <= MAX_BACKFILL_DAYS:
        parser.error(f"argument --last-day: 1 to {MAX_BACKFILL_DAYS} days are possible, not {days}")
    return run_command(BACKFILL.name, options.warehouse, lambda spark: run(spark, options), describe)


def describe(report: BackfillReport) -> dict[str, object]:
    """Print what people read; returns what machines do."""
    sys.stdout.write("".join(f"{line}\n" for line in lines_of(report)))
    days = [{**asdict(change), "day": f"{change.day}"} for change in report.days]
    return {"job": BACKFILL.name, **asdict(report), "days": days}


def lines_of(report: BackfillReport) -> Iterator[str]:
    """The report as text: a line per day, then what changes beside it."""
    if not (report.days or report.entries_added or report.entries_done or report.duplicates):
        yield "Nothing differs from what bronze says."
        return
    yield "Changed:" if report.is_applied else "Would change (nothing was written):"
    columns = ("before", "after", "added", "removed", "changed")
    yield f"{'day':<12}" + "".join(f"{column:>12}" for column in columns)
    for change in report.days:
        yield f"{change.day!s:<12}" + "".join(f"{getattr(change, column):>12,}" for column in columns)
    for reason, count in sorted(report.entries_added.items()):
        yield f"into quarantine, {reason}: {count:,}"
    if report.entries_done:
        yield f"out of quarantine: {report.entries_done:,}"
    for day, gained in sorted(report.duplicates.items()):
        yield f"duplicates that arrived on {day}: {gained:+,}"
    for table in report.kpis:
        yield f"{table.table}: " + (table.why_not or f"{table.rows:,} rows")
        yield from (f"  {row}" for row in table.shown)
        if len(table.shown) < table.rows:
            yield f"  and {table.rows - len(table.shown):,} more"


def run(spark: SparkSession, options: argparse.Namespace, now: datetime | None = None) -> BackfillReport:
    """Show what would change, or change it; ``now`` is the machine's time unless given.

    Raises:
        LakeError: the days cannot be computed anew, or nothing was published; the message says why.
    """
    tables = EventTables.existing(spark, options.database, options.table)
    lake = SilverLake(spark, Delivery(options.source), tables, now or datetime.now(UTC))
    wanted = DayRange(options.first_day, options.last_day)
    if not options.apply:
        return start_over(lambda: _show(lake, wanted, options))
    report = start_over(lambda: _apply(lake, wanted, options.open_hours))
    settle(lake)
    work = update_all(spark, options.table, options.database, options.warehouse)
    return replace(report, work=work)


def _apply(lake: SilverLake, wanted: DayRange, open_hours: int) -> BackfillReport:
    ledger = lake.settle(lake.look())
    with planned(lake, wanted, ledger, open_hours) as plan:
        publish_backfill(lake, plan)
        return _report(plan, is_applied=True)


def _show(lake: SilverLake, wanted: DayRange, options: argparse.Namespace) -> BackfillReport:
    ledger = lake.look()
    if not ledger.is_settled:
        raise LakeError(f"A run of {lake.name} was cut short: ingest_events has to run first")
    with planned(lake, wanted, ledger, options.open_hours) as plan:
        return _report(plan, tuple(_kpi_changes(lake, plan, options.database)) if plan.days else ())


def _kpi_changes(lake: SilverLake, plan: Backfill, database: str) -> Iterator[TableChanges]:
    history = EventHistory.load(lake.spark, lake.name)
    if history is None:
        return
    changes = EventChanges(history, plan.known, plan.expected)
    for kpi in KPIS:
        yield from kpi_changes(lake.spark, kpi, changes, partial(table_name, database, kpi))


def _report(plan: Backfill, kpis: tuple[TableChanges, ...] = (), is_applied: bool = False) -> BackfillReport:
    return BackfillReport(
        is_applied=is_applied,
        days=plan.days,
        entries_added=plan.missing,
        entries_done=len(plan.superseded) + len(plan.replayed),
        duplicates=plan.duplicates,
        kpis=kpis,
    )


if __name__ == "__main__":
    sys.exit(main())
