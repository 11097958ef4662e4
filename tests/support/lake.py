"""A small lake for tests: bronze files in a folder, Iceberg tables in a database of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from config import names
from tests.support.events import VALID_EVENT

EVENT_SCHEMA = pa.schema(
    [
        ("sensor_id", pa.int64()),
        ("temperature", pa.float64()),
        ("humidity", pa.float64()),
        ("location", pa.struct([("latitude", pa.float64()), ("longitude", pa.float64())])),
        ("status", pa.string()),
        ("event_type", pa.string()),
        ("timestamp", pa.int64()),
        ("uuid", pa.string()),
    ]
)
"""Bronze as Firehose writes it, spelled out: a test of config's specification compares the two."""

NOON = 1_780_315_200
"""2026-06-01T12:00:00Z"""


def event(**changes: Any) -> dict[str, Any]:
    """A valid event of 2026-06-01 12:00 UTC with ``changes``."""
    return {
        **VALID_EVENT,
        "timestamp": NOON,
        "uuid": "00000000-0000-4000-8000-000000000001",
        **changes,
    }


def write_events(file: Path, events: Iterable[Mapping[str, Any]], schema: pa.Schema = EVENT_SCHEMA) -> Path:
    """Write one Parquet file of events, rows in the order given; fields that an event lacks are null."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([dict(each) for each in events], schema=schema), file)
    return file


@dataclass(frozen=True)
class Lake:
    """Bronze below a folder, tables in ``database``; ``spark`` has the catalog, by ``settings`` if by any."""

    spark: SparkSession
    bronze: Path
    database: str
    warehouse: Path | str
    settings: Mapping[str, str] = field(default_factory=dict)

    def another_session(self) -> SparkSession:
        """A session that shares no cache of tables with others, for the thread that asks for it."""
        session = self.spark.newSession()
        for key, value in self.settings.items():
            session.conf.set(key, value)
        session._jvm.org.apache.spark.sql.SparkSession.setActiveSession(session._jsparkSession)
        return session

    def name(self, table: str) -> str:
        """The table's name in Spark SQL."""
        return f"{names.SPARK_CATALOG}.{self.database}.{table}"

    def arguments(self, table: str, source: str | None = None) -> list[str]:
        """The four arguments of a job."""
        return [source or str(self.bronze), self.database, table, str(self.warehouse)]

    def deliver(self, file: str, *events: Mapping[str, Any]) -> Path:
        """Write bronze file ``file``, e.g. ``dt=2026-06-01/hour=12/part-0.parquet``."""
        return write_events(self.bronze / file, events)

    def rows(self, table: str, order: Sequence[str] = ()) -> list[dict[str, Any]]:
        """All rows of a table, ordered by ``order`` or by all columns."""
        found = self.spark.table(self.name(table))
        return [row.asDict() for row in found.orderBy(*(order or found.columns)).collect()]

    def snapshots(self, table: str) -> list[int]:
        """Ids of the table's snapshots, oldest first."""
        history = self.spark.table(f"{self.name(table)}.snapshots").orderBy("committed_at")
        return [row.snapshot_id for row in history.collect()]

    def metadata(self, table: str) -> dict[str, Any]:
        """The table's newest metadata file; of a catalog that is a folder."""
        folder = Path(self.warehouse) / self.database / table / "metadata"
        version = (folder / "version-hint.text").read_text()
        metadata: dict[str, Any] = json.loads((folder / f"v{version}.metadata.json").read_text())
        return metadata
