"""A table of events as ingest leaves it, changed by hand in every way that a lake knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from config.tables import EVENT_COLUMNS, Column, TableSpec
from tests.support.lake import EVENT_SCHEMA, Lake, event

ARRIVAL = datetime(2026, 6, 30, 12, tzinfo=UTC)
"""Later than all events of the tests, so that none is from the future."""

_COLUMNS = """sensor_id BIGINT, temperature DOUBLE, humidity DOUBLE,
    location STRUCT<latitude: DOUBLE, longitude: DOUBLE>, status STRING, event_type STRING,
    timestamp BIGINT, uuid STRING, event_time TIMESTAMP, arrival_hour TIMESTAMP,
    source_file STRING, source_row BIGINT, ingested_at TIMESTAMP"""

_SCHEMA = pa.schema(
    [
        *EVENT_SCHEMA,
        ("event_time", pa.timestamp("us", "UTC")),
        ("arrival_hour", pa.timestamp("us", "UTC")),
        ("source_file", pa.string()),
        ("source_row", pa.int64()),
        ("ingested_at", pa.timestamp("us", "UTC")),
    ]
)


SPEC = TableSpec(
    name="clickstream_events",
    doc="Events as ingest leaves them.",
    columns=(
        *EVENT_COLUMNS,
        *(Column(name, "timestamp", "") for name in ("event_time", "arrival_hour")),
        Column("source_file", "string", ""),
        Column("source_row", "bigint", ""),
        Column("ingested_at", "timestamp", ""),
    ),
    key=("uuid", "timestamp"),
)
"""As far as writers need it."""


@dataclass(frozen=True)
class Silver:
    """The table ``clickstream_events`` of a lake. Its methods return the id of the new snapshot."""

    lake: Lake
    table: str = "clickstream_events"

    @classmethod
    def create(cls, lake: Lake) -> Silver:
        """An empty table."""
        silver = cls(lake)
        silver.sql(f"CREATE NAMESPACE IF NOT EXISTS {silver.name.rpartition('.')[0]}")
        silver.sql(
            f"CREATE TABLE {{name}} ({_COLUMNS}) USING iceberg PARTITIONED BY (days(event_time)) "
            "TBLPROPERTIES ('write.summary.partition-limit'='100000', 'write.merge.mode'='copy-on-write', "
            "'write.delete.mode'='copy-on-write', 'write.distribution-mode'='none')"
        )
        return silver

    @property
    def name(self) -> str:
        """Its name in Spark SQL."""
        return self.lake.name(self.table)

    @staticmethod
    def event(uuid: str, timestamp: int, **changes: Any) -> dict[str, Any]:
        """A row of the table."""
        return {
            **event(uuid=uuid, timestamp=timestamp, **changes),
            "event_time": datetime.fromtimestamp(timestamp, UTC),
            "arrival_hour": ARRIVAL,
            "source_file": f"s3://bronze/{uuid}.parquet",
            "source_row": 0,
            "ingested_at": ARRIVAL,
        }

    def sql(self, statement: str) -> None:
        """Run a statement; ``{name}`` stands for the table."""
        self.lake.spark.sql(statement.format(name=self.name)).collect()

    def current(self) -> int:
        """Id of the current snapshot."""
        history = self.lake.spark.sql(f"SELECT * FROM {self.name}.refs WHERE name = 'main'").collect()
        return history[0].snapshot_id

    def append(self, *rows: dict[str, Any]) -> int:
        """Add rows."""
        self._view(rows)
        columns = ", ".join(f"`{column}`" for column in self.lake.spark.table(self.name).columns)
        self.sql(f"INSERT INTO {{name}} SELECT {columns} FROM changes ORDER BY event_time")
        return self.current()

    def merge(self, *rows: dict[str, Any]) -> int:
        """Update the rows with the same identity, insert the others."""
        self._view(rows)
        self.sql(
            "MERGE INTO {name} known USING changes "
            "ON known.uuid = changes.uuid AND known.timestamp = changes.timestamp "
            "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
        )
        return self.current()

    def delete(self, *uuids: str) -> int:
        """Delete rows."""
        listed = ", ".join(f"'{uuid}'" for uuid in uuids)
        self.sql(f"DELETE FROM {{name}} WHERE uuid IN ({listed})")
        return self.current()

    def compact(self) -> int:
        """Rewrite all files."""
        self._call("rewrite_data_files", "options => map('rewrite-all', 'true')")
        return self.current()

    def rollback(self, snapshot: int) -> None:
        """Make an earlier snapshot the current one."""
        self._call("rollback_to_snapshot", f"snapshot_id => {snapshot}")

    def roll_to(self, snapshot: int) -> None:
        """Make any snapshot the current one, an ancestor or not."""
        self._call("set_current_snapshot", f"snapshot_id => {snapshot}")

    def expire_all(self) -> None:
        """Expire all snapshots but the current one."""
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.999")
        self._call("expire_snapshots", f"older_than => TIMESTAMP '{now}', retain_last => 1")

    def _call(self, procedure: str, arguments: str) -> None:
        table = self.name.partition(".")[2]
        self.lake.spark.sql(f"CALL glue.system.{procedure}(table => '{table}', {arguments})").collect()

    def _view(self, rows: tuple[dict[str, Any], ...]) -> None:
        file = self.lake.bronze.parent / "changes.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(list(rows), schema=_SCHEMA), file)
        self.lake.spark.catalog.clearCache()
        self.lake.spark.read.parquet(str(file)).createOrReplaceTempView("changes")
