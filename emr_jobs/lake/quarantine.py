"""The quarantine on Iceberg: entries are added and change their state; only erasure deletes one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from datetime import date, datetime

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from config.events import UUID_CONFLICT, EntryState
from config.tables import BRONZE, QUARANTINE
from emr_jobs.lake import publish as publishing
from emr_jobs.lake.commits import Position
from emr_jobs.lake.delivered import is_taken_in
from emr_jobs.lake.errors import require_equal
from emr_jobs.lake.frames import persisted
from emr_jobs.lake.history import at_snapshot, days_rule
from emr_jobs.lake.ledger import Ledger, hour_of
from emr_jobs.lake.tables import Snapshot, current_snapshot, load_table
from emr_jobs.transforms.erased import SAID_BY_ENTRIES, is_erased_entry
from emr_jobs.transforms.identity import POSITION, arrival_day

_STATES = "source_file string, source_row bigint, state string, replayed_at timestamp"


class Quarantine:
    """The table ``name``, which must be there, as of the last :meth:`look` or the last own change.

    Entries of files that are not in were left by an ingest that did not finish, or by a rollback: they count
    for nobody. The ingest that takes their files in says anew which entries these have.
    """

    def __init__(self, spark: SparkSession, name: str) -> None:
        self._spark = spark
        self._name = name
        self._base: Snapshot | None = None
        self._ledger = Ledger()

    def look(self, ledger: Ledger) -> None:
        """Look at the table anew; ``ledger`` says which files are in."""
        self._ledger = ledger
        self._base = current_snapshot(self._spark, self._name)

    def properties(self) -> Mapping[str, str]:
        """The table's properties."""
        properties: Mapping[str, str] = load_table(self._spark, self._name).properties()
        return properties

    @property
    def rows(self) -> DataFrame:
        """The entries of files that are in."""
        return self._rows.where(is_taken_in(self._ledger))

    @property
    def awaiting(self) -> DataFrame:
        """The entries of other files."""
        return self._rows.where(~is_taken_in(self._ledger))

    @property
    def _rows(self) -> DataFrame:
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

    def add(self, entries: DataFrame, now: datetime, files: Collection[str] = ()) -> frozenset[Position]:
        """Publish the entries that are not there and open: those of a run that was killed are.

        ``entries`` has the position, reason, raw and arrival_hour. Returns the positions of the other open
        entries of ``files``.
        """
        with ExitStack() as cached:
            opened = entries.withColumns(
                {
                    "state": F.lit(EntryState.OPEN),
                    "correction": F.lit(None).cast("string"),
                    "replayed_at": F.lit(None).cast("timestamp"),
                    "ingested_at": F.lit(now),
                }
            )
            missing = entries = cached.enter_context(persisted(opened.select(*QUARANTINE.column_names)))
            again, others = 0, frozenset[Position]()
            days = _arrival_days(entries) | _days_of(files)
            known = self._rows.where(days_rule(days, "arrival_hour"))
            if not known.isEmpty():
                is_open = known.where(F.col("state") == EntryState.OPEN)
                same = is_open.select(*POSITION, "reason")
                missing = entries.join(same, [*POSITION, "reason"], "left_anti")
                missing = cached.enter_context(persisted(missing))
                again = missing.join(known.select(*POSITION), list(POSITION), "left_semi").count()
                of_files = is_open.join(F.broadcast(self._as_rows(files)), "source_file", "left_semi")
                rows = of_files.join(entries, list(POSITION), "left_anti").select(*POSITION).collect()
                others = frozenset((row.source_file, row.source_row) for row in rows)
            count = missing.count()
            if count:
                expected = (self._base.rows if self._base else 0) + count - again
                self._base = publishing.publish(
                    self._spark,
                    self._name,
                    lambda branch: (
                        self._put(branch, missing, days) if again else missing.writeTo(branch).append()
                    ),
                    base=self._base,
                    audit=lambda branch: require_equal(f"rows of {self._name}", expected, branch.count()),
                )
            return others

    def _put(self, branch: str, rows: DataFrame, days: Collection[date]) -> None:
        """Add rows, in the place of what was known of the same position; its correction stays."""
        rows.createOrReplaceTempView("entries_to_put")
        self._spark.sql(
            f"MERGE INTO {branch} t USING entries_to_put s ON {_same(days)} WHEN MATCHED THEN UPDATE SET "
            "reason = s.reason, raw = s.raw, state = s.state, replayed_at = NULL "
            "WHEN NOT MATCHED THEN INSERT *"
        )

    def _as_rows(self, files: Collection[str]) -> DataFrame:
        return self._spark.createDataFrame([(file,) for file in sorted(files)], "source_file string")

    def settle(self, ledger: Ledger, now: datetime) -> None:
        """Publish, in one commit, the changes that the ledger announces."""
        wanted = [
            (file, row, state, now if state == EntryState.REPLAYED else None)
            for file, row, state in ledger.announced
        ]

        def write(branch: str) -> None:
            if wanted:
                days = _days_of(file for file, *_ in wanted)
                states = self._spark.createDataFrame(wanted, _STATES)
                states.createOrReplaceTempView("wanted_states")
                self._spark.sql(
                    f"MERGE INTO {branch} t USING wanted_states s ON {_same(days)} AND t.state <> s.state "
                    "WHEN MATCHED THEN UPDATE SET state = s.state, replayed_at = s.replayed_at"
                )
            if ledger.returned:
                self._as_rows(ledger.returned).createOrReplaceTempView("returned_files")
                self._spark.sql(
                    f"MERGE INTO {branch} t USING returned_files s "
                    f"ON t.source_file = s.source_file AND t.state = '{EntryState.OPEN}' "
                    f"AND ({days_rule(_days_of(ledger.returned), 't.arrival_hour')}) "
                    f"WHEN MATCHED THEN UPDATE SET state = '{EntryState.SUPERSEDED}'"
                )
            if ledger.erasing:
                self._erase(branch, ledger.erasing_until)

        self._base = publishing.publish(self._spark, self._name, write, base=self._base)

    def _erase(self, branch: str, erased_sensors: Mapping[int, int]) -> None:
        """Delete the entries that say anything of the sensors.

        Of those that were corrected the position stays: else a backfill would take what was delivered there
        for lost. A correction stays if it is an event of another sensor.
        """
        entries = self._spark.table(branch)
        is_gone = is_erased_entry(erased_sensors, SAID_BY_ENTRIES)
        if entries.where(is_gone).isEmpty():
            return
        is_open = F.col("state") == EntryState.OPEN
        is_said = is_open | is_erased_entry(erased_sensors, ("correction",))
        emptied = {
            "raw": F.when(is_gone, "{}").otherwise(F.col("raw")),
            "correction": F.when(is_gone & is_said, "{}").otherwise(F.col("correction")),
            "state": F.when(is_gone & is_open, EntryState.SUPERSEDED).otherwise(F.col("state")),
        }
        kept = entries.where(~is_gone | F.col("correction").isNotNull()).withColumns(emptied)
        kept.writeTo(branch).overwrite(F.lit(True))

    def note_corrections(self, rows: DataFrame) -> None:
        """Write corrections beside the entries that they correct.

        ``rows`` has the position, arrival_hour and ``corrected`` (null: it is replayed as it is).
        """
        corrected = rows.where(F.col("corrected").isNotNull())
        days = _arrival_days(corrected)
        if not days:
            return
        corrected.createOrReplaceTempView("corrected_entries")
        self._base = publishing.publish(
            self._spark,
            self._name,
            lambda branch: self._spark.sql(
                f"MERGE INTO {branch} t USING corrected_entries s ON {_same(days)} "
                "WHEN MATCHED THEN UPDATE SET correction = s.corrected"
            ),
            base=self._base,
        )


def _same(days: Collection[date]) -> str:
    """The condition of a merge that changes what arrived on some days: Iceberg skips files by the days."""
    same = (f"t.{column} = s.{column}" for column in POSITION)
    return f"{' AND '.join(same)} AND ({days_rule(days, 't.arrival_hour')})"


def _arrival_days(entries: DataFrame) -> set[date]:
    return {row.day for row in entries.select(arrival_day().alias("day")).distinct().collect()}


def _days_of(files: Iterable[str]) -> set[date]:
    """The arrival days of delivered files."""
    return {date.fromisoformat(hour[:10]) for hour in map(hour_of, files) if hour}
