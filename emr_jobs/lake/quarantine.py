"""The quarantine on Iceberg: entries are added and change their state; only erasure deletes one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from config.events import UUID_CONFLICT, EntryState
from config.tables import BRONZE, QUARANTINE
from emr_jobs.lake import publish as publishing
from emr_jobs.lake.errors import require_equal
from emr_jobs.lake.frames import persisted
from emr_jobs.lake.history import at_snapshot
from emr_jobs.lake.ledger import Ledger
from emr_jobs.lake.tables import Snapshot, current_snapshot, load_table
from emr_jobs.transforms.erased import is_erased_entry
from emr_jobs.transforms.identity import POSITION

_STATES = "source_file string, source_row bigint, state string, replayed_at timestamp"
_SAME = "t.source_file = s.source_file AND t.source_row = s.source_row"


class Quarantine:
    """The table ``name``, which must be there, as of the last :meth:`look` or the last own change."""

    def __init__(self, spark: SparkSession, name: str) -> None:
        self._spark = spark
        self._name = name
        self._base: Snapshot | None = None

    def look(self) -> None:
        """Look at the table anew."""
        self._base = current_snapshot(self._spark, self._name)

    def properties(self) -> Mapping[str, str]:
        """The table's properties."""
        properties: Mapping[str, str] = load_table(self._spark, self._name).properties()
        return properties

    @property
    def rows(self) -> DataFrame:
        """All entries."""
        if self._base is None:
            return self._spark.createDataFrame([], QUARANTINE.schema_ddl)
        return at_snapshot(self._spark, self._name, self._base.id)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever written."""
        return self._base is None

    @property
    def conflicts(self) -> DataFrame:
        """The events in open uuid_conflict entries: their fields, position and arrival_hour."""
        entries = self.rows.where((F.col("reason") == UUID_CONFLICT) & (F.col("state") == EntryState.OPEN))
        event = F.from_json("raw", BRONZE.schema_ddl).alias("event")
        return entries.select(*POSITION, "arrival_hour", event).select("event.*", *POSITION, "arrival_hour")

    def add(self, entries: DataFrame, now: datetime) -> None:
        """Publish the entries that are not there and open: those of a run that was killed are.

        ``entries`` has the position, reason, raw and arrival_hour.
        """
        with ExitStack() as cached:
            missing = entries = cached.enter_context(persisted(entries))
            known, again = self._near(entries), 0
            if not known.isEmpty():
                same = known.where(F.col("state") == EntryState.OPEN).select(*POSITION, "reason")
                missing = entries.join(same, [*POSITION, "reason"], "left_anti")
                missing = cached.enter_context(persisted(missing))
                again = missing.join(known.select(*POSITION), list(POSITION), "left_semi").count()
            count = missing.count()
            if not count:
                return
            rows = missing.select(
                *POSITION,
                "reason",
                "raw",
                "arrival_hour",
                F.lit(EntryState.OPEN).alias("state"),
                F.lit(None).cast("string").alias("correction"),
                F.lit(None).cast("timestamp").alias("replayed_at"),
                F.lit(now).alias("ingested_at"),
            ).select(*QUARANTINE.column_names)
            expected = (self._base.rows if self._base else 0) + count - again
            self._base = publishing.publish(
                self._spark,
                self._name,
                lambda branch: self._put(branch, rows) if again else rows.writeTo(branch).append(),
                base=self._base,
                audit=lambda branch: require_equal(f"rows of {self._name}", expected, branch.count()),
            )

    def _near(self, entries: DataFrame) -> DataFrame:
        """The known entries of the files, and what lies between them: by their names Iceberg skips files."""
        files = entries.agg(F.min("source_file").alias("first"), F.max("source_file").alias("last"))
        bounds = files.first()
        return self.rows.where(F.col("source_file").between(bounds.first, bounds.last))

    def _put(self, branch: str, rows: DataFrame) -> None:
        """Add rows, in the place of what was known of the same position; its correction stays."""
        rows.createOrReplaceTempView("entries_to_put")
        self._spark.sql(
            f"MERGE INTO {branch} t USING entries_to_put s ON {_SAME} WHEN MATCHED THEN UPDATE SET "
            "reason = s.reason, raw = s.raw, state = s.state, replayed_at = NULL "
            "WHEN NOT MATCHED THEN INSERT *"
        )

    def settle(self, ledger: Ledger, now: datetime) -> None:
        """Publish, in one commit, the changes that the ledger announces."""
        wanted = [
            (file, row, state, now if state == EntryState.REPLAYED else None)
            for file, row, state in ledger.announced
        ]
        files = [(file,) for file in ledger.returned]

        def write(branch: str) -> None:
            if wanted:
                states = self._spark.createDataFrame(wanted, _STATES)
                states.createOrReplaceTempView("wanted_states")
                self._spark.sql(
                    f"MERGE INTO {branch} t USING wanted_states s ON {_SAME} AND t.state <> s.state "
                    "WHEN MATCHED THEN UPDATE SET state = s.state, replayed_at = s.replayed_at"
                )
            if files:
                returned = self._spark.createDataFrame(sorted(files), "source_file string")
                returned.createOrReplaceTempView("returned_files")
                self._spark.sql(
                    f"MERGE INTO {branch} t USING returned_files s "
                    f"ON t.source_file = s.source_file AND t.state = '{EntryState.OPEN}' "
                    f"WHEN MATCHED THEN UPDATE SET state = '{EntryState.SUPERSEDED}'"
                )
            if ledger.erasing:
                entries = self._spark.table(branch)
                kept = entries.where(~is_erased_entry(ledger.erasing_until))
                if kept.count() < entries.count():
                    kept.writeTo(branch).overwrite(F.lit(True))

        self._base = publishing.publish(self._spark, self._name, write, base=self._base)

    def note_corrections(self, rows: DataFrame) -> None:
        """Write corrections beside the entries that they correct; ``rows`` has position and ``corrected``."""
        corrected = rows.where(F.col("corrected").isNotNull())
        if corrected.isEmpty():
            return
        corrected.createOrReplaceTempView("corrected_entries")
        self._base = publishing.publish(
            self._spark,
            self._name,
            lambda branch: self._spark.sql(
                f"MERGE INTO {branch} t USING corrected_entries s ON {_SAME} "
                "WHEN MATCHED THEN UPDATE SET correction = s.corrected"
            ),
            base=self._base,
        )
