"""Iceberg tables: created from their specification."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from config import names
from config.tables import Column, TableSpec
from emr_jobs.lake.errors import SchemaMismatchError

logger = logging.getLogger(__name__)

TABLE_PROPERTIES = {
    "format-version": "2",
    "write.delete.mode": "copy-on-write",
    "write.update.mode": "copy-on-write",
    "write.merge.mode": "copy-on-write",
}
"""Athena reads no other version of the format than 2."""


def qualified_name(database: str, table: str) -> str:
    """Name of a table in Spark SQL, with the catalog. Names come from checked arguments and from config."""
    return f"{names.SPARK_CATALOG}.{database}.{table}"


def ensure_table(spark: SparkSession, name: str, spec: TableSpec) -> None:
    """Create the table ``name`` (and its database) by its specification, or bring it to it.

    Raises:
        SchemaMismatchError: it exists with other columns or types; only optional columns can be added.
    """
    if spark.catalog.tableExists(name):
        _evolve(spark, name, spec)
        return
    spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {name.rpartition('.')[0]}")
    spark.sql(create_statement(name, spec))
    if spec.sort:
        # Not WRITE ORDERED BY, whose global order costs a sampling job and a second shuffle with every write.
        distribution = "DISTRIBUTED BY PARTITION LOCALLY" if spec.partition else "LOCALLY"
        spark.sql(f"ALTER TABLE {name} WRITE {distribution} ORDERED BY {', '.join(spec.sort)}")
    logger.info("created table %s", name)


def create_statement(name: str, spec: TableSpec) -> str:
    """The DDL of a table, every column with its meaning as a comment."""
    columns = ",\n  ".join(map(_column_definition, spec.columns))
    partitions = f"\nPARTITIONED BY ({', '.join(spec.partition)})" if spec.partition else ""
    wanted = {**TABLE_PROPERTIES, **dict(spec.properties)}
    properties = ", ".join(f"{_literal(key)}={_literal(value)}" for key, value in wanted.items())
    return (
        f"CREATE TABLE IF NOT EXISTS {name} (\n  {columns}\n)\nUSING iceberg{partitions}\n"
        f"COMMENT {_literal(spec.doc)}\nTBLPROPERTIES ({properties})"
    )


def _column_definition(column: Column) -> str:
    required = "" if column.nullable else " NOT NULL"
    return f"`{column.name}` {column.type}{required} COMMENT {_literal(column.doc)}"


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _evolve(spark: SparkSession, name: str, spec: TableSpec) -> None:
    """Add the optional columns that the specification has gained; files written before have null there."""
    found = _columns(spark, name)
    added = [column for column in spec.columns if column.nullable and column.name not in dict(found)]
    before_that = [(column.name, column.type) for column in spec.columns if column not in added]
    if found != before_that:
        raise SchemaMismatchError(_mismatch(name, found, spec))
    for column in added:
        position = spec.column_names.index(column.name)
        place = f"AFTER `{spec.column_names[position - 1]}`" if position else "FIRST"
        logger.info("%s: adding the column %s %s", name, column.name, column.type)
        spark.sql(f"ALTER TABLE {name} ADD COLUMN {_column_definition(column)} {place}")


def _columns(spark: SparkSession, name: str) -> list[tuple[str, str]]:
    return [(field.name, field.dataType.simpleString()) for field in spark.table(name).schema]


def _mismatch(name: str, found: list[tuple[str, str]], spec: TableSpec) -> str:
    wanted = [(column.name, column.type) for column in spec.columns]
    listed = [f"  has    {column} {kind}" for column, kind in found if (column, kind) not in wanted]
    listed += [f"  lacks  {column} {kind}" for column, kind in wanted if (column, kind) not in found]
    return (
        f"{name} is not the table that config/tables.py specifies, so nothing was written:\n"
        + "\n".join(listed or ["  the same columns in another order"])
        + "\nOnly optional columns are added to an existing table: values of another type, or required ones,"
        "\nare not in the files written before. Move the table away or choose another ICEBERG_TABLE."
    )


@dataclass(frozen=True)
class Snapshot:
    """A state of a table: its id, and the rows that it holds."""

    id: int
    rows: int


def load_table(spark: SparkSession, name: str) -> Any:
    """Iceberg's own view of a table (org.apache.iceberg.Table), for what Spark SQL cannot say."""
    return spark._jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, name)


def current_snapshot(spark: SparkSession, name: str) -> Snapshot | None:
    """The table's current snapshot, read from its metadata alone; None if nothing was ever written."""
    table = load_table(spark, name)
    table.refresh()
    return snapshot_of(table)


def snapshot_of(table: Any) -> Snapshot | None:
    """The current snapshot of a loaded table, as it was when it was loaded or refreshed."""
    snapshot = table.currentSnapshot()
    if snapshot is None:
        return None
    return Snapshot(id=snapshot.snapshotId(), rows=int(snapshot.summary()["total-records"]))
