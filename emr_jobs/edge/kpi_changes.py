"""Which values of the KPI tables would change if some days of events did."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from config.tables import TableSpec
from emr_jobs.edge.kpi_job import KpiJob, KpiTable, Upkeep
from emr_jobs.lake.frames import persisted
from emr_jobs.lake.history import EventHistory, at_snapshot
from emr_jobs.lake.reflection import work_for
from emr_jobs.lake.tables import current_snapshot
from emr_jobs.transforms.deltas import with_delta
from emr_jobs.transforms.outcomes import to_counted_fields, with_outcome

SHOWN_ROWS = 20
"""So many changed rows of a table are shown."""


@dataclass(frozen=True)
class TableChanges:
    """What changes in a KPI table: how many ``rows``, and the first of them in words.

    ``why_not`` says why that cannot be told, if so.
    """

    table: str
    rows: int = 0
    shown: tuple[str, ...] = ()
    why_not: str = ""


@dataclass(frozen=True)
class EventChanges:
    """Some days of the table of events (with ``history``), as they are and as they are to be."""

    history: EventHistory
    known: DataFrame
    expected: DataFrame


def kpi_changes(
    spark: SparkSession, kpi: KpiJob, changes: EventChanges, name_of: Callable[[KpiTable], str]
) -> Iterator[TableChanges]:
    """What changes in each table of a job.

    Values per day follow from the days alone. Values over all days are those of the tables and what the days
    add or take off: they can be told only where the tables reflect the events as they are.

    Raises:
        ConcurrentPublishError: somebody else published one of them meanwhile: start over.
    """
    before, after = (_counted_rollup(kpi, events) for events in (changes.known, changes.expected))
    states: dict[str, tuple[DataFrame, DataFrame]] = {}
    for table in kpi.tables:
        if table.upkeep is Upkeep.DAYS:
            yield _compared(table.spec, table.from_rollup(before), table.from_rollup(after))
            continue
        kept = kpi.state if kpi.state and table.upkeep is Upkeep.DERIVED else table
        if kept.spec.name not in states:
            now = _reflecting(spark, name_of(kept), changes.history)
            if now is None:
                why = f"it does not reflect the events as they are: {kpi.job.name} has to run first"
                yield TableChanges(table.spec.name, why_not=why)
                continue
            gained, lost = kept.from_rollup(after), kept.from_rollup(before)
            states[kept.spec.name] = now, with_delta(now, gained, lost, kept.spec.key)
        old, new = states[kept.spec.name]
        if table.upkeep is Upkeep.DERIVED:
            old, new = table.from_rollup(old), table.from_rollup(new)
        yield _compared(table.spec, old, new)


def _counted_rollup(kpi: KpiJob, events: DataFrame) -> DataFrame:
    rollup = kpi.to_rollup(to_counted_fields(with_outcome(events)))
    return rollup.where(F.col("outcome").isNull())


def _reflecting(spark: SparkSession, name: str, history: EventHistory) -> DataFrame | None:
    """A table's rows, if it reflects the current events."""
    if not spark.catalog.tableExists(name):
        return None
    at = current_snapshot(spark, name)
    if at is None or work_for(spark, name, at, history).since != history.current:
        return None
    return at_snapshot(spark, name, at.id)


def _compared(spec: TableSpec, before: DataFrame, after: DataFrame) -> TableChanges:
    measures = [name for name in spec.column_names if name not in spec.key]
    old = before.select(*spec.key, F.struct(*measures).alias("old"))
    new = after.select(*spec.key, F.struct(*measures).alias("new"))
    joined = old.join(new, list(spec.key), "full_outer").where(~F.col("old").eqNullSafe(F.col("new")))
    with persisted(joined) as rows:
        first = rows.orderBy(*spec.key).limit(SHOWN_ROWS).collect()
        said = tuple(_said(row, spec.key, measures) for row in first)
        return TableChanges(spec.name, rows.count(), said)


def _said(row: Row, key: Sequence[str], measures: Sequence[str]) -> str:
    place = " ".join(f"{name}={row[name]}" for name in key)
    if row.new is None:
        return f"{place}: goes"
    if row.old is None:
        return f"{place}: new, " + ", ".join(f"{name} {row.new[name]}" for name in measures)
    changed = (name for name in measures if row.old[name] != row.new[name])
    return f"{place}: " + ", ".join(f"{name} {row.old[name]} -> {row.new[name]}" for name in changed)
