"""Athena's statements in Trino's words, and Trino's values in Athena's, without Trino."""

from __future__ import annotations

from typing import Any

import pytest

from local_stack.aws.athena.engine.catalog import Catalog
from local_stack.aws.athena.engine.errors import QueryError
from local_stack.aws.athena.engine.interface import Request
from local_stack.aws.athena.engine.statements import kind_of
from local_stack.trino.statements import translate
from local_stack.trino.values import as_text, sql_type

ACCOUNT, REGION = "111122223333", "eu-north-1"


def translated(sql: str) -> tuple[str, ...]:
    catalog = Catalog(ACCOUNT, REGION)
    if not catalog.has_database("lake"):
        catalog.backend.create_database("lake", {"Name": "lake"})
    request = Request("id", sql, "lake", ACCOUNT, REGION, "s3://results/tables/")
    return translate(sql, kind_of(sql), request, catalog).statements


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
        "DELETE FROM t",
        "DROP VIEW v",
    ],
)
def test_what_both_know_stays_as_written(sql: str) -> None:
    assert translated(f"-- why\n{sql} ;") == (sql,)


def test_a_table_made_of_a_query_keeps_its_properties() -> None:
    iceberg = """CREATE TABLE New WITH (table_type = 'ICEBERG', is_external = false, location = 's3://b/new',
        partitioning = ARRAY['day(t)', 'bucket(id, 4)']) AS SELECT 1 AS id"""
    assert translated(iceberg) == (
        """CREATE TABLE awsdatacatalog."lake"."new" WITH (format = 'PARQUET', location = 's3://b/new/', """
        """partitioning = ARRAY['day(t)', 'bucket(id, 4)']) AS SELECT 1 AS id""",
    )
    assert translated("CREATE TABLE IF NOT EXISTS f AS SELECT 1 AS n WITH NO DATA") == (
        """CREATE TABLE IF NOT EXISTS hive."lake"."f" WITH (format = 'PARQUET', """
        """external_location = 's3://results/tables/id/') AS SELECT 1 AS n WITH NO DATA""",
    )


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "UNLOAD (SELECT 1) TO 's3://b/' WITH (format = 'PARQUET')",
            "NOT_SUPPORTED: line 1:1: the statement UNLOAD",
        ),
        ("ALTER TABLE t ADD PARTITION (dt = '1')", "NOT_SUPPORTED: line 1:1: the statement ALTER TABLE"),
        ("SHOW CREATE TABLE t", "NOT_SUPPORTED: line 1:1: the statement SHOW CREATE"),
        ("OPTIMIZE t", "SYNTAX_ERROR: line 1:1: mismatched input in OPTIMIZE"),
        ("VACUUM nothing", "TABLE_NOT_FOUND: Table 'awsdatacatalog.lake.nothing' does not exist"),
        ("MSCK REPAIR TABLE nothing", "TABLE_NOT_FOUND"),
        ("HELLO", "SYNTAX_ERROR: line 1:1: mismatched input 'HELLO'"),
        ("CREATE TABLE nowhere.t AS SELECT 1 AS n", "SCHEMA_NOT_FOUND"),
    ],
)
def test_what_neither_takes_is_refused_by_its_name(sql: str, message: str) -> None:
    with pytest.raises(QueryError) as refused:
        translated(sql)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("written", "value", "shown"),
    [
        ("boolean", True, "true"),
        ("double", 12345678.9, "1.23456789E7"),
        ("real", "NaN", "NaN"),
        ("decimal(10,2)", "1.50", "1.50"),
        ("varbinary", "AQI=", "01 02"),
        ("timestamp(3) with time zone", "2026-06-10 10:00:00.000 UTC", "2026-06-10 10:00:00.000 UTC"),
        ("interval day to second", "1 00:00:00.000", "1 00:00:00.000"),
        ("array(row(a bigint, b varchar))", [[1, "x"], None], "[{a=1, b=x}, null]"),
        ("map(varchar, boolean)", {"k": None}, "{k=null}"),
        ("row(bigint)", [7], "{field0=7}"),
        ("unknown", None, None),
    ],
)
def test_values_are_written_as_athena_writes_them(written: str, value: Any, shown: str | None) -> None:
    type_ = sql_type(written)
    assert str(type_) == written
    assert as_text(type_, value) == shown


def test_a_type_that_results_have_not_is_named() -> None:
    with pytest.raises(QueryError, match="the type JSON is not supported"):
        sql_type("json")
