"""EMR step: whether every acknowledged record, every delivered row and every KPI adds up (invariant 1).

Looks at what is new since the last reconciliation without a difference: manifests event by event, the days of
arrival that may still get files, the totals of the KPI tables. ``--full`` looks at all that is retained.
The figures go to ``data_quality_metrics``; a difference fails the run and names the files.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from config.jobs import RECONCILE_JOB
from config.reconciliation import Account, KpiTotal, Retained
from config.tables import (
    EVENT_GEO_KPIS_EVENTS,
    RECONCILED_MANIFESTS,
    SENSOR_HEALTH,
    SENSOR_STATUS,
)
from emr_jobs.edge.arguments import (
    SourceHelp,
    add_conversion_errors_option,
    job_parser,
    parse_with_folder,
)
from emr_jobs.edge.command import run_command
from emr_jobs.lake import reconciled as memory
from emr_jobs.lake.delivered import list_delivered
from emr_jobs.lake.errors import ConcurrentPublishError
from emr_jobs.lake.event_tables import EventTables
from emr_jobs.lake.history import at_snapshot
from emr_jobs.lake.ledger import PROPERTY as LEDGER_PROPERTY
from emr_jobs.lake.ledger import Ledger
from emr_jobs.lake.manifests import ManifestPart, list_parts
from emr_jobs.lake.metrics import record_metrics
from emr_jobs.lake.publish import start_over
from emr_jobs.lake.reconciled import Reconciled
from emr_jobs.lake.reconciliation import (
    NAMED_FILES,
    DayCounts,
    Delivered,
    LakeState,
    Missing,
    attested_since,
    count_days,
    find_missing,
    name_wrong_files,
)
from emr_jobs.lake.reflection import read_reflection
from emr_jobs.lake.tables import current_snapshot, load_table, qualified_name, snapshot_of
from emr_jobs.transforms.weather_quality import Exact, Metric

logger = logging.getLogger("emr_jobs.reconcile")

COUNTS = {SENSOR_HEALTH: "total_count", EVENT_GEO_KPIS_EVENTS: "event_count", SENSOR_STATUS: "event_count"}
"""KPI tables in which every event counts once, and the column that counts it."""

_SOURCE = SourceHelp(
    behaviour="Compares manifests, delivered files, events, quarantine and KPI tables.",
    example="s3://my-bronze/clickstream/",
    meaning="the folder of dt=YYYY-MM-DD/hour=HH/ that Firehose delivers to",
)


@dataclass(frozen=True)
class Result:
    """What a run found: the account, what is wrong by file, and whether it is that of an earlier run."""

    account: Account
    named: tuple[str, ...] = ()
    is_unchanged: bool = False


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = job_parser(RECONCILE_JOB, _SOURCE)
    add_conversion_errors_option(parser)
    parser.add_argument("--manifests", default="", metavar="PATH", help="folder of the producers' manifests")
    parser.add_argument(
        "--delivery-minutes",
        type=int,
        default=60,
        help="what was acknowledged so lately may still be under way (default: %(default)s)",
    )
    parser.add_argument("--full", action="store_true", help="everything retained, not only what is new")
    parser.add_argument("--run-id", help="names this run in data_quality_metrics (default: its start time)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Reconcile, say what was found as one JSON line on stdout; 1 if anything differs."""
    options = parse_with_folder(build_parser(), argv)
    return run_command(
        RECONCILE_JOB.name, options.warehouse, lambda spark: run(spark, options), _describe, _judge
    )


def _describe(result: Result) -> dict[str, object]:
    account = result.account
    said = {"unattested": account.unattested, "differences": [str(check) for check in account.differences]}
    return {"job": RECONCILE_JOB.name, "unchanged": result.is_unchanged, **asdict(account), **said}


def _judge(result: Result) -> int:
    for sentence in (*map(str, result.account.differences), *result.named):
        logger.error("%s", sentence)
    return 1 if result.account.differences else 0


def run(spark: SparkSession, options: argparse.Namespace, now: datetime | None = None) -> Result:
    """Reconcile and record; tables that change meanwhile are looked at again.

    Raises:
        LakeError: the tables cannot be read, or changed each time.
    """
    started = now or datetime.now(UTC)
    result = start_over(lambda: _Reconciliation(spark, options, started).run())
    for line, count, check in result.account.lines:
        logger.info("%-28s %12s%s", line, f"{count:,}", "  DIFFERS" if check and check.difference else "")
    run_id = options.run_id or f"{started:%Y-%m-%dT%H:%M:%SZ}"
    record_metrics(spark, options.database, run_id, options.table, to_metrics(result.account))
    return result


def to_metrics(account: Account) -> list[Metric]:
    """The account as metrics: its counts without a verdict, its differences, which are to be 0."""
    counts = {
        **{name: count for name, count in asdict(account).items() if name != "kpis"},
        "unattested": account.unattested,
    }
    names = [f"reconcile_{check.name}" for check in account.checks]
    plain = {f"reconcile_{name}": count for name, count in counts.items()}
    return [
        *(Metric(name, count) for name, count in plain.items() if name not in names),
        *(
            Metric(f"reconcile_uncompared_{kpi.table}", kpi.expected)
            for kpi in account.kpis
            if kpi.counted is None
        ),
        *(Exact(f"reconcile_{check.name}", check.difference, 0.0) for check in account.checks),
    ]


class _Reconciliation:
    def __init__(self, spark: SparkSession, options: argparse.Namespace, now: datetime) -> None:
        self.spark = spark
        self.options = options
        self.now = now
        self.memory_table = self._name(RECONCILED_MANIFESTS.name)
        self.known = Reconciled.load(spark, self.memory_table)
        self.compared = {kpi.table for kpi in self.known.account.kpis if kpi.counted is not None}
        if options.full:
            self.known = Reconciled()

    def _name(self, table: str) -> str:
        return qualified_name(self.options.database, table)

    def run(self) -> Result:
        state, retained = self._look()
        since = max(self.known.since, retained.since)
        bronze, failures = self._list(since)
        done = {} if self.options.full else memory.known_parts(self.spark, self.memory_table)
        parts = list_parts(self.spark, self.options.manifests) if self.options.manifests else []
        new = [part for part in parts if part.uri not in done and f"{part.day}" >= retained.since]
        kpis = self._kpi_snapshots()
        seen = memory.digest(bronze, failures, [state.silver_at, state.quarantine_at], sorted(kpis.items()))
        if not new and seen == self.known.seen:
            logger.info("nothing is new since the last reconciliation: nothing to do")
            return Result(self.known.account, is_unchanged=True)
        delivered = Delivered.of(self.options.source, bronze, failures, state.ledger)
        counts = count_days(self.spark, state, delivered, since)
        missing = self._find_missing(state, delivered, new, parts)
        acked = memory.count_acked(self.spark, new)
        account = replace(
            self._account(state, counts, missing, new),
            acked=sum(done.values()) + sum(acked.values()),
            expired=retained.expired,
        )
        if account.differences:
            self._require_unchanged(state)
            return Result(account, tuple(self._name_files(state, delivered, counts, missing)))
        found = {uri: count for uri, count in acked.items() if uri not in missing.by_part}
        self._remember(state, counts, account, found, seen)
        return Result(account)

    def _look(self) -> tuple[LakeState, Retained]:
        """The tables now, and what retention has left of them."""
        tables = EventTables.ensure(self.spark, self.options.database, self.options.table)
        quarantine_at = current_snapshot(self.spark, tables.quarantine)
        table = load_table(self.spark, tables.silver)
        table.refresh()
        properties = table.properties()
        ledger = Ledger.from_json(properties.get(LEDGER_PROPERTY))
        other = load_table(self.spark, tables.quarantine)
        other.refresh()
        retained = Retained.of(properties, other.properties())
        return LakeState(
            tables.silver, tables.quarantine, snapshot_of(table), quarantine_at, ledger
        ), retained

    def _list(self, since: str) -> tuple[list[str], list[str]]:
        first = f"{since}T00" if since else ""
        failures = self.options.conversion_errors
        return (
            sorted(list_delivered(self.spark, self.options.source, first)),
            sorted(list_delivered(self.spark, failures, first)) if failures else [],
        )

    def _kpi_snapshots(self) -> dict[str, int]:
        found = {}
        for spec in COUNTS:
            name = self._name(spec.name)
            at = current_snapshot(self.spark, name) if self.spark.catalog.tableExists(name) else None
            if at:
                found[name] = at.id
        return found

    def _find_missing(
        self,
        state: LakeState,
        delivered: Delivered,
        new: Sequence[ManifestPart],
        parts: Sequence[ManifestPart],
    ) -> Missing:
        if not new:
            return Missing()
        files = self._list(f"{attested_since(new)}")
        since_then = Delivered.of(self.options.source, *files, state.ledger)
        return find_missing(self.spark, state, delivered, since_then, new, parts, self.now)

    def _account(
        self,
        state: LakeState,
        counts: DayCounts,
        missing: Missing,
        new: Sequence[ManifestPart],
    ) -> Account:
        sent_after = self.now - timedelta(minutes=self.options.delivery_minutes)
        in_flight = missing.in_flight(new, sent_after)
        return Account(
            undelivered=missing.total - in_flight,
            in_flight=in_flight,
            bronze=counts.bronze.total() + counts.awaiting,
            failed=counts.failed.total(),
            awaiting=counts.awaiting,
            settled=self.known.settled,
            silver=counts.silver.total(),
            quarantined=counts.quarantined.total(),
            duplicates=counts.duplicates.total(),
            erased=counts.erased.total(),
            kpis=tuple(self._kpi_totals(state)),
        )

    def _kpi_totals(self, state: LakeState) -> list[KpiTotal]:
        """Each table against the events of the snapshot that it says it reflects, else the current one."""
        if state.silver_at is None:
            return []
        silver = load_table(self.spark, state.silver)
        totals = []
        for spec, column in COUNTS.items():
            name = self._name(spec.name)
            table = load_table(self.spark, name) if self.spark.catalog.tableExists(name) else None
            if table is not None:
                table.refresh()
            at = snapshot_of(table) if table is not None else None
            if at is None:
                logger.warning("%s holds nothing: its job is to run", name)
                # What was compared before is gone; any other table still waits for its job's first run.
                nothing = 0 if spec.name in self.compared else None
                totals.append(KpiTotal(spec.name, nothing, state.silver_at.rows))
                continue
            reflection = read_reflection(table)
            reflected = silver.snapshot(reflection.snapshot) if reflection else None
            if reflected is None:
                logger.warning("%s names no snapshot of the events that is left: its job is to run", name)
            elif reflected.snapshotId() != state.silver_at.id:
                logger.warning("%s reflects an earlier snapshot of the events: its job is still to run", name)
            counted = at_snapshot(self.spark, name, at.id).agg(F.sum(column).alias("n")).first()
            expected = int(reflected.summary()["total-records"]) if reflected else state.silver_at.rows
            totals.append(KpiTotal(spec.name, (counted.n if counted else 0) or 0, expected))
        return totals

    def _require_unchanged(self, state: LakeState) -> None:
        for name, seen in ((state.silver, state.silver_at), (state.quarantine, state.quarantine_at)):
            if current_snapshot(self.spark, name) != seen:
                raise ConcurrentPublishError(f"{name} changed since this run looked at it")

    def _name_files(
        self, state: LakeState, delivered: Delivered, counts: DayCounts, missing: Missing
    ) -> list[str]:
        named = [
            f"{part}: {count} of its records are nowhere"
            for part, count in sorted(missing.by_part.items())[:NAMED_FILES]
        ]
        days = counts.wrong_days
        if days:
            found = name_wrong_files(self.spark, state, delivered, days)
            named += found or [f"arrived on {day}: the count of duplicates is wrong" for day in days]
        return named

    def _remember(
        self, state: LakeState, counts: DayCounts, account: Account, found: dict[str, int], seen: str
    ) -> None:
        closed = state.ledger.closed[:10]
        since = max(self.known.since, closed)
        before = counts.bronze + counts.failed
        settled = self.known.settled + sum(n for day, n in before.items() if day < closed)
        # A run whose window moves sees other files next time: it is compared with what this one saw of them.
        if since != self.known.since:
            state_of_tables = [state.silver_at, state.quarantine_at]
            seen = memory.digest(*self._list(since), state_of_tables, sorted(self._kpi_snapshots().items()))
        memory.remember(
            self.spark,
            self.memory_table,
            found,
            forget=self.options.full,
            reconciled=Reconciled(since, settled, seen, account),
            now=self.now,
        )


if __name__ == "__main__":
    sys.exit(main())
