"""What happened to an Iceberg table between two of its snapshots: the days whose rows may have changed.

The snapshots' own summaries say it (``write.summary.partition-limit``), so that no data file and no
manifest is read, and compaction or the expiry of what is older does not matter. (The metadata table
``entries`` would lose the days after a compaction or a merge of manifests.)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from emr_jobs.lake.tables import load_table

DAY_PARTITION = "event_time_day"
"""Name that Iceberg gives the partition field ``days(event_time)``."""

DAY_SOURCE = "event_time"

_COPY_ORDER = {"source_file", "source_row"}
"""Columns that order the copies of an event. Without them files do, and compactions change those."""

_PARTITION = "partitions."


class HistoryLostError(Exception):
    """What changed between two snapshots cannot be told; the message says why."""


@dataclass(frozen=True)
class SnapshotRecord:
    """A snapshot as the table's metadata describe it."""

    id: int
    parent: int | None
    sequence_number: int
    operation: str
    summary: Mapping[str, str]

    @classmethod
    def from_json(cls, text: str) -> SnapshotRecord:
        """Read what Iceberg's ``SnapshotParser`` writes."""
        document = json.loads(text)
        summary = dict(document["summary"])
        return cls(
            id=document["snapshot-id"],
            parent=document.get("parent-snapshot-id"),
            sequence_number=document["sequence-number"],
            operation=summary.pop("operation"),
            summary=summary,
        )


def snapshot_record(spark: SparkSession, snapshot: Any) -> SnapshotRecord:
    """What an Iceberg snapshot says of itself, in one call to the JVM."""
    return SnapshotRecord.from_json(spark._jvm.org.apache.iceberg.SnapshotParser.toJson(snapshot))


def is_compaction(snapshot: SnapshotRecord) -> bool:
    """Whether the snapshot holds the rows of its parent, in other files."""
    return snapshot.operation == "replace"


def changed_days(snapshot: SnapshotRecord) -> frozenset[date]:
    """The days that a snapshot added rows to or removed rows from, by its summary.

    Raises:
        HistoryLostError: the summary lists none, or not all, or not days.
    """
    if is_compaction(snapshot):
        return frozenset()
    partitions = [
        key.removeprefix(_PARTITION)
        for key in snapshot.summary
        if key.startswith(f"{_PARTITION}{DAY_PARTITION}=")
    ]
    if str(len(partitions)) != snapshot.summary.get("changed-partition-count"):
        raise HistoryLostError(f"snapshot {snapshot.id} does not list the days that it changed")
    try:
        return frozenset(date.fromisoformat(part.removeprefix(f"{DAY_PARTITION}=")) for part in partitions)
    except ValueError as error:
        raise HistoryLostError(f"snapshot {snapshot.id} changed what is no day: {error}") from error


def days_between(find: Callable[[int], SnapshotRecord | None], one: int, other: int) -> frozenset[date]:
    """The days in which two snapshots of a table may differ.

    Both are followed to where their histories meet: usually one is the other's ancestor, but after a
    rollback neither may be. ``find`` gives a snapshot by its id, None if it has expired.

    Raises:
        HistoryLostError: a snapshot on the way has expired, or does not say what it changed.
    """
    days: set[date] = set()
    while one != other:
        first, second = _known(find, one), _known(find, other)
        # An ancestor's sequence number is smaller: the later of the two cannot be the other's ancestor.
        if first.sequence_number > second.sequence_number:
            days |= changed_days(first)
            one = _parent(first)
        else:
            days |= changed_days(second)
            other = _parent(second)
    return frozenset(days)


def _known(find: Callable[[int], SnapshotRecord | None], snapshot_id: int) -> SnapshotRecord:
    found = find(snapshot_id)
    if found is None:
        raise HistoryLostError(f"snapshot {snapshot_id} has expired")
    return found


def _parent(snapshot: SnapshotRecord) -> int:
    if snapshot.parent is None:
        raise HistoryLostError(f"snapshot {snapshot.id} has no parent")
    return snapshot.parent


@dataclass(frozen=True)
class EventHistory:
    """A table of events with its snapshots, as of when it was loaded: ``current`` is the snapshot of then.

    ``find`` gives a snapshot by its id, None if it has expired. ``obstacle`` says why days cannot be told
    apart in this table, if they cannot.
    """

    name: str
    uuid: str
    current: int
    find: Callable[[int], SnapshotRecord | None]
    obstacle: str

    @classmethod
    def load(cls, spark: SparkSession, name: str) -> EventHistory | None:
        """The history of the table ``name``; None if nothing was ever written to it."""
        table = load_table(spark, name)
        table.refresh()
        snapshot = table.currentSnapshot()
        if snapshot is None:
            return None

        def find(snapshot_id: int) -> SnapshotRecord | None:
            found = table.snapshot(snapshot_id)
            return snapshot_record(spark, found) if found else None

        return cls(name, table.uuid().toString(), snapshot.snapshotId(), find, _obstacle(table))

    def days_since(self, snapshot_id: int) -> frozenset[date]:
        """The days in which the current snapshot may differ from an earlier (or rolled back) one.

        Raises:
            HistoryLostError: that cannot be told.
        """
        if snapshot_id != self.current and self.obstacle:
            raise HistoryLostError(self.obstacle)
        return days_between(self.find, snapshot_id, self.current)


def _obstacle(table: Any) -> str:
    if [field.name() for field in table.spec().fields()] != [DAY_PARTITION]:
        return f"it is not partitioned by days({DAY_SOURCE})"
    missing = _COPY_ORDER - {column.name() for column in table.schema().columns()}
    return f"it has no column {', '.join(sorted(missing))}" if missing else ""


def within_days(days: Iterable[date]) -> Column:
    """Whether ``event_time`` lies in one of the UTC days."""
    return F.expr(days_rule(days, DAY_SOURCE))


def days_rule(days: Iterable[date], column: str) -> str:
    """Whether a timestamp lies in one of the UTC days, in Spark SQL: ranges by which Iceberg skips files.

    >>> days_rule([date(2026, 6, 1), date(2026, 6, 2)], "t")
    "(t >= TIMESTAMP '2026-06-01 00:00:00Z' AND t < TIMESTAMP '2026-06-03 00:00:00Z')"
    """
    ranges = (
        f"({column} >= TIMESTAMP '{first} 00:00:00Z' AND {column} < TIMESTAMP '{after} 00:00:00Z')"
        for first, after in day_ranges(days)
    )
    return " OR ".join(ranges) or "false"


def day_ranges(days: Iterable[date]) -> list[tuple[date, date]]:
    """Days as ranges (first, the day after the last).

    >>> [(str(a), str(b)) for a, b in day_ranges([date(2026, 6, 2), date(2026, 6, 1), date(2026, 6, 4)])]
    [('2026-06-01', '2026-06-03'), ('2026-06-04', '2026-06-05')]
    """
    found: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        first = found.pop()[0] if found and found[-1][1] == day else day
        found.append((first, day + timedelta(days=1)))
    return found


def at_snapshot(spark: SparkSession, name: str, snapshot_id: int) -> DataFrame:
    """The rows of a table as they were at a snapshot."""
    return spark.read.option("snapshot-id", str(snapshot_id)).table(name)
