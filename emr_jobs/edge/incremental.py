"""A KPI job given a table of events: each of its tables gets what it lacks of the current snapshot."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from emr_jobs.edge.kpi_job import KpiJob, KpiTable, Upkeep
from emr_jobs.lake.bronze import read_events_table
from emr_jobs.lake.days import replacing_days
from emr_jobs.lake.errors import LakeError
from emr_jobs.lake.frames import persisted
from emr_jobs.lake.history import EventHistory, at_snapshot
from emr_jobs.lake.publish import publish, replacing
from emr_jobs.lake.reflection import Reflection, Work, work_for
from emr_jobs.lake.tables import Snapshot, current_snapshot, ensure_table
from emr_jobs.transforms.deltas import with_delta
from emr_jobs.transforms.outcomes import count_by_outcome, to_counted_fields, with_outcome

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What an update did: rows read per outcome (None: they count), per table its work and new snapshot."""

    rows_by_outcome: dict[str | None, int] = field(default_factory=dict)
    work: dict[str, str] = field(default_factory=dict)
    published: dict[str, Snapshot] = field(default_factory=dict)


@dataclass(frozen=True)
class _Target:
    """A table to bring up to date: its full name, what it is, its snapshot before, what it lacks."""

    name: str
    table: KpiTable
    base: Snapshot | None
    work: Work


def update(
    spark: SparkSession, kpi: KpiJob, events: str, name_of: Callable[[KpiTable], str], full: bool
) -> Outcome:
    """Bring the job's tables to the current snapshot of the table ``events``; ``full`` computes all anew.

    Each table is published on its own and says what it reflects, so that a run killed between two of them
    is made good by the next one.

    Raises:
        ConcurrentPublishError: somebody else published one of them meanwhile: start over.
    """
    tables = [kpi.state, *kpi.tables] if kpi.state else list(kpi.tables)
    for table in tables:
        ensure_table(spark, name_of(table), table.spec)
    # Before the events are looked at: so these are never older than what a table reflects.
    bases = {name_of(table): current_snapshot(spark, name_of(table)) for table in tables}
    history = EventHistory.load(spark, events) if spark.catalog.tableExists(events) else None
    if history is None:
        logger.warning("%s does not exist or was never written to: nothing to read", events)
        return Outcome()
    targets = []
    for table in tables:
        name = name_of(table)
        base = bases[name]
        work = Work(why="--full") if full else work_for(spark, name, base, history)
        targets.append(_Target(name, table, base, work))
    return _Update(spark, kpi, history).run(targets)


class _Update:
    def __init__(self, spark: SparkSession, kpi: KpiJob, history: EventHistory) -> None:
        self.spark = spark
        self.kpi = kpi
        self.history = history
        self.outcome = Outcome()

    def run(self, targets: Collection[_Target]) -> Outcome:
        for target in targets:
            said = "up to date" if self._is_done(target) else str(target.work)
            logger.info("%s: %s", target.name, said)
            self.outcome.work[target.name] = said
        pending = [target for target in targets if not self._is_done(target)]
        self._update_kept([target for target in pending if target.table.upkeep is not Upkeep.DERIVED])
        for target in pending:
            if target.table.upkeep is Upkeep.DERIVED:
                state = next(each for each in targets if each.table is self.kpi.state)
                at = self.outcome.published.get(state.name, state.base)
                rows = target.table.from_rollup(self._as_of(state.name, at))
                self._publish(target, replacing(rows, target.table.spec))
        return self.outcome

    def _is_done(self, target: _Target) -> bool:
        return target.work.since == self.history.current

    def _update_kept(self, targets: Collection[_Target]) -> None:
        """Publish the tables that follow from events, all from one scan of the days that any lacks."""
        wanted = [target.work.days for target in targets]
        listed = [days for days in wanted if days is not None]
        days = None if len(listed) < len(wanted) else frozenset[date]().union(*listed)
        if days is not None and not days:
            for target in targets:
                self._publish(target, lambda branch: None)
            return
        with persisted(self._rollup(self.history.current, days)) as rollup:
            self.outcome.rows_by_outcome.update(count_by_outcome(rollup))
            for target in targets:
                self._publish(target, self._writing(target, _counted(rollup, target.work.days)))

    def _writing(self, target: _Target, rollup: DataFrame) -> Callable[[str], None]:
        """To write what a target lacks, given the rollup of its days (or of all) as they are now."""
        table, work = target.table, target.work
        rows = table.from_rollup(rollup)
        if work.days is None or work.since is None:
            return replacing(rows, table.spec)
        if table.upkeep is Upkeep.DAYS:
            return replacing_days(self._as_of(target.name, target.base), rows, table.spec, "day", work.days)
        before = table.from_rollup(_counted(self._rollup(work.since, work.days), work.days))
        counts = self._as_of(target.name, target.base)
        return replacing(with_delta(counts, rows, before, table.spec.key), table.spec)

    def _rollup(self, snapshot: int, days: Collection[date] | None) -> DataFrame:
        events = read_events_table(self.spark, self.history.name, snapshot, days)
        return self.kpi.to_rollup(to_counted_fields(with_outcome(events)))

    def _as_of(self, name: str, snapshot: Snapshot | None) -> DataFrame:
        if snapshot is None:
            raise LakeError(f"{name} says that it reflects a snapshot of the events, but has none itself")
        return at_snapshot(self.spark, name, snapshot.id)

    def _publish(self, target: _Target, write: Callable[[str], None]) -> None:
        self.outcome.published[target.name] = publish(
            self.spark,
            target.name,
            write,
            base=target.base,
            properties=partial(_properties, self.history),
        )


def _properties(history: EventHistory, published: int) -> Mapping[str, str]:
    return Reflection.of(history, published).as_properties()


def _counted(rollup: DataFrame, days: Collection[date] | None) -> DataFrame:
    """The part of a rollup that counts, of all days or of some."""
    counted = rollup.where(F.col("outcome").isNull())
    return counted if days is None else counted.where(F.col("day").isin([F.lit(day) for day in days]))
