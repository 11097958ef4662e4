"""The emulated Athena with ATHENA_ENGINE=trino: its API, answered by a real Trino (make test-exact)."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest
from pyiceberg.catalog.glue import GlueCatalog

from local_stack.trino.choice import TRINO, VARIABLE
from tests.support.athena import Athena
from tests.support.emulated_aws import run_emulated_aws

pytestmark = [pytest.mark.exact, pytest.mark.aws]


@pytest.fixture(scope="module")
def athena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Athena]:
    """Athena in an account of its own, of an emulated AWS that Trino serves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, TRINO)
        with run_emulated_aws(tmp_path_factory.mktemp("trino-aws"), "--fresh") as aws:
            yield Athena.in_new_account(aws)


@pytest.fixture(scope="module")
def catalog(athena: Athena) -> GlueCatalog:
    """pyiceberg beside it."""
    return athena.catalog()


def make_table(athena: Athena, name: str, *selects: str) -> None:
    """An Iceberg table of as many files as there are queries."""
    first, *others = selects
    place = f"table_type = 'ICEBERG', is_external = false, location = '{athena.location}/{name}/'"
    athena.rows(f"CREATE TABLE {name} WITH ({place}) AS {first}")
    for select in others:
        athena.rows(f"INSERT INTO {name} {select}")


def test_results_are_athenas(athena: Athena) -> None:
    query = """SELECT 1 AS n, 1e10 AS x, CAST(1.5 AS decimal(4,2)) AS d, DATE '2026-06-10' AS day,
        TIMESTAMP '2026-06-10 10:00:00.123 UTC' AS t, ARRAY[1, NULL] AS a, MAP(ARRAY['k'], ARRAY[true]) AS m,
        CAST(ROW(1.0, 'x') AS row(lat double, name varchar)) AS r, NULL AS nothing, ? AS given"""
    assert athena.rows(query, "'it''s'") == [
        (
            "1",
            "1.0E10",
            "1.50",
            "2026-06-10",
            "2026-06-10 10:00:00.123 UTC",
            "[1, null]",
            "{k=true}",
            "{lat=1.0, name=x}",
            None,
            "it's",
        )
    ]


def test_errors_are_trinos(athena: Athena) -> None:
    failed = athena.ask("SELECT * FROM nowhere")["Status"]
    assert failed["StateChangeReason"].startswith("TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.")
    assert failed["AthenaError"]["ErrorCategory"] == 2
    assert athena.failure("SELECT 1 / 0").startswith("DIVISION_BY_ZERO")
    assert athena.failure("SELEC 1").startswith("SYNTAX_ERROR: line 1:1: mismatched input 'SELEC'")


def test_iceberg_tables_are_written_and_views_asked(athena: Athena, catalog: GlueCatalog) -> None:
    make_table(athena, "written", "SELECT 1 AS id, 'a' AS s", "SELECT 2, 'b'", "VALUES (3, NULL)")
    athena.rows("UPDATE written SET s = 'c' WHERE id = 3")
    athena.rows("DELETE FROM written WHERE id = 1")
    athena.rows(
        "MERGE INTO written w USING (VALUES 2, 4) n (id) ON w.id = n.id "
        "WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (n.id, 'd')"
    )
    athena.rows("CREATE OR REPLACE VIEW kept AS SELECT s FROM written")
    assert athena.rows("SELECT s FROM kept ORDER BY s") == [("c",), ("d",)]
    assert ("kept",) in athena.rows("SHOW VIEWS")
    rows = catalog.load_table((athena.database, "written")).scan().to_arrow().sort_by("id")
    assert rows["id"].to_pylist() == [3, 4]
    athena.rows("DROP VIEW kept")
    athena.rows("DROP TABLE written")
    assert athena.rows("SHOW TABLES 'written|kept'") == []


def test_optimize_joins_files_and_vacuum_forgets_what_is_old(athena: Athena, catalog: GlueCatalog) -> None:
    make_table(athena, "kept", *(f"SELECT {n} AS id" for n in range(3)))
    name = (athena.database, "kept")
    count = 'SELECT count(*) FROM "kept$files"'
    assert athena.rows(count) == [("3",)]
    athena.rows("OPTIMIZE kept REWRITE DATA USING BIN_PACK")
    assert athena.rows(count) == [("1",)]
    before = len(catalog.load_table(name).metadata.snapshots)
    athena.rows("VACUUM kept")
    assert len(catalog.load_table(name).metadata.snapshots) == before
    with catalog.load_table(name).transaction() as change:
        change.set_properties({"vacuum_max_snapshot_age_seconds": "0"})
    athena.rows("VACUUM kept;")
    assert len(catalog.load_table(name).metadata.snapshots) == 1
    assert athena.rows("SELECT sum(id) FROM kept") == [("3",)]


def test_external_tables_are_made_and_their_partitions_found(athena: Athena) -> None:
    for day in (9, 10):
        athena.put_parquet(f"outside/dt=2026-06-{day:02}/part.parquet", pa.table({"id": [day]}))
    athena.rows(
        "CREATE EXTERNAL TABLE outside (id bigint) PARTITIONED BY (dt string) STORED AS PARQUET "
        f"LOCATION '{athena.location}/outside/'"
    )
    assert athena.rows("SELECT id FROM outside") == []
    athena.rows("MSCK REPAIR TABLE outside")
    assert sorted(athena.rows("SHOW PARTITIONS outside")) == [("dt=2026-06-09",), ("dt=2026-06-10",)]
    assert athena.rows("SELECT id, dt FROM outside ORDER BY id") == [
        ("9", "2026-06-09"),
        ("10", "2026-06-10"),
    ]
    athena.rows("CREATE TABLE copied AS SELECT id, dt FROM outside")
    athena.rows("INSERT INTO copied VALUES (11, 'x')")
    assert athena.rows("SELECT sum(id) FROM copied") == [("30",)]


def test_what_trino_has_not_is_refused_by_its_name(athena: Athena) -> None:
    for sql, name in (
        ("UNLOAD (SELECT 1) TO 's3://b/'", "UNLOAD"),
        ("ALTER TABLE outside ADD PARTITION (dt = '1')", "ALTER TABLE"),
        ("SHOW TBLPROPERTIES outside", "SHOW TBLPROPERTIES"),
    ):
        assert athena.failure(sql).startswith(f"NOT_SUPPORTED: line 1:1: the statement {name}")


def test_a_query_can_be_stopped(athena: Athena) -> None:
    endless = "SELECT count(*) FROM UNNEST(sequence(1, 10000)) a(x), UNNEST(sequence(1, 10000)) b(y), " + (
        "UNNEST(sequence(1, 10000)) c(z)"
    )
    query_id = athena.start(endless)
    athena.client.stop_query_execution(QueryExecutionId=query_id)
    assert athena.wait(query_id)["Status"]["State"] == "CANCELLED"
    assert athena.rows("SELECT 1") == [("1",)]
