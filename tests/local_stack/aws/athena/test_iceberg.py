"""Iceberg tables as Athena reads them: evolved, partitioned, with deletes, in time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from pyiceberg.expressions import EqualTo
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import BucketTransform, DayTransform, IdentityTransform, MonthTransform
from pyiceberg.types import (
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
)

from config import tables
from tests.support.athena import Athena
from tests.support.iceberg_deletes import delete_positions

pytestmark = pytest.mark.aws

SCHEMA = Schema(
    NestedField(1, "id", LongType(), required=True),
    NestedField(2, "day", DateType()),
    NestedField(3, "at", TimestampType()),
    NestedField(4, "instant", TimestamptzType()),
    NestedField(5, "temp", DoubleType()),
    NestedField(
        6, "place", StructType(NestedField(7, "lat", DoubleType()), NestedField(8, "lon", DoubleType()))
    ),
    NestedField(9, "tags", ListType(10, StringType(), element_required=False)),
    NestedField(11, "price", DecimalType(10, 2)),
    NestedField(12, "small", IntegerType()),
    NestedField(13, "props", MapType(14, StringType(), 15, LongType(), value_required=False)),
)


def rows(*ids: int) -> pa.Table:
    """A row for each id, a day and an hour apart."""
    return pa.Table.from_pylist(
        [
            {
                "id": n,
                "day": date(2024, 1, n),
                "at": datetime(2024, 1, n, n),
                "instant": datetime(2024, 1, n, n, tzinfo=UTC),
                "temp": n * 1.5,
                "place": {"lat": float(n), "lon": -1.0},
                "tags": ["a", None],
                "price": None,
                "small": n,
                "props": [("k", n)],
            }
            for n in ids
        ],
        schema=schema_to_pyarrow(SCHEMA, include_field_ids=False),
    )


def create(athena: Athena, name: str, spec: PartitionSpec | None = None, schema: Schema = SCHEMA) -> Table:
    return athena.catalog().create_table(
        (athena.database, name),
        schema,
        location=f"{athena.location}/{name}",
        partition_spec=spec or PartitionSpec(),
    )


@pytest.fixture(scope="module")
def sensors(athena: Athena) -> Table:
    """Five rows in two commits, a partition a day."""
    table = create(athena, "sensors", PartitionSpec(PartitionField(3, 1000, DayTransform(), "at_day")))
    table.append(rows(1, 2, 3))
    table.append(rows(4, 5))
    return table


def test_every_type(athena: Athena, sensors: Table):
    execution = athena.ask("SELECT * FROM sensors WHERE id = 2")
    answer = athena.client.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    info = answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    values = [cell.get("VarCharValue") for cell in answer["ResultSet"]["Rows"][1]["Data"]]
    assert [(column["Name"], column["Type"], value) for column, value in zip(info, values, strict=True)] == [
        ("id", "bigint", "2"),
        ("day", "date", "2024-01-02"),
        ("at", "timestamp", "2024-01-02 02:00:00.000000"),
        ("instant", "timestamp with time zone", "2024-01-02 02:00:00.000000 UTC"),
        ("temp", "double", "3.0"),
        ("place", "row", "{lat=2.0, lon=-1.0}"),
        ("tags", "array", "[a, null]"),
        ("price", "decimal", None),
        ("small", "integer", "2"),
        ("props", "map", "{k=2}"),
    ]


@pytest.mark.parametrize(
    "condition",
    [
        "at >= TIMESTAMP '2024-01-04 00:00:00'",
        "instant > TIMESTAMP '2024-01-03 03:00:00 UTC'",
        "date_trunc('day', instant) > TIMESTAMP '2024-01-03 00:00:00 UTC'",
        "day BETWEEN DATE '2024-01-04' AND DATE '2024-01-05'",
        "CAST(at AS date) > DATE '2024-01-03'",
        "props['k'] > 3",
        "place.lat > 3 AND sensors.place.lon = -1",
    ],
)
def test_filters(athena: Athena, sensors: Table, condition: str):
    assert athena.rows(f"SELECT id FROM sensors WHERE {condition} ORDER BY id") == [("4",), ("5",)]


def test_reads_only_the_files_of_the_wanted_days(athena: Athena, sensors: Table):
    def scanned(sql: str) -> int:
        return int(athena.ask(sql)["Statistics"]["DataScannedInBytes"])

    one_day = scanned("SELECT sum(temp) FROM sensors WHERE at < TIMESTAMP '2024-01-02 00:00:00'")
    all_days = scanned("SELECT sum(temp) FROM sensors")
    assert 0 < one_day * 4 < all_days


def test_the_newest_commit_is_seen(athena: Athena):
    table = create(athena, "growing")
    assert athena.rows("SELECT count(*), max(id) FROM growing") == [("0", None)]
    for n in (1, 2, 3):
        table.append(rows(n))
        assert athena.rows("SELECT count(*), max(id) FROM growing") == [(str(n), str(n))]


def test_copy_on_write_deletes_and_overwrites(athena: Athena):
    table = create(athena, "rewritten")
    table.append(rows(1, 2, 3))
    table.delete(EqualTo("id", 2))
    table.overwrite(rows(5), overwrite_filter=EqualTo("id", 3))
    assert athena.rows("SELECT id FROM rewritten ORDER BY id") == [("1",), ("5",)]


def test_position_deletes(athena: Athena):
    table = create(athena, "merged_on_read")
    table.append(rows(1, 2, 3, 4))
    [task] = table.scan().plan_files()
    delete_positions(table, task.file.file_path, [0, 2])
    table.refresh()
    table.append(rows(5))
    assert athena.rows("SELECT id FROM merged_on_read ORDER BY id") == [("2",), ("4",), ("5",)]
    assert athena.rows("SELECT count(*) FROM merged_on_read WHERE id < 4") == [("1",)]


def test_evolved_schema(athena: Athena):
    table = create(athena, "evolved", PartitionSpec(PartitionField(3, 1000, MonthTransform(), "at_month")))
    table.append(rows(1))
    with table.update_schema() as schema:
        schema.add_column("note", StringType())
        schema.rename_column("temp", "temperature")
        schema.delete_column("tags")
        schema.add_column(("place", "alt"), DoubleType())
        schema.update_column("small", LongType())
        schema.move_first("small")
    with table.update_schema() as schema:
        schema.add_column("tags", LongType())
    table.append(rows(2).select(["id", "day", "at", "small"]))
    columns = "id, small, temperature, place, note, tags"
    assert athena.rows(f"SELECT {columns} FROM evolved ORDER BY id") == [
        ("1", "1", "1.5", "{lat=1.0, lon=-1.0, alt=null}", None, None),
        ("2", "2", None, None, None, None),
    ]
    assert athena.rows("SELECT count(*) FROM evolved WHERE note IS NULL AND tags IS NULL") == [("2",)]
    assert athena.rows("SELECT id FROM evolved WHERE place.alt IS NOT NULL") == []
    assert athena.failure("SELECT temp FROM evolved").startswith("COLUMN_NOT_FOUND: line 1:8: Column 'temp'")


def test_evolved_partitions(athena: Athena):
    table = create(
        athena, "repartitioned", PartitionSpec(PartitionField(3, 1000, MonthTransform(), "at_month"))
    )
    table.append(rows(1, 2))
    with table.update_spec() as spec:
        spec.remove_field("at_month")
        spec.add_field("at", DayTransform(), "at_day")
        spec.add_field("id", BucketTransform(4), "id_bucket")
        spec.add_field("small", IdentityTransform(), "small_value")
    table.append(rows(3, 4))
    assert athena.rows(
        "SELECT id FROM repartitioned WHERE at > TIMESTAMP '2024-01-02 00:00:00' ORDER BY 1"
    ) == [
        ("2",),
        ("3",),
        ("4",),
    ]
    assert athena.rows("SELECT id FROM repartitioned WHERE small IN (1, 4) ORDER BY 1") == [("1",), ("4",)]
    assert athena.rows("SELECT id FROM repartitioned WHERE id = 3") == [("3",)]


def test_time_travel(athena: Athena):
    table = create(athena, "travelled")
    table.append(rows(1))
    first = table.current_snapshot()
    assert first
    with table.update_schema() as schema:
        schema.add_column("note", StringType())
    table.append(rows(2))
    table.manage_snapshots().create_tag(first.snapshot_id, "start").commit()
    then = datetime.fromtimestamp(first.timestamp_ms / 1000, UTC) + timedelta(milliseconds=1)
    moment = then.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    count = "SELECT count(*) FROM travelled FOR"
    assert athena.rows("SELECT count(note), count(*) FROM travelled") == [("0", "2")]
    assert athena.rows(f"{count} VERSION AS OF {first.snapshot_id}") == [("1",)]
    assert athena.rows(f"{count} VERSION AS OF 'start'") == [("1",)]
    assert athena.rows(f"{count} TIMESTAMP AS OF TIMESTAMP '{moment} UTC'") == [("1",)]
    assert athena.rows(f"{count} TIMESTAMP AS OF current_timestamp + INTERVAL '1' HOUR") == [("2",)]
    assert athena.failure(f"SELECT note FROM travelled FOR VERSION AS OF {first.snapshot_id}").startswith(
        "COLUMN_NOT_FOUND"
    )
    assert "No version history table" in athena.failure(f"{count} TIMESTAMP AS OF DATE '2001-01-01'")
    assert "Iceberg snapshot ID does not exists: 1" in athena.failure(f"{count} VERSION AS OF 1")
    assert "Cannot find snapshot with reference name: nowhere" in athena.failure(
        f"{count} VERSION AS OF 'nowhere'"
    )


def test_two_versions_in_one_query(athena: Athena, sensors: Table):
    first = sensors.history()[0].snapshot_id
    sql = f"SELECT new.id FROM sensors new LEFT JOIN sensors FOR VERSION AS OF {first} old ON new.id = old.id"
    assert athena.rows(f"{sql} WHERE old.id IS NULL ORDER BY 1") == [("4",), ("5",)]


def test_metadata_tables(athena: Athena, sensors: Table):
    first, second = (entry.snapshot_id for entry in sensors.history())
    snapshots = (
        "SELECT snapshot_id, parent_id, operation, summary['added-records'] FROM \"sensors$snapshots\""
    )
    assert athena.rows(f"{snapshots} ORDER BY committed_at") == [
        (str(first), None, "append", "3"),
        (str(second), str(first), "append", "2"),
    ]
    assert athena.rows(
        'SELECT snapshot_id, is_current_ancestor FROM "sensors$history" ORDER BY made_current_at'
    ) == [
        (str(first), "true"),
        (str(second), "true"),
    ]
    assert athena.rows('SELECT name, type, snapshot_id FROM "sensors$refs"') == [
        ("main", "BRANCH", str(second))
    ]
    assert athena.rows('SELECT content, sum(record_count), count(*) FROM "sensors$files" GROUP BY 1') == [
        ("0", "5", "5")
    ]
    assert athena.failure('SELECT * FROM "sensors$files"').startswith("NOT_SUPPORTED")
    assert athena.failure('SELECT * FROM "sensors$partitions"').startswith("NOT_SUPPORTED")


def test_every_table_of_the_lake_is_read(athena: Athena):
    """The columns of config.tables, in Iceberg's types, are types that the engine reads."""
    words = {"bigint": LongType(), "double": DoubleType(), "string": StringType(), "date": DateType()}
    for spec in tables.KPI_TABLES:
        fields = [
            NestedField(n, column.name, words[column.type], required=not column.nullable)
            for n, column in enumerate(spec.columns, 1)
        ]
        create(athena, spec.name, schema=Schema(*fields))
        assert athena.rows(f"SELECT * FROM {spec.name}") == []
        assert athena.rows(f"SHOW COLUMNS IN {spec.name}") == [(name,) for name in spec.column_names]


def test_a_metadata_file_that_is_gone(athena: Athena):
    table = create(athena, "damaged")
    key = table.metadata_location.removeprefix(f"{athena.location}/")
    athena.account.client("s3").delete_object(Bucket=athena.bucket, Key=key)
    assert athena.failure("SELECT * FROM damaged").startswith("ICEBERG_INVALID_METADATA")
