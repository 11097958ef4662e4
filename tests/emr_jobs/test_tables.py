"""Iceberg tables made from their specification."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.tables import EVENT_COLUMNS, KPI_TABLES, STATUS_HEALTH, Column, TableSpec
from emr_jobs.lake.errors import SchemaMismatchError
from emr_jobs.lake.tables import current_snapshot, ensure_table
from tests.support.lake import EVENT_SCHEMA, Lake

pytestmark = pytest.mark.spark

AWKWARD = TableSpec(
    name="awkward",
    doc="It's a \\ table; with 'quotes'",
    columns=(
        Column("day", "date", "Day; -- 'of' \\ days", nullable=False),
        Column("location", "struct<latitude:double,longitude:double>", "Ünïcödé °C"),
    ),
    key=("day",),
    partition=("months(day)",),
    sort=("day",),
)


@pytest.mark.parametrize("spec", [*KPI_TABLES, AWKWARD], ids=lambda spec: spec.name)
def test_a_table_is_what_its_specification_says(lake: Lake, spec: TableSpec) -> None:
    name = lake.name(spec.name)
    ensure_table(lake.spark, name, spec)

    columns = lake.spark.sql(f"DESCRIBE TABLE {name}").collect()[: len(spec.columns)]
    assert [(row.col_name, row.data_type, row.comment) for row in columns] == [
        (column.name, column.type, column.doc) for column in spec.columns
    ]
    nullable = [field.nullable for field in lake.spark.table(name).schema]
    assert nullable == [column.nullable for column in spec.columns]
    properties = {row.key: row.value for row in lake.spark.sql(f"SHOW TBLPROPERTIES {name}").collect()}
    assert properties["format-version"] == "2"
    assert properties["write.merge.mode"] == "copy-on-write"
    assert properties["sort-order"] == ", ".join(f"{column} ASC NULLS FIRST" for column in spec.sort)
    detail = {
        row.col_name: row.data_type for row in lake.spark.sql(f"DESCRIBE TABLE EXTENDED {name}").collect()
    }
    assert detail["Comment"] == spec.doc
    assert detail.get("Part 0", "") == "".join(spec.partition)


def test_a_table_that_is_there_is_left_alone(lake: Lake) -> None:
    name = lake.name("status_health")
    ensure_table(lake.spark, name, STATUS_HEALTH)
    lake.spark.sql(f"INSERT INTO {name} VALUES ('active', 7)")
    before = current_snapshot(lake.spark, name)

    ensure_table(lake.spark, name, STATUS_HEALTH)

    assert before is not None
    assert before.rows == 1
    assert current_snapshot(lake.spark, name) == before


NOTE = Column("note", "string", "A field that the contract has gained")


def test_an_optional_column_is_added_where_the_specification_has_it(lake: Lake) -> None:
    name = lake.name("status_health")
    ensure_table(lake.spark, name, STATUS_HEALTH)
    lake.spark.sql(f"INSERT INTO {name} VALUES ('active', 7)")
    status, sensor_count = STATUS_HEALTH.columns
    evolved = replace(STATUS_HEALTH, columns=(replace(NOTE, name="first"), status, NOTE, sensor_count))

    ensure_table(lake.spark, name, evolved)
    ensure_table(lake.spark, name, evolved)
    lake.spark.sql(f"INSERT INTO {name} VALUES ('x', 'faulty', 'new', 8)")

    assert lake.rows("status_health", ["sensor_count"]) == [
        {"first": None, "status": "active", "note": None, "sensor_count": 7},
        {"first": "x", "status": "faulty", "note": "new", "sensor_count": 8},
    ]
    assert lake.spark.table(name).schema["note"].metadata["comment"] == NOTE.doc


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (replace(STATUS_HEALTH.columns[1], type="string"), "lacks  sensor_count string"),
        (replace(STATUS_HEALTH.columns[1], name="sensors"), "lacks  sensors bigint"),
    ],
    ids=["type", "required"],
)
def test_what_old_files_cannot_have_is_refused_with_the_reason(
    lake: Lake, changed: Column, reason: str
) -> None:
    name = lake.name("status_health")
    ensure_table(lake.spark, name, STATUS_HEALTH)

    with pytest.raises(SchemaMismatchError, match="another type, or required ones") as refusal:
        ensure_table(lake.spark, name, replace(STATUS_HEALTH, columns=(STATUS_HEALTH.columns[0], changed)))

    assert "has    sensor_count bigint" in str(refusal.value)
    assert reason in str(refusal.value)
    assert [field.name for field in lake.spark.table(name).schema] == ["status", "sensor_count"]


def test_a_table_never_written_to_has_no_snapshot(lake: Lake) -> None:
    ensure_table(lake.spark, lake.name("t"), STATUS_HEALTH)

    assert current_snapshot(lake.spark, lake.name("t")) is None


def test_events_of_the_tests_are_those_of_the_contract(lake: Lake) -> None:
    empty = lake.spark.createDataFrame([], ", ".join(f"`{c.name}` {c.type}" for c in EVENT_COLUMNS))
    lake.deliver("a.parquet")

    assert lake.spark.read.parquet(str(lake.bronze)).schema == empty.schema
    assert EVENT_SCHEMA.names == [column.name for column in EVENT_COLUMNS]
