"""The table of events and its quarantine, which belong together."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import SparkSession

from config.tables import QUARANTINE, SILVER
from emr_jobs.lake.errors import LakeError
from emr_jobs.lake.tables import ensure_table, qualified_name


@dataclass(frozen=True)
class EventTables:
    """Names of the two tables in Spark SQL."""

    silver: str
    quarantine: str

    @classmethod
    def of(cls, database: str, table: str) -> EventTables:
        """The names, given that of the table of events."""
        return cls(qualified_name(database, table), qualified_name(database, quarantine_table(table)))

    @classmethod
    def ensure(cls, spark: SparkSession, database: str, table: str) -> EventTables:
        """The tables, made where they are absent.

        Raises:
            SchemaMismatchError: one exists with other columns or types.
        """
        tables = cls.of(database, table)
        ensure_table(spark, tables.silver, SILVER)
        ensure_table(spark, tables.quarantine, QUARANTINE)
        return tables

    @classmethod
    def existing(cls, spark: SparkSession, database: str, table: str) -> EventTables:
        """The tables, which an ingest has made.

        Raises:
            LakeError: they are not there.
        """
        tables = cls.of(database, table)
        for name in (tables.silver, tables.quarantine):
            if not spark.catalog.tableExists(name):
                raise LakeError(f"There is no table {name}: ingest_events has to run first")
        return tables


def quarantine_table(table: str) -> str:
    """Name of the quarantine beside ``table``.

    >>> quarantine_table("clickstream_events"), quarantine_table("trial")
    ('clickstream_quarantine', 'trial_quarantine')
    """
    return f"{table.removesuffix('_events')}_quarantine"
