"""Views, databases, SHOW, DESCRIBE, information_schema."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tests.support.athena import Athena

pytestmark = pytest.mark.aws


@pytest.fixture(scope="module")
def numbers(athena: Athena) -> str:
    """A table of three numbers."""
    athena.create_hive_table("numbers", {"n": "bigint", "s": "string"}, {})
    athena.put_parquet("numbers/a.parquet", pa.table({"n": [1, 2, 3], "s": ["a", "b", None]}))
    return "numbers"


def test_views(athena: Athena, numbers: str):
    athena.rows("CREATE VIEW doubled AS\nSELECT n, n * 2 AS twice FROM numbers WHERE s IS NOT NULL")
    assert athena.rows("SELECT v.twice FROM doubled v ORDER BY 1") == [("2",), ("4",)]
    assert athena.failure("CREATE VIEW doubled AS SELECT 1 AS n").startswith("ALREADY_EXISTS")
    athena.rows("CREATE OR REPLACE VIEW doubled AS SELECT n AS m FROM numbers")
    assert athena.rows("SELECT count(m) FROM doubled") == [("3",)]
    athena.rows("CREATE VIEW upon AS SELECT max(m) AS top FROM doubled")
    assert athena.rows("SELECT top FROM upon") == [("3",)]
    assert athena.rows("SHOW VIEWS") == [("doubled",), ("upon",)]
    assert athena.rows("SHOW CREATE VIEW upon") == [
        (f"CREATE VIEW {athena.database}.upon AS",),
        ("SELECT max(m) AS top FROM doubled",),
    ]
    glue = athena.account.client("glue").get_table(DatabaseName=athena.database, Name="upon")["Table"]
    assert (glue["TableType"], glue["StorageDescriptor"]["Columns"]) == (
        "VIRTUAL_VIEW",
        [{"Name": "top", "Type": "bigint"}],
    )
    athena.rows("DROP VIEW doubled")
    assert athena.failure("SELECT * FROM upon").startswith(
        f"INVALID_VIEW: View 'awsdatacatalog.{athena.database}.upon'"
    )
    athena.rows("DROP VIEW IF EXISTS doubled")
    assert athena.failure("DROP VIEW doubled").startswith("TABLE_NOT_FOUND: View 'awsdatacatalog.")
    athena.rows("DROP VIEW upon")


def test_a_view_whose_columns_changed_is_stale(athena: Athena, numbers: str):
    athena.rows("CREATE VIEW everything AS SELECT * FROM numbers")
    athena.create_hive_table("numbers2", {"n": "bigint"}, {})
    athena.rows("CREATE VIEW starred AS SELECT * FROM numbers2")
    athena.account.client("glue").delete_table(DatabaseName=athena.database, Name="numbers2")
    athena.create_hive_table("numbers2", {"m": "bigint"}, {})
    assert athena.failure("SELECT * FROM starred").startswith("VIEW_IS_STALE")
    assert athena.rows("SELECT count(*) FROM everything") == [("3",)]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("CREATE VIEW bad AS SELECT 1", "MISSING_COLUMN_NAME: Column name not specified at position 1"),
        ("CREATE VIEW bad AS SELECT nothing FROM numbers", "COLUMN_NOT_FOUND: line 1:27"),
        ("CREATE VIEW numbers AS SELECT 1 AS n", "ALREADY_EXISTS"),
        ("CREATE OR REPLACE VIEW numbers AS SELECT 1 AS n", "ALREADY_EXISTS"),
        ("DROP VIEW numbers", "NOT_SUPPORTED: View 'awsdatacatalog."),
        ("INSERT INTO numbers VALUES ('a', 'b')", "TYPE_MISMATCH"),
    ],
)
def test_what_cannot_be_made_or_dropped(athena: Athena, numbers: str, sql: str, message: str):
    assert athena.failure(sql).startswith(message)


def test_tables_are_dropped_with_their_files_left(athena: Athena):
    athena.create_hive_table("dropped", {"n": "bigint"})
    athena.put_parquet("dropped/a.parquet", pa.table({"n": [1]}))
    athena.rows("DROP TABLE dropped")
    assert athena.failure("SELECT * FROM dropped").startswith("TABLE_NOT_FOUND")
    assert (
        athena.account.client("s3").list_objects_v2(Bucket=athena.bucket, Prefix="dropped/")["KeyCount"] == 1
    )
    athena.rows("DROP TABLE IF EXISTS dropped")
    assert athena.failure("DROP TABLE dropped").startswith("TABLE_NOT_FOUND")


def test_an_external_table_is_made_over_its_files(athena: Athena):
    part = pa.table({"id": pa.array([1, 2]), "place": [{"latitude": 1.5, "longitude": 2.0}, None]})
    athena.put_parquet("outside/dt=2026-06-10/part.parquet", part)
    sql = f"""
        -- as Athena's manual writes it
        CREATE EXTERNAL TABLE IF NOT EXISTS outside (
            ID bigint COMMENT 'number', place struct<latitude:double, longitude:double>)
        COMMENT 'made elsewhere' PARTITIONED BY (dt string) STORED AS PARQUET
        LOCATION '{athena.location}/outside/'
        TBLPROPERTIES ('projection.enabled' = 'true', 'projection.dt.type' = 'enum',
                       'projection.dt.values' = '2026-06-10')"""
    athena.rows(sql)
    assert athena.rows("SELECT id, place.latitude, dt FROM outside ORDER BY id") == [
        ("1", "1.5", "2026-06-10"),
        ("2", None, "2026-06-10"),
    ]
    table = athena.account.client("glue").get_table(DatabaseName=athena.database, Name="outside")["Table"]
    assert table["StorageDescriptor"]["Columns"] == [
        {"Name": "id", "Type": "bigint", "Comment": "number"},
        {"Name": "place", "Type": "struct<latitude:double,longitude:double>"},
    ]
    assert table["Parameters"]["comment"] == "made elsewhere"
    athena.rows(sql)
    assert athena.failure(sql.replace("IF NOT EXISTS", "")).startswith("TABLE_ALREADY_EXISTS")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("CREATE TABLE bad (a int) {place}", "NOT_SUPPORTED: line 1:1: CREATE TABLE without EXTERNAL or AS"),
        (
            "CREATE EXTERNAL TABLE bad STORED AS PARQUET {place}",
            "NOT_SUPPORTED: line 1:1: {what} without columns",
        ),
        (
            "CREATE EXTERNAL TABLE bad (a int) STORED AS PARQUET",
            "SYNTAX_ERROR: line 1:1: {what} needs a LOCATION",
        ),
        (
            "CREATE EXTERNAL TABLE bad (a int) STORED AS ORC {place}",
            "NOT_SUPPORTED: line 1:1: {what} with STORED",
        ),
        (
            "CREATE EXTERNAL TABLE bad (a int) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' {place}",
            "NOT_SUPPORTED: line 1:1: {what} with ROW FORMAT DELIMITED",
        ),
        (
            "CREATE EXTERNAL TABLE bad (a interval) STORED AS PARQUET {place}",
            "NOT_SUPPORTED: the column type interval",
        ),
        ("CREATE EXTERNAL TABLE bad (a int", "SYNTAX_ERROR: line 1:1"),
    ],
)
def test_external_tables_that_cannot_be_made(athena: Athena, sql: str, message: str):
    words = {"place": "LOCATION 's3://x/'", "what": "CREATE EXTERNAL TABLE"}
    assert athena.failure(sql.format(**words)).startswith(message.format(**words))
    assert ("bad",) not in athena.rows("SHOW TABLES")


def test_databases(athena: Athena):
    athena.rows("CREATE DATABASE spare")
    athena.rows("CREATE SCHEMA IF NOT EXISTS spare")
    assert athena.failure("CREATE DATABASE spare").startswith("ALREADY_EXISTS")
    assert athena.rows("SHOW DATABASES") == [(athena.database,), ("spare",)]
    assert athena.rows("SHOW SCHEMAS LIKE 'sp*|nothing'") == [("spare",)]
    athena.rows("CREATE TABLE spare.one AS SELECT 1 AS n")
    assert athena.rows("SELECT n FROM awsdatacatalog.spare.one") == [("1",)]
    assert athena.rows("SHOW TABLES IN spare") == [("one",)]
    assert athena.failure("DROP DATABASE spare").startswith("SCHEMA_NOT_EMPTY")
    athena.rows("DROP DATABASE spare CASCADE")
    assert athena.failure("DROP DATABASE spare").startswith("SCHEMA_NOT_FOUND")
    assert athena.failure("SHOW TABLES IN spare").startswith("SCHEMA_NOT_FOUND")


def test_show(athena: Athena, numbers: str):
    assert ("numbers",) in athena.rows("SHOW TABLES")
    assert athena.rows("SHOW TABLES 'num*s'") == [("numbers",)]
    assert athena.rows(f"SHOW COLUMNS FROM numbers IN {athena.database}") == [("n",), ("s",)]
    assert athena.rows(f"-- the columns\nshow columns in `{athena.database}`.`numbers`;") == [("n",), ("s",)]
    assert athena.failure("SHOW PARTITIONS numbers").endswith("is not a partitioned table")
    assert athena.failure("SHOW COLUMNS IN nowhere").startswith("TABLE_NOT_FOUND")
    assert athena.failure("SHOW TBLPROPERTIES numbers").startswith(
        "NOT_SUPPORTED: line 1:1: the statement SHOW"
    )
    assert athena.failure("SHOW CREATE TABLE numbers").startswith(
        "NOT_SUPPORTED: line 1:1: the statement SHOW CREATE"
    )


def test_describe(athena: Athena, numbers: str):
    lines = athena.rows("DESCRIBE numbers")
    assert lines == [(f"{'n':20}\t{'bigint':20}\t{'':20}",), (f"{'s':20}\t{'string':20}\t{'':20}",)]
    athena.create_hive_table("keyed", {"n": "bigint"}, {"dt": "string"})
    described = [line for (line,) in athena.rows("DESCRIBE keyed")]
    assert "# Partition Information\t \t " in described
    assert described.count(f"{'dt':20}\t{'string':20}\t{'':20}") == 2


def test_information_schema(athena: Athena, numbers: str):
    columns = "SELECT column_name, ordinal_position, data_type FROM information_schema.columns"
    assert athena.rows(
        f"{columns} WHERE table_schema = '{athena.database}' AND table_name = 'numbers' ORDER BY 2"
    ) == [
        ("n", "1", "bigint"),
        ("s", "2", "varchar"),
    ]
    tables = "SELECT table_catalog, table_type FROM information_schema.tables WHERE table_name = 'numbers'"
    assert athena.rows(tables) == [("awsdatacatalog", "BASE TABLE")]
    schemata = "SELECT count(*) FROM information_schema.schemata WHERE schema_name = 'information_schema'"
    assert athena.rows(schemata) == [("1",)]
    assert athena.failure("SELECT * FROM information_schema.nothing").startswith("TABLE_NOT_FOUND: line 1:15")
