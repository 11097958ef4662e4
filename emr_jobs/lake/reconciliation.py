"""Counting, with Spark, what the equations of config/reconciliation.py compare.

What was reconciled once is not read again: days on which no more files may arrive are settled, and parts of
manifests whose records were all found are remembered. So a run costs what the open window holds.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from config.events import TIMESTAMP_MIN, UUID_CONFLICT, EntryState, RejectReason
from config.tables import BRONZE, QUARANTINE, SILVER
from emr_jobs.lake.bronze import read_bronze_files
from emr_jobs.lake.conversion_failures import read_conversion_failures, read_failed_sequences
from emr_jobs.lake.delivered import is_taken_in
from emr_jobs.lake.findings import count_by_day
from emr_jobs.lake.history import at_snapshot, within_days
from emr_jobs.lake.ledger import Ledger, hour_of
from emr_jobs.lake.manifests import ManifestPart, read_parts
from emr_jobs.lake.tables import Snapshot
from emr_jobs.transforms.attested import to_missing, to_short
from emr_jobs.transforms.erased import SAID_BY_ENTRIES, is_erased, is_erased_entry
from emr_jobs.transforms.identity import IDENTITY, POSITION, arrival_day, content
from emr_jobs.transforms.numbers import SECONDS_A_DAY

logger = logging.getLogger(__name__)

NAMED_FILES = 10
"""So many of the files in which something differs are named."""


@dataclass(frozen=True)
class LakeState:
    """The tables at one moment: their names and snapshots (None: never written to), and silver's ledger."""

    silver: str
    quarantine: str
    silver_at: Snapshot | None
    quarantine_at: Snapshot | None
    ledger: Ledger

    def silver_rows(self, spark: SparkSession) -> DataFrame:
        """All events."""
        if self.silver_at is None:
            return spark.createDataFrame([], SILVER.schema_ddl)
        return at_snapshot(spark, self.silver, self.silver_at.id)

    def quarantine_rows(self, spark: SparkSession) -> DataFrame:
        """The entries of quarantine, in the state that silver's last commit has announced.

        Without those of files that are not in, which an ingest that did not finish has left.
        """
        if self.quarantine_at is None:
            return spark.createDataFrame([], QUARANTINE.schema_ddl)
        rows = at_snapshot(spark, self.quarantine, self.quarantine_at.id).where(is_taken_in(self.ledger))
        if self.ledger.is_settled:
            return rows
        returned = spark.createDataFrame([(file,) for file in self.ledger.returned], "source_file string")
        announced = spark.createDataFrame(
            self.ledger.announced, "source_file string, source_row bigint, announced string"
        )
        return (
            rows.where(~is_erased_entry(self.ledger.erasing_until, SAID_BY_ENTRIES))
            .join(F.broadcast(returned), "source_file", "left_anti")
            .join(F.broadcast(announced), list(POSITION), "left")
            .withColumn("state", F.coalesce("announced", "state"))
            .select(*QUARANTINE.column_names)
        )


@dataclass(frozen=True)
class Delivered:
    """Delivered files from some day on: those that ingest has taken in, and those it has not seen yet.

    ``root`` is the folder of the ``bronze`` files.
    """

    root: str
    bronze: Sequence[str] = ()
    failures: Sequence[str] = ()
    awaiting_bronze: Sequence[str] = ()
    awaiting_failures: Sequence[str] = ()

    @classmethod
    def of(cls, root: str, bronze: Sequence[str], failures: Sequence[str], ledger: Ledger) -> Delivered:
        """Tell by the ledger which files are in."""
        awaiting = frozenset(ledger.new_files([*bronze, *failures]))
        return cls(
            root,
            tuple(file for file in bronze if file not in awaiting),
            tuple(file for file in failures if file not in awaiting),
            tuple(file for file in bronze if file in awaiting),
            tuple(file for file in failures if file in awaiting),
        )

    @property
    def awaiting(self) -> tuple[str, ...]:
        """All files that ingest has not seen yet."""
        return (*self.awaiting_bronze, *self.awaiting_failures)


@dataclass(frozen=True)
class DayCounts:
    """Records by UTC date of arrival (``YYYY-MM-DD``), and by file what is wrong with those days."""

    bronze: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    awaiting: int = 0
    silver: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    duplicates: Counter[str] = field(default_factory=Counter)
    erased: Counter[str] = field(default_factory=Counter)

    @property
    def wrong_days(self) -> list[str]:
        """Days on which records are missing or too many."""
        delivered = self.bronze + self.failed
        found = self.silver + self.quarantined + self.duplicates + self.erased
        return sorted(day for day in delivered | found if delivered[day] != found[day])


def count_days(spark: SparkSession, state: LakeState, delivered: Delivered, since: str) -> DayCounts:
    """Count what arrived on day ``since`` or later (all, if empty)."""
    silver = state.silver_rows(spark).where(_arrived_since(since))
    entries = open_entries(spark, state, delivered).where(_arrived_since(since))
    awaiting = _bronze(spark, delivered.root, delivered.awaiting_bronze)
    return DayCounts(
        bronze=count_by_day(_bronze(spark, delivered.root, delivered.bronze)),
        failed=count_by_day(_failures(spark, delivered.failures)),
        awaiting=awaiting.count() + _failures(spark, delivered.awaiting_failures).count(),
        silver=count_by_day(silver),
        quarantined=count_by_day(entries),
        duplicates=Counter({day: n for day, n in state.ledger.duplicates.items() if day >= since}),
        erased=Counter({day: n for day, n in state.ledger.erased.items() if day >= since}),
    )


def open_entries(spark: SparkSession, state: LakeState, delivered: Delivered) -> DataFrame:
    """The entries of quarantine that stand for their records.

    An ingest that did not finish may have found a copy that takes an event's place: its files await the next
    one, and the event's own row, already in quarantine as a conflict, is still the event.
    """
    entries = state.quarantine_rows(spark).where(F.col("state") == EntryState.OPEN)
    if not delivered.awaiting:
        return entries
    conflicts = entries.where(F.col("reason") == UUID_CONFLICT).select(*POSITION)
    events = state.silver_rows(spark).select(*POSITION)
    still_events = events.join(F.broadcast(conflicts), list(POSITION), "left_semi")
    return entries.join(F.broadcast(still_events), list(POSITION), "left_anti")


def name_wrong_files(
    spark: SparkSession, state: LakeState, delivered: Delivered, days: Collection[str]
) -> list[str]:
    """What differs on some days of arrival, by file: rows that are nowhere, from nowhere, or twice."""
    erased = state.ledger.erased_sensors
    bronze = _bronze(spark, delivered.root, _of_days(delivered.bronze, days)).where(~is_erased(erased))
    failed = _failures(spark, _of_days(delivered.failures, days)).where(~is_erased_entry(erased))
    there = bronze.select(*POSITION, *IDENTITY).unionByName(
        failed.select(*POSITION, *(F.lit(None).cast(BRONZE_TYPES[name]).alias(name) for name in IDENTITY))
    )
    arrived = arrival_day().cast("string").isin(sorted(days))
    events = state.silver_rows(spark)
    entries = state.quarantine_rows(spark)
    silver, still_open = (
        rows.where(arrived).select(*POSITION) for rows in (events, open_entries(spark, state, delivered))
    )
    homes = silver.unionByName(still_open)
    replayed = entries.where(arrived & (F.col("state") != EntryState.OPEN)).select(*POSITION)
    unknown = there.join(homes.unionByName(replayed), list(POSITION), "left_anti")
    lost = unknown.join(events.select(*IDENTITY), list(IDENTITY), "left_anti")
    surplus = homes.join(there.select(*POSITION), list(POSITION), "left_anti")
    twice = homes.groupBy(*POSITION).count().where("count > 1")
    return [
        *_said(lost, "{} rows of it are neither in silver nor in quarantine, and repeat no event"),
        *_said(surplus, "{} rows of silver or quarantine are said to come from it, but are not in it"),
        *_said(twice, "{} rows of it are in silver or quarantine more than once"),
    ]


BRONZE_TYPES = {column.name: column.type for column in BRONZE.columns}


@dataclass(frozen=True)
class Missing:
    """Acknowledged records that are found nowhere, by the part of the manifest that attests them."""

    by_part: Mapping[str, int] = field(default_factory=dict)

    def in_flight(self, parts: Sequence[ManifestPart], sent_after: datetime) -> int:
        """Those of parts that were written after a time: they may still come."""
        young = {part.uri for part in parts if part.written > sent_after}
        return sum(count for uri, count in self.by_part.items() if uri in young)

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_part.values())


def find_missing(
    spark: SparkSession,
    state: LakeState,
    delivered: Delivered,
    since_then: Delivered,
    new: Sequence[ManifestPart],
    listed: Sequence[ManifestPart],
    now: datetime,
) -> Missing:
    """Look for each record that the parts ``new`` attest, also in the files that ingest has not seen yet.

    ``since_then`` is what was delivered since the parts' first day. Records without an identity are told by
    their content, and how often it came: for these, all ``listed`` parts since that day count, since what
    they attest is among what was delivered.
    """
    if not new:
        return Missing()
    since = attested_since(new)
    acked = read_parts(spark, new)
    failed = read_failed_sequences(spark, [*since_then.failures, *since_then.awaiting_failures])
    quarantined = state.quarantine_rows(spark).where(_arrived_since(f"{since}")).select("reason", "raw")
    elsewhere = _bronze(spark, delivered.root, delivered.awaiting_bronze)
    if state.ledger.erased_sensors:
        read = _bronze(spark, since_then.root, since_then.bronze)
        elsewhere = elsewhere.unionByName(read.where(is_erased(state.ledger.erased_sensors)))
    entries = quarantined.unionByName(
        elsewhere.select(F.lit(RejectReason.MISSING_FIELD.value).alias("reason"), content().alias("raw"))
    )
    day = F.floor(F.col("timestamp") / SECONDS_A_DAY)
    # Silver holds no earlier and no later ones: what says so is in quarantine.
    plausible = F.col("timestamp").between(TIMESTAMP_MIN, int((now + timedelta(days=2)).timestamp()))
    numbers = acked.where(plausible).select(day.alias("day")).distinct().collect()
    days = [date(1970, 1, 1) + timedelta(days=row.day) for row in numbers]
    events = state.silver_rows(spark).where(within_days(days))
    found = to_missing(acked, events, entries, failed).groupBy("part").count().collect()
    window = read_parts(spark, [part for part in listed if part.day >= since])
    short = to_short(window, entries, failed).groupBy("part").agg(F.sum("missing").alias("count")).collect()
    by_part: Counter[str] = Counter()
    for row in [*found, *short]:
        by_part[row.part] += row["count"]
    return Missing(dict(by_part))


def attested_since(parts: Sequence[ManifestPart]) -> date:
    """The first day on which what the parts attest may have arrived: clocks may differ by a little."""
    return min(part.day for part in parts) - timedelta(days=1)


def _bronze(spark: SparkSession, root: str, files: Sequence[str]) -> DataFrame:
    if not files:
        return spark.createDataFrame([], f"{BRONZE.schema_ddl}, {_PLACED}")
    return read_bronze_files(spark, root, files)


def _failures(spark: SparkSession, files: Sequence[str]) -> DataFrame:
    if not files:
        return spark.createDataFrame([], f"raw string, {_PLACED}")
    return read_conversion_failures(spark, files)


_PLACED = "arrival_hour timestamp, source_file string, source_row bigint"


def _arrived_since(day: str) -> Column:
    if not day:
        return F.lit(True)
    midnight = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return F.col("arrival_hour") >= F.timestamp_seconds(F.lit(int(midnight.timestamp())))


def _of_days(files: Sequence[str], days: Collection[str]) -> list[str]:
    return [file for file in files if (hour_of(file) or "")[:10] in days]


def _said(rows: DataFrame, sentence: str) -> list[str]:
    found = rows.groupBy("source_file").count().orderBy(F.desc("count"), "source_file").limit(NAMED_FILES)
    return [f"{row.source_file}: {sentence.format(row['count'])}" for row in found.collect()]
