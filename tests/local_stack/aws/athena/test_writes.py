"""INSERT and CREATE TABLE AS: what they write is there for pyiceberg and for the next query."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from pyiceberg.schema import Schema
from pyiceberg.types import DoubleType, LongType, NestedField, StringType, TimestamptzType

from tests.support.athena import Athena

pytestmark = pytest.mark.aws

SCHEMA = Schema(
    NestedField(1, "id", LongType(), required=True),
    NestedField(2, "temp", DoubleType()),
    NestedField(3, "status", StringType()),
    NestedField(4, "at", TimestamptzType()),
)


def iceberg_table(athena: Athena, name: str) -> None:
    athena.catalog().create_table((athena.database, name), SCHEMA, location=f"{athena.location}/{name}")


def in_pyiceberg(athena: Athena, name: str) -> list[dict[str, object]]:
    table = athena.catalog().load_table((athena.database, name))
    return sorted(table.scan().to_arrow().to_pylist(), key=lambda row: str(row["id"]))


def test_insert_into_iceberg(athena: Athena):
    iceberg_table(athena, "filled")
    execution = athena.ask(
        "INSERT INTO filled VALUES (1, 1.5, 'a', TIMESTAMP '2024-01-01 00:00:00 UTC'), (2, 2, NULL, NULL)"
    )
    assert execution["Status"]["State"] == "SUCCEEDED"
    assert execution["StatementType"] == "DML"
    answer = athena.client.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    assert (answer["UpdateCount"], answer["ResultSet"]["Rows"]) == (2, [])
    assert in_pyiceberg(athena, "filled") == [
        {"id": 1, "temp": 1.5, "status": "a", "at": datetime(2024, 1, 1, tzinfo=UTC)},
        {"id": 2, "temp": 2.0, "status": None, "at": None},
    ]
    athena.ask("INSERT INTO filled (status, id) SELECT upper(status), id + 2 FROM filled")
    assert athena.rows("SELECT id, temp, status FROM filled WHERE id > 2 ORDER BY id") == [
        ("3", None, "A"),
        ("4", None, None),
    ]


def test_the_manifest_names_the_written_files(athena: Athena):
    iceberg_table(athena, "listed")
    execution = athena.ask("INSERT INTO listed (id) VALUES 1")
    manifest = execution["Statistics"]["DataManifestLocation"]
    assert manifest == f"{athena.location}/results/{execution['QueryExecutionId']}-manifest.csv"
    key = manifest.removeprefix(f"{athena.location}/")
    listed = (
        athena.account.client("s3").get_object(Bucket=athena.bucket, Key=key)["Body"].read().decode().split()
    )
    assert listed == [path for (path,) in athena.rows('SELECT file_path FROM "listed$files"')]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "INSERT INTO strict VALUES ('a', 1, 'b', NULL)",
            "TYPE_MISMATCH: Insert query has mismatched column types: Table: [",
        ),
        ("INSERT INTO strict (id, temp) VALUES 1", "TYPE_MISMATCH: Insert query has mismatched column types"),
        (
            "INSERT INTO strict (nothing) VALUES 1",
            "COLUMN_NOT_FOUND: Insert column name does not exist in target table",
        ),
        (
            "INSERT INTO strict (temp) VALUES 1",
            "CONSTRAINT_VIOLATION: NULL value not allowed for NOT NULL column: id",
        ),
        ("INSERT INTO strict (id) SELECT 1 / 0", "DIVISION_BY_ZERO"),
        ("INSERT INTO nowhere VALUES 1", "TABLE_NOT_FOUND: line 1:13: Table 'awsdatacatalog."),
        ("INSERT OVERWRITE strict VALUES 1", "NOT_SUPPORTED: line 1:"),
    ],
)
def test_rows_that_do_not_fit(athena: Athena, sql: str, message: str):
    if athena.catalog().table_exists((athena.database, "strict")) is False:
        iceberg_table(athena, "strict")
    assert athena.failure(sql).startswith(message)
    assert in_pyiceberg(athena, "strict") == []


def test_create_iceberg_table_as_select(athena: Athena):
    location = f"{athena.location}/made/"
    sql = f"""
        CREATE TABLE made WITH (
            table_type = 'ICEBERG', is_external = false, location = '{location}', format = 'PARQUET',
            partitioning = ARRAY['day(at)', 'bucket(id, 4)', 'status'], write_compression = 'ZSTD'
        ) AS
        SELECT CAST(n AS bigint) AS id, IF(n = 1, 'a', 'b') AS status, TIMESTAMP '2024-01-01 12:00:00' AS at
        FROM (VALUES 1, 2, 3) t (n)
    """
    execution = athena.ask(sql)
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DDL", "CREATE_TABLE_AS_SELECT")
    table = athena.catalog().load_table((athena.database, "made"))
    assert [str(field.transform) for field in table.spec().fields] == ["day", "bucket[4]", "identity"]
    assert table.location() == location.rstrip("/")
    assert table.metadata.format_version == 2
    assert [row["id"] for row in in_pyiceberg(athena, "made")] == [1, 2, 3]
    assert athena.rows("SELECT status, count(*), max(at) FROM made GROUP BY status ORDER BY 1") == [
        ("a", "1", "2024-01-01 12:00:00.000000"),
        ("b", "2", "2024-01-01 12:00:00.000000"),
    ]
    assert athena.failure(sql).startswith("TABLE_ALREADY_EXISTS: line 1:1: Table 'awsdatacatalog.")
    assert athena.rows(sql.replace("CREATE TABLE made", "CREATE TABLE IF NOT EXISTS made")) == []
    assert athena.failure(sql.replace("made WITH", "other WITH")).startswith("ICEBERG_FILESYSTEM_ERROR")


def test_create_parquet_table_as_select(athena: Athena):
    sql = f"""
        CREATE TABLE copied WITH (
            external_location = '{athena.location}/copied/', format = 'PARQUET',
            partitioned_by = ARRAY['zone']
        ) AS SELECT 1 AS n, 1.50 AS price, CAST(ROW(1) AS ROW(a bigint)) AS r, 'x' AS zone UNION ALL
        SELECT 2, 2.25, NULL, NULL
    """
    assert athena.ask(sql)["Status"]["State"] == "SUCCEEDED"
    assert athena.rows("SELECT * FROM copied ORDER BY n") == [
        ("1", "1.50", "{a=1}", "x"),
        ("2", "2.25", None, None),
    ]
    assert athena.rows("SHOW PARTITIONS copied") == [("zone=x",), ("zone=__HIVE_DEFAULT_PARTITION__",)]
    glue = athena.account.client("glue").get_table(DatabaseName=athena.database, Name="copied")["Table"]
    assert [column["Type"] for column in glue["StorageDescriptor"]["Columns"]] == [
        "int",
        "decimal(3,2)",
        "struct<a:bigint>",
    ]
    assert athena.failure(sql.replace("TABLE copied", "TABLE again")).startswith("HIVE_PATH_ALREADY_EXISTS")


def test_without_location_or_data(athena: Athena):
    athena.ask("CREATE TABLE empty_copy AS SELECT 1 AS n WITH NO DATA")
    assert athena.rows("SELECT * FROM empty_copy") == []
    query = athena.ask("CREATE TABLE placed AS SELECT 1 AS n")["QueryExecutionId"]
    [(path,)] = athena.rows('SELECT "$path" FROM placed')
    assert path.startswith(f"{athena.location}/results/tables/{query}/")


def test_insert_into_parquet_tables(athena: Athena):
    athena.create_hive_table("appended", {"n": "bigint", "t": "timestamp"}, {"zone": "string"})
    athena.ask("INSERT INTO appended VALUES (1, TIMESTAMP '2024-01-01 00:00:00.123', 'x')")
    athena.ask("INSERT INTO appended (zone, n) VALUES ('x', 2), ('y', 3)")
    assert athena.rows("SELECT * FROM appended ORDER BY n") == [
        ("1", "2024-01-01 00:00:00.123", "x"),
        ("2", None, "x"),
        ("3", None, "y"),
    ]
    assert athena.rows("SHOW PARTITIONS appended") == [("zone=x",), ("zone=y",)]


def test_insert_follows_a_projected_template(athena: Athena):
    template = f"{athena.location}/projected/at/${{zone}}/"
    projection = {
        "projection.enabled": "true",
        "projection.zone.type": "enum",
        "projection.zone.values": "x,y",
        "storage.location.template": template,
    }
    athena.create_hive_table("projected", {"n": "bigint"}, {"zone": "string"}, projection)
    athena.ask("INSERT INTO projected VALUES (1, 'y'), (2, 'z')")
    assert athena.rows("SELECT n, zone FROM projected") == [("1", "y")]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("CREATE TABLE bad AS SELECT 1", "MISSING_COLUMN_NAME: Column name not specified at position 1"),
        ("CREATE TABLE bad AS SELECT 1 AS a, 2 AS a", "DUPLICATE_COLUMN_NAME"),
        ("CREATE TABLE nowhere.bad AS SELECT 1 AS a", "SCHEMA_NOT_FOUND: Schema 'nowhere' does not exist"),
        (
            "CREATE TABLE bad WITH (format = 'ORC') AS SELECT 1 AS a",
            "NOT_SUPPORTED: line 1:1: the format ORC",
        ),
        (
            "CREATE TABLE bad WITH (bucketed_by = ARRAY['a']) AS SELECT 1 AS a",
            "NOT_SUPPORTED: line 1:1: the table property bucketed_by",
        ),
        (
            "CREATE TABLE bad WITH (partitioned_by = ARRAY['a']) AS SELECT 1 AS a, 2 AS b",
            "HIVE_COLUMN_ORDER_MISMATCH",
        ),
        (
            "CREATE TABLE bad WITH (table_type = 'ICEBERG', is_external = false, "
            "partitioning = ARRAY['week(a)']) AS SELECT 1 AS a",
            "INVALID_TABLE_PROPERTY: Invalid partition field declaration: week(a)",
        ),
        (
            "CREATE TABLE bad WITH (table_type = 'ICEBERG', is_external = false) AS "
            "SELECT CAST(1 AS smallint) AS a",
            "NOT_SUPPORTED: an Iceberg column of type smallint",
        ),
        (
            "CREATE EXTERNAL TABLE bad (a int) LOCATION 's3://x/'",
            "NOT_SUPPORTED: line 1:1: CREATE EXTERNAL TABLE of text files",
        ),
        ("CREATE TABLE bad AS SELECT nothing", "COLUMN_NOT_FOUND: line 1:28"),
    ],
)
def test_tables_that_cannot_be_made(athena: Athena, sql: str, message: str):
    assert athena.failure(sql).startswith(message)
    assert ("bad",) not in athena.rows("SHOW TABLES")


def test_a_failing_select_leaves_no_table(athena: Athena):
    select = "SELECT 1 / x AS y FROM (VALUES 1, 0) t (x)"
    sql = f"CREATE TABLE half WITH (external_location = '{athena.location}/half/') AS {select}"
    assert athena.failure(sql).startswith("DIVISION_BY_ZERO")
    assert ("half",) not in athena.rows("SHOW TABLES")
    assert athena.account.client("s3").list_objects_v2(Bucket=athena.bucket, Prefix="half/")["KeyCount"] == 0


def test_other_writers_do_not_lose_rows(athena: Athena):
    iceberg_table(athena, "shared")
    started = [athena.start(f"INSERT INTO shared (id) VALUES {n}") for n in range(4)]
    table = athena.catalog().load_table((athena.database, "shared"))
    table.append(pa.table({"id": [100]}, schema=pa.schema([pa.field("id", pa.int64(), nullable=False)])))
    states = [athena.wait(query)["Status"]["State"] for query in started]
    committed = [n for n, state in enumerate(states) if state == "SUCCEEDED"]
    assert [row["id"] for row in in_pyiceberg(athena, "shared")] == sorted([*committed, 100], key=str)
