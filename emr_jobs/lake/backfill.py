"""Days of silver computed anew from bronze, by the rules of today: what would change, and changing it.

All that was taken in counts: the delivered files that the ledger knows, with the corrections that were
replayed, without erased sensors. A day's rows are replaced as a whole, all days in one commit; where nothing
differs nothing is committed. Days are refused of which a copy may have arrived before what retention has left
whole: the one that counts might be gone, while the ledger still counts its duplicates.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from config.days import DayRange
from config.events import UUID_CONFLICT, EntryState
from config.reconciliation import Retained
from config.tables import BRONZE
from emr_jobs.lake.bronze import read_bronze_files
from emr_jobs.lake.commits import Commit, Position
from emr_jobs.lake.delivered import list_delivered
from emr_jobs.lake.errors import LakeError, require_equal
from emr_jobs.lake.frames import persisted
from emr_jobs.lake.history import EventHistory, within_days
from emr_jobs.lake.ledger import Ledger
from emr_jobs.lake.silver import SilverLake
from emr_jobs.transforms.erased import is_erased
from emr_jobs.transforms.identity import IDENTITY, POSITION
from emr_jobs.transforms.recomputed import (
    to_changed_days,
    to_done_entries,
    to_duplicates_gained,
    to_expected,
    to_missing_entries,
    to_places,
)

logger = logging.getLogger(__name__)

NAMED_FILES = 5
"""So many of the files that are gone are named."""

A_DAY = timedelta(days=1)
"""An event may be dated so long after its arrival."""


@dataclass(frozen=True)
class DayChange:
    """A day of events: its rows before and after, and the identities added, removed and changed."""

    day: date
    before: int
    after: int
    added: int
    removed: int
    changed: int


@dataclass(frozen=True)
class Backfill:
    """What is to change: ``known`` rows of the changed days become ``expected``.

    ``entries`` are those that quarantine lacks (``missing`` of them); ``superseded`` and ``replayed`` ones no
    longer stand for their records. ``duplicates`` is what is gained by arrival day.
    """

    ledger: Ledger
    days: tuple[DayChange, ...]
    known: DataFrame
    expected: DataFrame
    entries: DataFrame
    missing: Mapping[str, int]
    superseded: frozenset[Position]
    replayed: frozenset[Position]
    duplicates: Mapping[str, int]

    @property
    def is_empty(self) -> bool:
        """Whether everything is as it should be."""
        return not (self.days or self.missing or self.superseded or self.replayed or self.duplicates)


@contextmanager
def planned(lake: SilverLake, wanted: DayRange, ledger: Ledger, open_hours: int) -> Iterator[Backfill]:
    """What a backfill of some days is to change, given the ledger of the last look.

    For ``open_hours`` after its end an hour may still get files.

    Raises:
        LakeError: these days cannot be computed anew; the message says why.
    """
    _require_partitions(lake)
    _require_closed(wanted, ledger, lake.now - timedelta(hours=open_hours))
    _require_retained(wanted, Retained.of(*lake.properties()).since)
    with ExitStack() as cached:
        known = cached.enter_context(persisted(lake.rows.where(within_days(wanted.days))))
        copies = _copies(lake, wanted, ledger, known)
        places = cached.enter_context(persisted(to_places(copies, known, lake.quarantine.rows)))
        expected = cached.enter_context(persisted(to_expected(places, known, F.lit(lake.now))))
        days = tuple(DayChange(**row.asDict()) for row in to_changed_days(known, expected).collect())
        changed = within_days([change.day for change in days])
        entries = to_missing_entries(places)
        done: dict[bool, list[Position]] = {True: [], False: []}
        for row in to_done_entries(places).collect():
            done[row.entry_reason == UUID_CONFLICT].append((row.source_file, row.source_row))
        yield Backfill(
            ledger=ledger,
            days=days,
            known=known.where(changed),
            expected=expected.where(changed),
            entries=entries,
            missing={row.reason: row["count"] for row in entries.groupBy("reason").count().collect()},
            superseded=frozenset(done[True]),
            replayed=frozenset(done[False]),
            duplicates={row.day: row.gained for row in to_duplicates_gained(places).collect()},
        )


def publish_backfill(lake: SilverLake, plan: Backfill) -> None:
    """Publish what is to change: entries that are missing first, then silver, which announces the others.

    Raises:
        ConcurrentPublishError: somebody else was faster.
        AuditError: the counts do not add up; nothing was published to silver.
    """
    if plan.is_empty:
        return
    if plan.missing:
        lake.quarantine.add(plan.entries, lake.now)
    commit = Commit(
        duplicates=plan.duplicates,
        retired=plan.superseded,
        replayed=plan.replayed,
        final="is a backfill: another one, with the code of before, computes what was",
    )
    changed = within_days([change.day for change in plan.days])
    rows = lake.rows.count() + sum(change.after - change.before for change in plan.days)

    def write(branch: str) -> None:
        if plan.days:
            plan.expected.writeTo(branch).overwrite(changed)
        lake.append(plan.expected.limit(0), branch, commit)

    def audit(branch: DataFrame) -> None:
        require_equal(f"rows of {lake.name}", rows, branch.count())
        twice = branch.where(changed).groupBy(*IDENTITY).count().where("count > 1").count()
        require_equal(f"events that {lake.name} would hold twice", 0, twice)

    lake.publish_rows(write, audit, plan.ledger.noting(commit))


def _require_partitions(lake: SilverLake) -> None:
    history = EventHistory.load(lake.spark, lake.name)
    if history is None:
        raise LakeError(f"{lake.name} was never written to: ingest_events has to run first")
    if history.obstacle:
        raise LakeError(f"{lake.name}: {history.obstacle}, so that no day of it can be replaced on its own")


def _require_closed(wanted: DayRange, ledger: Ledger, over: datetime) -> None:
    """Refuse days into whose own hours files may still come: those that were not ``over``."""
    closed = max(ledger.closed[:10], f"{over.astimezone(UTC):%Y-%m-%d}") if ledger.closed else ""
    if f"{wanted.last}" >= closed:
        raise LakeError(
            f"{wanted.last} is still being written: files may arrive until its hours are closed; "
            f"days before {closed or 'the first ingest'} are"
        )


def _require_retained(wanted: DayRange, since: str) -> None:
    """Refuse days of whose copies some may have arrived before day ``since`` (empty: all are there)."""
    if f"{wanted.first - A_DAY}" < since:
        raise LakeError(
            f"{wanted.first} cannot be computed anew: retention has deleted what arrived before {since}; "
            f"days from {date.fromisoformat(since) + A_DAY} on can be"
        )


def _copies(lake: SilverLake, wanted: DayRange, ledger: Ledger, known: DataFrame) -> DataFrame:
    """All that was taken in of the days, as delivered or as corrected."""
    root = lake.delivery.events
    listed = list_delivered(lake.spark, root, f"{wanted.first - A_DAY}T00")
    awaiting = frozenset(ledger.new_files(listed))
    files = [file for file in listed if file not in awaiting]
    corrected = _corrected(lake)
    _require_files(lake, known, files, corrected)
    copies = corrected
    if files:
        delivered = read_bronze_files(lake.spark, root, files)
        plain = delivered.join(F.broadcast(corrected.select(*POSITION)), list(POSITION), "left_anti")
        copies = copies.unionByName(plain)
    return copies.where(_of_days(wanted) & ~is_erased(ledger.erased_sensors))


def _of_days(wanted: DayRange) -> Column:
    first, after = (
        int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        for day in (wanted.first, wanted.last + A_DAY)
    )
    return (F.col("timestamp") >= first) & (F.col("timestamp") < after)


def _corrected(lake: SilverLake) -> DataFrame:
    """Corrected events that stand for what was delivered at their positions, with bronze's columns.

    An open entry stands for itself, whatever its correction, unless it is the corrected event that has come
    into conflict.
    """
    is_open = (F.col("state") == EntryState.OPEN) & (F.col("reason") != UUID_CONFLICT)
    entries = lake.quarantine.rows.where(F.col("correction").isNotNull() & ~is_open)
    event = F.from_json("correction", BRONZE.schema_ddl).alias("event")
    return entries.select(event, "arrival_hour", *POSITION).select("event.*", "arrival_hour", *POSITION)


def _require_files(lake: SilverLake, known: DataFrame, files: Sequence[str], corrected: DataFrame) -> None:
    """Refuse to compute rows anew whose files are gone."""
    there = lake.spark.createDataFrame([(file,) for file in files], "source_file string")
    orphans = known.join(F.broadcast(there), "source_file", "left_anti").join(
        F.broadcast(corrected.select(*POSITION)), list(POSITION), "left_anti"
    )
    gone = [row.source_file for row in orphans.select("source_file").distinct().limit(NAMED_FILES).collect()]
    if gone:
        raise LakeError(
            f"{lake.name} has rows of files that are not below {lake.delivery.events}, and would lose them: "
            + ", ".join(sorted(gone))
        )
