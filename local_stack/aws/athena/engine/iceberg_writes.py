"""Commits to Iceberg tables, by pyiceberg through the Glue of this process."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.compute as pc
from botocore.awsrequest import AWSRequest
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.table import Table
from pyiceberg.transforms import (
    BucketTransform,
    DayTransform,
    HourTransform,
    IdentityTransform,
    MonthTransform,
    Transform,
    TruncateTransform,
    YearTransform,
)

from local_stack.aws.athena import storage
from local_stack.aws.athena.engine.catalog import GlueTable
from local_stack.aws.athena.engine.errors import QueryError
from local_stack.aws.athena.engine.session import Session
from local_stack.aws.athena.engine.table_properties import TableProperties
from local_stack.aws.athena.engine.types import SqlType
from local_stack.aws.iam.callers import access_key_of_caller

_FIRST_PARTITION_FIELD = 1000
_PARTITION = re.compile(r"(?:(?P<transform>\w+)\()?\s*(?P<column>\w+)\s*(?:,\s*(?P<width>\d+))?\s*\)?")
_TIME_TRANSFORMS: dict[str, Callable[[], Transform[Any, Any]]] = {
    "year": YearTransform,
    "month": MonthTransform,
    "day": DayTransform,
    "hour": HourTransform,
}


def _catalog(session: Session) -> GlueCatalog:
    """pyiceberg's Glue catalog in the account of the query."""
    request = session.request
    return GlueCatalog(
        "glue",
        client=_glue_client(session.endpoint, request.account_id, request.region, access_key_of_caller()),
        **{
            "s3.endpoint": session.endpoint,
            "s3.region": request.region,
            "s3.access-key-id": access_key_of_caller(),
            "s3.secret-access-key": "unchecked",
        },
    )


@lru_cache(maxsize=64)
def _glue_client(endpoint: str, account_id: str, region: str, access_key: str) -> Any:
    keys = boto3.session.Session(access_key, "unchecked", region_name=region)
    client = keys.client("glue", endpoint_url=endpoint)

    def as_account(request: AWSRequest, **_: object) -> None:
        request.headers["x-moto-account-id"] = account_id

    client.meta.events.register("before-send.glue", as_account)
    return client


def append(session: Session, table: GlueTable, rows: pa.Table) -> list[str]:
    """Add rows in one commit; returns the data files it wrote.

    Raises:
        QueryError: CONSTRAINT_VIOLATION for NULL in a required column, ICEBERG_COMMIT_ERROR when
            another commit came first.
    """
    target = _catalog(session).load_table((table.database, table.name))
    named = rows.rename_columns([field.name for field in target.schema().fields])
    fitting = _as_required(named, target.schema())
    before = set(_data_files(target))
    if rows.num_rows:
        try:
            target.append(fitting)
        except CommitFailedException as error:
            message = f"Failed to commit Iceberg update to table: {table.database}.{table.name}"
            raise QueryError("ICEBERG_COMMIT_ERROR", message) from error
    return sorted(set(_data_files(target)) - before)


def _as_required(rows: pa.Table, schema: Schema) -> pa.Table:
    """The rows with the schema's own Arrow types, required columns checked."""
    for field in schema.fields:
        if field.required and pc.any(rows[field.name].is_null()).as_py():
            message = f"NULL value not allowed for NOT NULL column: {field.name}"
            raise QueryError("CONSTRAINT_VIOLATION", message)
    fields = [
        pa.field(field.name, rows.schema.field(field.name).type, nullable=not field.required)
        for field in schema.fields
    ]
    return rows.cast(pa.schema(fields))


def _data_files(table: Table) -> list[str]:
    snapshot = table.current_snapshot()
    if snapshot is None:
        return []
    return [
        entry.data_file.file_path
        for manifest in snapshot.manifests(table.io)
        for entry in manifest.fetch_manifest_entry(table.io)
    ]


def create(
    session: Session,
    name: tuple[str, str],
    columns: Sequence[tuple[str, SqlType]],
    rows: pa.Table,
    properties: TableProperties,
) -> list[str]:
    """Make a table with its first rows in one commit; returns the data files it wrote.

    Raises:
        QueryError: the folder is in use, or the partitioning makes no sense.
    """
    if storage.list_files(properties.location):
        message = f"Cannot create a table on a non-empty location: {properties.location}"
        raise QueryError("ICEBERG_FILESYSTEM_ERROR", message)
    catalog = _catalog(session)
    schema = assign_fresh_schema_ids(catalog._convert_schema_if_needed(rows.schema))
    numbers = {column: schema.find_field(column).field_id for column, _ in columns}
    transaction = catalog.create_table_transaction(
        name,
        schema,
        location=properties.location.rstrip("/"),
        partition_spec=_partition_spec(properties.partitioning, numbers),
        properties={
            "write.parquet.compression-codec": properties.compression.lower().replace("none", "uncompressed")
        },
    )
    with transaction:
        if rows.num_rows:
            transaction.append(rows)
    return _data_files(catalog.load_table(name))


def _partition_spec(written: tuple[str, ...], numbers: dict[str, int]) -> PartitionSpec:
    fields = []
    for index, part in enumerate(written):
        match = _PARTITION.fullmatch(part.strip())
        if match is None or match["column"].lower() not in numbers:
            raise QueryError("INVALID_TABLE_PROPERTY", f"Invalid partition field declaration: {part}")
        column = match["column"].lower()
        transform, suffix = _transform(part, match["transform"], match["width"])
        fields.append(
            PartitionField(numbers[column], _FIRST_PARTITION_FIELD + index, transform, f"{column}{suffix}")
        )
    return PartitionSpec(*fields)


def _transform(part: str, name: str | None, width: str | None) -> tuple[Transform[Any, Any], str]:
    if name is None and width is None:
        return IdentityTransform(), ""
    if name in _TIME_TRANSFORMS and width is None:
        return _TIME_TRANSFORMS[name](), f"_{name}"
    if name == "bucket" and width:
        return BucketTransform(num_buckets=int(width)), "_bucket"
    if name == "truncate" and width:
        return TruncateTransform(width=int(width)), "_trunc"
    raise QueryError("INVALID_TABLE_PROPERTY", f"Invalid partition field declaration: {part}")
