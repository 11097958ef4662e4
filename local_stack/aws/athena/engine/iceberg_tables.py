"""Iceberg tables: read by DuckDB from the metadata file that Glue names, so at the newest commit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.schema import Schema
from pyiceberg.table.metadata import TableMetadata, TableMetadataUtil
from pyiceberg.table.refs import SnapshotRefType
from pyiceberg.table.snapshots import Snapshot

from local_stack.aws.athena import storage
from local_stack.aws.athena.engine import types
from local_stack.aws.athena.engine.catalog import GlueTable
from local_stack.aws.athena.engine.errors import Position, QueryError, not_supported
from local_stack.aws.athena.engine.rows import rows_relation
from local_stack.aws.athena.engine.scope import Field, Relation
from local_stack.aws.athena.engine.typenames import from_iceberg
from local_stack.aws.athena.engine.types import SqlType, quote, text

_TIME = types.timestamp_tz(3)
_TEXT_MAP = types.map_of(types.VARCHAR, types.VARCHAR)
METADATA_TABLES = ("snapshots", "history", "refs", "files")
MAX_FORMAT_VERSION = 2
NAME_MAPPING = "schema.name-mapping.default"
EQUALITY_DELETES = "total-equality-deletes"
_CONTENTS = {"DATA": 0, "POSITION_DELETES": 1, "EQUALITY_DELETES": 2}


@dataclass(frozen=True)
class Version:
    """What time travel asks for: a snapshot by its id, the name of a branch or tag, or a moment."""

    snapshot_id: int | None = None
    reference: str | None = None
    moment: datetime | None = None


def read_metadata(table: GlueTable) -> TableMetadata:
    """The table's current metadata.

    Raises:
        QueryError: ICEBERG_INVALID_METADATA where Glue names a file that is not there or not readable.
    """
    location = table.parameters.get("metadata_location", "")
    try:
        return TableMetadataUtil.parse_raw(storage.read_file(location).decode())
    except (OSError, LookupError, ValueError) as error:
        message = f"Error processing metadata for table {table.database}.{table.name}: {location}"
        raise QueryError("ICEBERG_INVALID_METADATA", message) from error


def columns_of(schema: Schema) -> list[tuple[str, SqlType]]:
    """Names and types of a schema's columns."""
    return [(column.name, from_iceberg(column.field_type)) for column in schema.fields]


def table_relation(
    table: GlueTable, alias: str, version: Version | None, position: Position | None
) -> Relation:
    """The rows of the table, now or at a version."""
    metadata = read_metadata(table)
    _check_readable(metadata, table, position)
    # DuckDB reads the files, and knows no callers.
    storage.check_readable(metadata.location)
    schema, option = metadata.schema(), ""
    if version is not None:
        snapshot, schema = _travel(metadata, table, version, position)
        option = f", snapshot_from_id = {snapshot.snapshot_id}"
    scan = f"iceberg_scan({text(table.parameters['metadata_location'])}{option})"
    qualifier = (table.database, table.name)
    fields = (
        Field(name.lower(), type_, f"{alias}.{quote(name)}", qualifier) for name, type_ in columns_of(schema)
    )
    return Relation(f"{scan} AS {alias}", tuple(fields))


def _check_readable(metadata: TableMetadata, table: GlueTable, position: Position | None) -> None:
    """Refuse what might be read wrongly, or what Athena itself does not read (a format above 2)."""
    if metadata.format_version > MAX_FORMAT_VERSION:
        raise not_supported(f"Iceberg format version {metadata.format_version} of {table.name}", position)
    if NAME_MAPPING in metadata.properties:
        raise not_supported(f"{table.name}, whose files are read by column names,", position)
    for snapshot in metadata.snapshots:
        if snapshot.summary and int(snapshot.summary.additional_properties.get(EQUALITY_DELETES, 0)):
            raise not_supported(f"{table.name}, which has equality deletes,", position)


def _travel(
    metadata: TableMetadata, table: GlueTable, version: Version, position: Position | None
) -> tuple[Snapshot, Schema]:
    snapshot, is_branch = _snapshot(metadata, table, version, position)
    by_id = {schema.schema_id: schema for schema in metadata.schemas}
    schema = by_id.get(snapshot.schema_id if snapshot.schema_id is not None else metadata.current_schema_id)
    if schema is None or (is_branch and schema.schema_id != metadata.current_schema_id):
        raise not_supported("this version, whose schema is not the current one,", position)
    return snapshot, schema


def _snapshot(
    metadata: TableMetadata, table: GlueTable, version: Version, position: Position | None
) -> tuple[Snapshot, bool]:
    """The snapshot that a version means, and whether it was named by a branch."""
    name = f'"{table.database}"."{table.name}"'
    snapshot_id, is_branch = version.snapshot_id, False
    if version.reference is not None:
        reference = metadata.refs.get(version.reference)
        if reference is None:
            message = f"Cannot find snapshot with reference name: {version.reference}"
            raise QueryError("INVALID_ARGUMENTS", message, position)
        snapshot_id, is_branch = reference.snapshot_id, reference.snapshot_ref_type is SnapshotRefType.BRANCH
    if version.moment is not None:
        millis = int(version.moment.timestamp() * 1000)
        entries = [entry for entry in metadata.snapshot_log if entry.timestamp_ms <= millis]
        if not entries:
            message = f"No version history table {name} at or before {version.moment.isoformat()}"
            raise QueryError("INVALID_ARGUMENTS", message, position)
        snapshot_id = max(entries, key=lambda entry: entry.timestamp_ms).snapshot_id
    snapshot = metadata.snapshot_by_id(snapshot_id) if snapshot_id is not None else None
    if snapshot is None:
        message = f"Iceberg snapshot ID does not exists: {snapshot_id}"
        raise QueryError("INVALID_ARGUMENTS", message, position)
    return snapshot, is_branch


def metadata_relation(table: GlueTable, kind: str, alias: str, file_io: PyArrowFileIO) -> Relation:
    """``"t$snapshots"``, ``"t$history"``, ``"t$refs"``, ``"t$files"``."""
    metadata = read_metadata(table)
    qualifier = (table.database, f"{table.name}${kind}")
    match kind:
        case "snapshots":
            columns = [
                ("committed_at", _TIME),
                ("snapshot_id", types.BIGINT),
                ("parent_id", types.BIGINT),
                ("operation", types.VARCHAR),
                ("manifest_list", types.VARCHAR),
                ("summary", _TEXT_MAP),
            ]
            rows = [_snapshot_row(snapshot) for snapshot in metadata.snapshots]
        case "history":
            columns = [
                ("made_current_at", _TIME),
                ("snapshot_id", types.BIGINT),
                ("parent_id", types.BIGINT),
                ("is_current_ancestor", types.BOOLEAN),
            ]
            rows = _history_rows(metadata)
        case "refs":
            columns = [
                ("name", types.VARCHAR),
                ("type", types.VARCHAR),
                ("snapshot_id", types.BIGINT),
                ("max_reference_age_in_ms", types.BIGINT),
                ("min_snapshots_to_keep", types.INTEGER),
                ("max_snapshot_age_in_ms", types.BIGINT),
            ]
            rows = [
                (
                    name,
                    reference.snapshot_ref_type.value.upper(),
                    reference.snapshot_id,
                    reference.max_ref_age_ms,
                    reference.min_snapshots_to_keep,
                    reference.max_snapshot_age_ms,
                )
                for name, reference in sorted(metadata.refs.items())
            ]
        case _:
            columns = [
                ("content", types.INTEGER),
                ("file_path", types.VARCHAR),
                ("record_count", types.BIGINT),
                ("file_format", types.VARCHAR),
                ("file_size_in_bytes", types.BIGINT),
            ]
            rows = _file_rows(metadata, file_io)
    relation = rows_relation(alias, columns, rows, qualifier)
    return Relation(relation.sql, relation.fields, is_partial=kind == "files")


def _moment(millis: int) -> datetime:
    return datetime.fromtimestamp(millis / 1000, UTC)


def _snapshot_row(snapshot: Snapshot) -> tuple[object, ...]:
    summary = snapshot.summary
    operation = summary.operation.value if summary else None
    properties = dict(summary.additional_properties) if summary else {}
    return (
        _moment(snapshot.timestamp_ms),
        snapshot.snapshot_id,
        snapshot.parent_snapshot_id,
        operation,
        snapshot.manifest_list,
        properties,
    )


def _history_rows(metadata: TableMetadata) -> list[tuple[object, ...]]:
    parents = {snapshot.snapshot_id: snapshot.parent_snapshot_id for snapshot in metadata.snapshots}
    ancestors = set()
    current = metadata.current_snapshot_id
    while current is not None and current not in ancestors:
        ancestors.add(current)
        current = parents.get(current)
    return [
        (
            _moment(entry.timestamp_ms),
            entry.snapshot_id,
            parents.get(entry.snapshot_id),
            entry.snapshot_id in ancestors,
        )
        for entry in metadata.snapshot_log
    ]


def _file_rows(metadata: TableMetadata, file_io: PyArrowFileIO) -> list[tuple[object, ...]]:
    snapshot = metadata.current_snapshot()
    entries = [
        entry.data_file
        for manifest in (snapshot.manifests(file_io) if snapshot else [])
        for entry in manifest.fetch_manifest_entry(file_io, discard_deleted=True)
    ]
    return [
        (
            _CONTENTS[file.content.name],
            file.file_path,
            file.record_count,
            file.file_format.value,
            file.file_size_in_bytes,
        )
        for file in entries
    ]
