"""Parquet files of Hive tables, and their partitions in Glue."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from local_stack.aws.athena import storage
from local_stack.aws.athena.engine.catalog import GlueTable
from local_stack.aws.athena.engine.errors import QueryError, not_supported
from local_stack.aws.athena.engine.hive_names import PARQUET_STORAGE, hive_name
from local_stack.aws.athena.engine.projection import is_enabled
from local_stack.aws.athena.engine.session import Session
from local_stack.aws.athena.engine.table_properties import TableProperties
from local_stack.aws.athena.engine.types import SqlType

_DEFAULT_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_MAX_PARTITIONS = 100
"""Athena opens at most so many partitions in one INSERT or CREATE TABLE AS."""

Parts = list[tuple[tuple[str, ...], pa.Table]]


def append(session: Session, table: GlueTable, rows: pa.Table) -> list[str]:
    """Add a file to each partition that the rows touch; returns the files."""
    if not table.is_parquet:
        raise not_supported(f"INSERT into table {table.name}, which is not Parquet,")
    keys = [key.name for key in table.partition_keys]
    files = []
    for values, part in _parts(rows, keys):
        folder = _folder(session, table, keys, values)
        files.append(_write(session, folder, part, "SNAPPY"))
    return files


def _folder(session: Session, table: GlueTable, keys: list[str], values: tuple[str, ...]) -> str:
    """A partition's folder; a new partition of a table without projection is registered."""
    if not keys:
        return table.location.rstrip("/") + "/"
    template = table.parameters.get("storage.location.template")
    if is_enabled(table.parameters) and template:
        for key, value in zip(keys, values, strict=True):
            template = template.replace(f"${{{key}}}", value)
        return template.rstrip("/") + "/"
    folder = _partition_folder(table.location, keys, values)
    known = {partition.values: partition.location for partition in session.catalog.partitions(table)}
    if is_enabled(table.parameters):
        return folder
    if values not in known:
        _register(session, (table.database, table.name), values, folder, table.raw["StorageDescriptor"])
        return folder
    return known[values].rstrip("/") + "/"


def _partition_folder(location: str, keys: Sequence[str], values: Sequence[str]) -> str:
    named = "/".join(f"{key}={value}" for key, value in zip(keys, values, strict=True))
    return f"{location.rstrip('/')}/{named}/" if named else f"{location.rstrip('/')}/"


def _register(
    session: Session,
    name: tuple[str, str],
    values: tuple[str, ...],
    folder: str,
    descriptor: Mapping[str, object],
) -> None:
    partition = {"Values": list(values), "StorageDescriptor": {**descriptor, "Location": folder}}
    session.catalog.require("CreatePartition", *name)
    session.catalog.backend.create_partition(*name, partition)


def create(
    session: Session,
    name: tuple[str, str],
    columns: Sequence[tuple[str, SqlType]],
    rows: pa.Table,
    properties: TableProperties,
) -> list[str]:
    """Write the files, then make the table and its partitions; returns the files.

    Raises:
        QueryError: HIVE_PATH_ALREADY_EXISTS, or INVALID_TABLE_PROPERTY for partition keys that are
            not the last columns.
    """
    if storage.list_files(properties.location):
        message = f"Target directory for table '{'.'.join(name)}' already exists: {properties.location}"
        raise QueryError("HIVE_PATH_ALREADY_EXISTS", message)
    keys = [key.lower() for key in properties.partitioning]
    data, partition_columns = columns[: len(columns) - len(keys)], columns[len(columns) - len(keys) :]
    if [column for column, _ in partition_columns] != keys:
        order = "in the same order as the table properties"
        message = f"Partition keys must be the last columns in the table and {order}"
        raise QueryError("HIVE_COLUMN_ORDER_MISMATCH", message)
    descriptor = {
        "Columns": [{"Name": column, "Type": hive_name(type_)} for column, type_ in data],
        "Location": properties.location,
        **PARQUET_STORAGE,
    }
    parts = _parts(rows, keys)
    written = [
        (values, folder, _write(session, folder, part, properties.compression))
        for values, part in parts
        for folder in [_partition_folder(properties.location, keys, values)]
    ]
    table = {
        "Name": name[1],
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "has_encrypted_data": "false", "classification": "parquet"},
        "PartitionKeys": [{"Name": column, "Type": hive_name(type_)} for column, type_ in partition_columns],
        "StorageDescriptor": descriptor,
    }
    session.catalog.require("CreateTable", *name)
    session.catalog.backend.create_table(*name, table)
    for values, folder, _ in written:
        if keys:
            _register(session, name, values, folder, descriptor)
    return [file for _, _, file in written]


def _parts(rows: pa.Table, keys: list[str]) -> Parts:
    """The rows by partition, without the partition columns.

    Raises:
        QueryError: HIVE_TOO_MANY_OPEN_PARTITIONS.
    """
    if not rows.num_rows:
        return []
    if not keys:
        return [((), rows)]
    distinct = rows.group_by(keys).aggregate([]).to_pylist()
    if len(distinct) > _MAX_PARTITIONS:
        message = f"Exceeded limit of {_MAX_PARTITIONS} open writers for partitions/buckets"
        raise QueryError("HIVE_TOO_MANY_OPEN_PARTITIONS", message)
    parts = []
    for combination in distinct:
        chosen = rows
        for key in keys:
            value = combination[key]
            column = chosen[key]
            chosen = chosen.filter(column.is_null() if value is None else pc.equal(column, value))
        values = tuple(
            _DEFAULT_PARTITION if combination[key] is None else str(combination[key]) for key in keys
        )
        parts.append((values, chosen.drop_columns(keys)))
    return parts


def _write(session: Session, folder: str, rows: pa.Table, compression: str) -> str:
    buffer = io.BytesIO()
    pq.write_table(rows, buffer, compression=compression)
    uri = f"{folder}{session.request.query_id}.parquet"
    storage.write_file(uri, buffer.getvalue())
    return uri
