"""Taking back what was published, by a commit that restores an earlier state.

Main is not moved back: a commit ahead is validated like any other, so that nothing which somebody else
publishes meanwhile is lost, and incremental readers see in its summary which days it changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from config.tables import SILVER, TableSpec
from emr_jobs.lake.commits import Commit
from emr_jobs.lake.errors import LakeError
from emr_jobs.lake.history import EventHistory, HistoryLostError, SnapshotRecord, at_snapshot, within_days
from emr_jobs.lake.ingest import settle
from emr_jobs.lake.ledger import PROPERTY as LEDGER_PROPERTY
from emr_jobs.lake.publish import publish, start_over
from emr_jobs.lake.silver import SilverLake
from emr_jobs.lake.tables import Snapshot, current_snapshot, load_table

RESTORED_PROPERTY = "lakehouse.restored"
"""Property of a snapshot: the earlier one whose rows it restored."""

Undo = Callable[[Sequence[SnapshotRecord]], Mapping[str, str]]
"""Table properties to set with a rollback, given the snapshots that it takes back, newest first."""


def nothing_to_undo(undone: Sequence[SnapshotRecord]) -> Mapping[str, str]:
    """For tables whose properties do not tell of single commits."""
    return {}


def roll_back(
    spark: SparkSession, name: str, spec: TableSpec, to_snapshot: int, undo: Undo = nothing_to_undo
) -> Snapshot:
    """Publish the rows that the table had at an earlier snapshot; returns the new one.

    A table of events has only those days rewritten in which the two differ, others are as a whole.

    Raises:
        LakeError: the snapshot has expired, is not behind the current one, lies before another rollback, or
            was never published itself.
        ConcurrentPublishError: somebody else published each time it was tried.
    """
    return start_over(lambda: _roll_back(spark, name, spec, to_snapshot, undo))


def roll_back_events(lake: SilverLake, to_snapshot: int) -> Snapshot:
    """Roll back the table of events, and with it what its commits have done to quarantine.

    The files that the commits had taken in are owed: the next ingest reads them anew. Entries that they had
    superseded or replayed are open again, and those that they had added no longer count.

    Raises:
        LakeError: as of :func:`roll_back`.
    """

    def undo(undone: Sequence[SnapshotRecord]) -> Mapping[str, str]:
        ledger = lake.look().without(Commit.from_properties(record.summary) for record in undone)
        stale = lake.conflicts_at(to_snapshot)
        return {LEDGER_PROPERTY: replace(ledger, retired=ledger.retired | stale).to_json()}

    published = roll_back(lake.spark, lake.name, SILVER, to_snapshot, undo)
    settle(lake)
    return published


def _roll_back(spark: SparkSession, name: str, spec: TableSpec, to_snapshot: int, undo: Undo) -> Snapshot:
    base = current_snapshot(spark, name)
    history = EventHistory.load(spark, name)
    if history is None or base is None:
        raise LakeError(f"{name} was never written to: there is nothing to roll back")
    undone = snapshots_back_to(history, to_snapshot)
    if not undone:
        raise LakeError(f"{name} is at snapshot {to_snapshot} already")
    if to_snapshot not in {entry.snapshotId() for entry in load_table(spark, name).history()}:
        raise LakeError(
            f"{name}: snapshot {to_snapshot} was never published, it is a step on the way to one that was; "
            f"{name}.history (in Athena TABLE$history) lists those"
        )
    try:
        changed = within_days(history.days_since(to_snapshot))
    except HistoryLostError:
        changed = F.lit(True)
    restored = at_snapshot(spark, name, to_snapshot)
    rows = restored.count()

    def write(branch: str) -> None:
        source = restored.where(changed).select(*spec.column_names)
        option = f"snapshot-property.{RESTORED_PROPERTY}"
        source.writeTo(branch).option(option, str(to_snapshot)).overwrite(changed)

    def audit(branch: DataFrame) -> None:
        found = branch.count()
        if found != rows:
            raise LakeError(f"{name} would have {found} rows, but had {rows} at {to_snapshot}: nothing done")

    return publish(spark, name, write, base=base, audit=audit, properties=undo(undone))


def snapshots_back_to(history: EventHistory, snapshot_id: int) -> list[SnapshotRecord]:
    """The snapshots after an earlier one, newest first.

    Raises:
        LakeError: it is not behind the current one, or what lies between cannot be taken back one by one.
    """
    found: list[SnapshotRecord] = []
    current: int | None = history.current
    while current != snapshot_id:
        record = history.find(current) if current is not None else None
        if record is None:
            raise LakeError(
                f"{history.name}: snapshot {snapshot_id} has expired or is not behind the current one"
            )
        final = Commit.from_properties(record.summary).final
        if final:
            raise LakeError(f"{history.name}: snapshot {record.id} {final}; only what came after it can be")
        if RESTORED_PROPERTY in record.summary:
            raise LakeError(
                f"{history.name}: snapshot {record.id} is a rollback itself; only what came after it can be "
                "taken back"
            )
        found.append(record)
        current = record.parent
    if history.find(snapshot_id) is None:
        raise LakeError(f"{history.name}: snapshot {snapshot_id} has expired")
    return found
