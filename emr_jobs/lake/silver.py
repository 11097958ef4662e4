"""Silver and quarantine on Iceberg, as an ingest works on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from config.events import UUID_CONFLICT
from config.tables import SILVER
from emr_jobs.lake import publish as publishing
from emr_jobs.lake.bronze import read_bronze_files
from emr_jobs.lake.commits import Commit, Position
from emr_jobs.lake.conversion_failures import read_conversion_failures
from emr_jobs.lake.delivered import existing, list_delivered, qualified_path
from emr_jobs.lake.errors import AuditError, require_equal
from emr_jobs.lake.event_tables import EventTables
from emr_jobs.lake.findings import ERASED, JudgedCopies, SparkFindings, count_by_day, total_by_day
from emr_jobs.lake.frames import persisted
from emr_jobs.lake.history import at_snapshot, days_rule, within_days
from emr_jobs.lake.ledger import PROPERTY, Ledger
from emr_jobs.lake.quarantine import Quarantine
from emr_jobs.lake.tables import Snapshot, load_table, snapshot_of
from emr_jobs.transforms.erased import is_erased, is_erased_entry
from emr_jobs.transforms.identity import (
    CONFLICT,
    EVENT,
    EVENT_FIELDS,
    IDENTITY,
    POSITION,
    arrival_day,
    content,
    identity_hash,
)
from emr_jobs.transforms.numbers import utc_day
from emr_jobs.transforms.validity import with_reject_reason

_NEW, _OF_SILVER, _OF_QUARANTINE = (True, False, False), (False, True, False), (False, False, True)


@dataclass(frozen=True)
class Delivery:
    """Where Firehose delivers: events, and the records it could not convert (empty: none are read)."""

    events: str
    failures: str = ""


class SilverLake:
    """The ``tables``, which must be there, and what is delivered; ``now`` marks the run's rows."""

    def __init__(self, spark: SparkSession, delivery: Delivery, tables: EventTables, now: datetime) -> None:
        self.spark = spark
        self.delivery = delivery
        self.name = tables.silver
        self.quarantine = Quarantine(spark, tables.quarantine)
        self.now = now
        self._failures_root = qualified_path(spark, delivery.failures) if delivery.failures else ""
        self._silver_base: Snapshot | None = None
        self._erased_sensors: Mapping[int, int] = {}

    def look(self) -> Ledger:
        """Look at both tables; the ledger and silver's snapshot are of one state."""
        table = load_table(self.spark, self.name)
        table.refresh()
        self._silver_base = snapshot_of(table)
        ledger = Ledger.from_json(table.properties().get(PROPERTY))
        self.quarantine.look(ledger)
        self._erased_sensors = ledger.erased_sensors
        return ledger

    def properties(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The properties of silver and of quarantine."""
        return load_table(self.spark, self.name).properties(), self.quarantine.properties()

    def list_delivered(self, ledger: Ledger) -> list[str]:
        """URIs of events' and failures' files in hours that are open, and of those owed that are there."""
        roots = filter(None, (self.delivery.events, self.delivery.failures))
        listed = [file for root in roots for file in list_delivered(self.spark, root, ledger.closed)]
        return [*listed, *existing(self.spark, ledger.owed.difference(listed))]

    @contextmanager
    def judge(self, files: Sequence[str]) -> Iterator[SparkFindings]:
        """Read files; the identities that came more than once are judged, all others pass by."""
        failures = [file for file in files if self._is_failure(file)]
        bronze = [file for file in files if not self._is_failure(file)]
        with ExitStack() as cached:
            findings = self._judge_bronze(bronze, cached) if bronze else SparkFindings(None, None, {}, {})
            if failures:
                findings = self._with_failures(findings, failures, cached)
            yield findings

    def _is_failure(self, file: str) -> bool:
        return bool(self.delivery.failures) and file.startswith(f"{self._failures_root}/")

    def _judge_bronze(self, files: Sequence[str], cached: ExitStack) -> SparkFindings:
        return self._judge_events(read_bronze_files(self.spark, self.delivery.events, files), cached)

    def _judge_events(self, read: DataFrame, cached: ExitStack) -> SparkFindings:
        """Judge events with the columns of ``read_bronze_files``."""
        is_valid = F.col("reject_reason").isNull()
        reason = F.when(is_erased(self._erased_sensors), ERASED).otherwise(F.col("reject_reason"))
        judged_alone = with_reject_reason(read).withColumn("reject_reason", reason)
        new = judged_alone.withColumn("identity", identity_hash())
        event_day = F.when(is_valid, utc_day(F.col("timestamp"))).alias("event_day")
        keys = new.select("identity", "reject_reason", arrival_day().alias("arrival_day"), event_day)
        with persisted(keys) as keys:
            rows = _count_rows(keys)
            days = tuple(sorted({row.event_day for row in rows if row.event_day is not None}))
            known = self._silver_rows(days)
            repeated = cached.enter_context(persisted(_repeated(keys.where(is_valid), known)))
            is_any_repeated = repeated.count() > 0  # computes all of it: the keys are not kept any longer
        plain, set_aside, judged = new.where(is_valid), new.where(~is_valid), None
        if is_any_repeated:
            plain = plain.join(repeated, "identity", "left_anti")
            set_aside = cached.enter_context(persisted(_set_aside(new, repeated)))
            judged = JudgedCopies.of(self._copies(set_aside.where(is_valid), known, repeated), cached)
        entries = set_aside.where(F.col("reject_reason") != ERASED).select(
            *POSITION, "arrival_hour", F.col("reject_reason").alias("reason"), content().alias("raw")
        )
        if judged is not None:
            conflicts = judged.copies.where((F.col("judgement") == CONFLICT) & ~F.col("in_quarantine"))
            entries = entries.unionByName(
                conflicts.select(*POSITION, "arrival_hour", F.lit(UUID_CONFLICT).alias("reason"), "raw")
            )
        return SparkFindings(
            plain=plain,
            entries=entries,
            valid=total_by_day((row.arrival_day, row.rows) for row in rows if row.reject_reason is None),
            rejected=total_by_day(
                (row.reject_reason, row.rows) for row in rows if row.reject_reason not in (None, ERASED)
            ),
            erased=total_by_day((row.arrival_day, row.rows) for row in rows if row.reject_reason == ERASED),
            days=days,
            judged=judged,
        )

    def _with_failures(
        self, findings: SparkFindings, files: Sequence[str], cached: ExitStack
    ) -> SparkFindings:
        read = cached.enter_context(persisted(read_conversion_failures(self.spark, files)))
        is_gone = is_erased_entry(self._erased_sensors)
        failures = read.where(~is_gone)
        counts = {row.reason: row["count"] for row in failures.groupBy("reason").count().collect()}
        entries = failures if findings.entries is None else findings.entries.unionByName(failures)
        erased = Counter(findings.erased) + count_by_day(read.where(is_gone))
        return SparkFindings(**{**vars(findings), "entries": entries, "failed": counts, "erased": erased})

    def _silver_rows(self, days: Iterable[date]) -> DataFrame | None:
        """What silver holds of some days of events; None if nothing was ever written."""
        days = list(days)
        if self._silver_base is None or not days:
            return None
        return self.rows.where(within_days(days)).withColumn("identity", identity_hash())

    def _copies(self, came: DataFrame, known: DataFrame | None, repeated: DataFrame) -> DataFrame:
        """All copies of the repeated identities that anything depends on, in the form of ``to_judged``.

        ``came`` are those in the new files.
        """
        copies = _as_copies(came, _NEW)
        if known is not None:
            copies = copies.unionByName(_as_copies(known.join(repeated, "identity", "left_semi"), _OF_SILVER))
        if not self.quarantine.is_empty:
            conflicts = self.quarantine.conflicts.withColumn("identity", identity_hash())
            copies = copies.unionByName(
                _as_copies(conflicts.join(repeated, "identity", "left_semi"), _OF_QUARANTINE)
            )
        return copies

    def add_to_quarantine(self, findings: SparkFindings, files: Collection[str] = ()) -> Collection[Position]:
        """Publish the entries that quarantine lacks; returns the open ones of ``files`` that are no more."""
        if findings.entries is None or not (findings.quarantined or files):
            return ()
        # Where there are none, the files are not to be read once more to find that out.
        entries = findings.entries if findings.quarantined else findings.entries.limit(0)
        return self.quarantine.add(entries, self.now, files)

    def settle(self, ledger: Ledger) -> Ledger:
        """Do in quarantine what silver's last commit has announced; returns the ledger of then."""
        if ledger.is_settled:
            return ledger
        self.quarantine.settle(ledger, self.now)
        self.publish_ledger(ledger.settled())
        return self.look()

    def publish(self, findings: SparkFindings, commit: Commit, ledger: Ledger) -> None:
        """Publish the rows, what the ``commit`` says of itself, and the ledger as one, after the audit.

        Raises:
            AuditError: the counts do not add up, or an identity is there twice.
        """

        def write(branch: str) -> None:
            if findings.displaced:
                self._replace_displaced(findings, branch)
                publishing.commit_point(f"{self.name}: append to the branch")
            self.append(self._new_rows(findings), branch, commit)

        self.publish_rows(write, lambda branch: self._audit(branch, findings), ledger)

    def append(self, rows: DataFrame, branch: str, commit: Commit) -> None:
        """Append rows of silver, or none, in a snapshot that says what the commit does."""
        writer = rows.writeTo(branch)
        for key, value in commit.as_properties().items():
            writer = writer.option(f"snapshot-property.{key}", value)
        writer.append()

    def publish_rows(
        self, write: Callable[[str], None], audit: Callable[[DataFrame], None], ledger: Ledger
    ) -> None:
        """Publish what ``write`` writes to a branch, and the ledger, as one."""
        self._silver_base = publishing.publish(
            self.spark,
            self.name,
            write,
            base=self._silver_base,
            audit=audit,
            properties={PROPERTY: ledger.to_json()},
        )

    @property
    def rows(self) -> DataFrame:
        """All events, as of the last look."""
        if self._silver_base is None:
            return self.spark.createDataFrame([], SILVER.schema_ddl)
        return at_snapshot(self.spark, self.name, self._silver_base.id)

    def _new_rows(self, findings: SparkFindings) -> DataFrame:
        """The rows of identities that silver does not have."""
        if findings.plain is None:
            return self.spark.createDataFrame([], SILVER.schema_ddl)
        rows = self.to_silver(findings.plain)
        if findings.judged is None:
            return rows
        winners = findings.judged.copies.where((F.col("judgement") == EVENT) & ~F.col("is_known"))
        return rows.unionByName(self.to_silver(_with_fields(winners)))

    def _replace_displaced(self, findings: SparkFindings, branch: str) -> None:
        """Put copies at smaller positions into the places of the rows that they displace."""
        if findings.judged is None:
            return
        judged = findings.judged.copies
        better = judged.where((F.col("judgement") == EVENT) & ~F.col("in_silver") & F.col("is_known"))
        self.to_silver(_with_fields(better)).createOrReplaceTempView("better_copies")
        same = " AND ".join(f"t.`{column}` = s.`{column}`" for column in (*IDENTITY, "event_time"))
        days = days_rule(findings.days, "t.event_time")
        self.spark.sql(
            f"MERGE INTO {branch} t USING better_copies s ON {same} AND ({days}) "
            "WHEN MATCHED THEN UPDATE SET *"
        )

    def to_silver(self, events: DataFrame) -> DataFrame:
        """Events with arrival_hour and position as rows of silver that this run has taken in."""
        return events.withColumns(
            {"event_time": F.timestamp_seconds("timestamp"), "ingested_at": F.lit(self.now)}
        ).select(*SILVER.column_names)

    def _audit(self, branch: DataFrame, findings: SparkFindings) -> None:
        before = self._silver_base.rows if self._silver_base else 0
        require_equal(f"rows of {self.name}", before + findings.events, branch.count())
        if not findings.days:
            return
        rows = branch.where(within_days(findings.days))
        written = count_by_day(rows.where(F.col("ingested_at") == F.lit(self.now)))
        require_equal(f"rows written to {self.name} by arrival day", dict(findings.inserted), dict(written))
        suspects = rows.groupBy(identity_hash().alias("identity")).count().where("count > 1")
        twice = (
            rows.withColumn("identity", identity_hash())
            .join(suspects, "identity", "left_semi")
            .groupBy(*IDENTITY)
            .count()
            .where("count > 1")
        )
        if not suspects.isEmpty() and (example := twice.first()):
            raise AuditError(
                f"{self.name} would hold the event {tuple(example)[:2]} {example['count']} times: "
                "nothing was published"
            )

    def conflicts_at(self, snapshot: int) -> frozenset[Position]:
        """The open conflicts whose rows are the events of an earlier snapshot."""
        events = at_snapshot(self.spark, self.name, snapshot).select(*POSITION)
        conflicts = self.quarantine.conflicts.select(*POSITION)
        found = events.join(F.broadcast(conflicts), list(POSITION), "left_semi").collect()
        return frozenset((row.source_file, row.source_row) for row in found)

    def publish_ledger(self, ledger: Ledger) -> None:
        """Publish the ledger alone; silver's rows stay as they are."""
        self.publish_rows(lambda branch: None, publishing.no_audit, ledger)


def _count_rows(keys: DataFrame) -> Sequence[Row]:
    """Rows by arrival_day (text), event_day and reject_reason."""
    counts = keys.groupBy("arrival_day", "event_day", "reject_reason").agg(F.count("*").alias("rows"))
    return counts.withColumn("arrival_day", F.col("arrival_day").cast("string")).collect()


def _repeated(keys: DataFrame, known: DataFrame | None) -> DataFrame:
    """Hashes of identities that came now, and more than once or before. Column: identity."""
    came = keys.select("identity", F.lit(True).alias("is_new"))
    if known is not None:
        came = came.unionByName(known.select("identity", F.lit(False).alias("is_new")))
    counts = came.groupBy("identity").agg(F.count("*").alias("rows"), F.max("is_new").alias("is_new"))
    return counts.where((F.col("rows") > 1) & F.col("is_new")).select("identity")


def _set_aside(new: DataFrame, repeated: DataFrame) -> DataFrame:
    """The few new rows that are refused or of a repeated identity, in one reading of the files."""
    marked = new.join(repeated.withColumn("is_repeated", F.lit(True)), "identity", "left")
    return marked.where((F.col("reject_reason") != ERASED) | F.col("is_repeated"))


def _as_copies(events: DataFrame, homes: tuple[bool, bool, bool]) -> DataFrame:
    in_new, in_silver, in_quarantine = homes
    return events.select(
        *IDENTITY,
        *POSITION,
        "arrival_hour",
        content().alias("raw"),
        F.struct(*EVENT_FIELDS).alias("event"),
        F.lit(in_new).alias("in_new"),
        F.lit(in_silver).alias("in_silver"),
        F.lit(in_quarantine).alias("in_quarantine"),
    )


def _with_fields(copies: DataFrame) -> DataFrame:
    """Judged copies as events."""
    return copies.select("event.*", "arrival_hour", *POSITION)
