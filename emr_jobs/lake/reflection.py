"""Which state of the events a KPI table reflects: it says so itself, in a property set with each publish.

A run can build on what a table says only while the table still is what that run published. So the
property also names the table's own snapshot: after a rollback, or a write by other hands, it no longer fits.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from pyspark.sql import SparkSession

from config.reconciliation import REFLECTION_PROPERTY
from emr_jobs.lake.errors import ConcurrentPublishError
from emr_jobs.lake.history import EventHistory, HistoryLostError, is_compaction, snapshot_record
from emr_jobs.lake.tables import Snapshot, load_table, snapshot_of
from emr_jobs.transforms.validity import rules_digest


@dataclass(frozen=True)
class Reflection:
    """``snapshot`` of the events table with ``table_uuid`` is what a KPI table holds at its own ``as_of``.

    It counts the events that were valid by ``rules``: others cannot be told by what is added or taken off.
    """

    table_uuid: str
    snapshot: int
    as_of: int
    rules: str = ""

    @classmethod
    def of(cls, history: EventHistory, as_of: int) -> Reflection:
        """A table that is published as snapshot ``as_of`` and reflects the events' current snapshot."""
        return cls(history.uuid, history.current, as_of, rules_digest())

    def as_properties(self) -> dict[str, str]:
        """The table properties to set."""
        return {REFLECTION_PROPERTY: json.dumps(asdict(self))}


@dataclass(frozen=True)
class Work:
    """What a table lacks: everything (``days`` is None; ``why`` says the reason), or changes of some days.

    ``since`` is the snapshot of the events that the table reflects; without any day it is up to date, and
    is only to name the current one.
    """

    since: int | None = None
    days: frozenset[date] | None = None
    why: str = ""

    def __str__(self) -> str:
        if self.days is None:
            return f"full recompute: {self.why}"
        return f"{len(self.days)} days touched since snapshot {self.since}"


def read_reflection(table: Any) -> Reflection | None:
    """What an Iceberg table says that it reflects; None if it says nothing."""
    stored: str | None = table.properties().get(REFLECTION_PROPERTY)
    return Reflection(**json.loads(stored)) if stored else None


def work_for(spark: SparkSession, name: str, base: Snapshot | None, history: EventHistory) -> Work:
    """What the KPI table ``name`` at its snapshot ``base`` lacks of the events' current snapshot.

    Raises:
        ConcurrentPublishError: the table is not at ``base`` any more: what it says is not said of that.
    """
    table = load_table(spark, name)
    table.refresh()
    if snapshot_of(table) != base:
        raise ConcurrentPublishError(f"{name} changed since this run looked at it")
    reflection = read_reflection(table)
    if reflection is None:
        return Work(why="the table does not say what it reflects")
    if reflection.table_uuid != history.uuid:
        return Work(why=f"the table reflects another table than {history.name}")
    if reflection.rules != rules_digest():
        return Work(why="the rules of validity have changed since")
    if not _is_as_published(spark, table, reflection.as_of):
        return Work(why="the table was written to or rolled back since")
    try:
        return Work(reflection.snapshot, history.days_since(reflection.snapshot))
    except HistoryLostError as lost:
        return Work(why=f"{history.name}: {lost}")


def _is_as_published(spark: SparkSession, table: Any, as_of: int) -> bool:
    """Whether nothing but compactions happened to the table since its snapshot ``as_of``."""
    current = table.currentSnapshot()
    while current is not None and current.snapshotId() != as_of:
        record = snapshot_record(spark, current)
        if not is_compaction(record) or record.parent is None:
            return False
        if record.parent == as_of:
            return True
        current = table.snapshot(record.parent)
    return current is not None
