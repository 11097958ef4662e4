"""Deletes rows of an Iceberg table by position delete files, as merge-on-read engines do."""

from __future__ import annotations

import io
import uuid
from time import time

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io import FileIO
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestWriterV2,
    write_manifest_list,
)
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation, Snapshot, Summary
from pyiceberg.table.update import AddSnapshotUpdate, AssertRefSnapshotId, SetSnapshotRefUpdate
from pyiceberg.typedef import Record

_PATH_ID, _POSITION_ID = "2147483546", "2147483545"
"""Field ids that Iceberg reserves for the columns of position delete files."""

_CODEC = "deflate"


class _DeleteManifestWriter(ManifestWriterV2):
    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


def delete_positions(table: Table, data_file: str, positions: list[int]) -> None:
    """Commit the deletion of rows, by their places from 0 in a data file of an unpartitioned table."""
    current = table.current_snapshot()
    assert current is not None
    snapshot_id, name = current.snapshot_id + 1, uuid.uuid4().hex
    sequence_number = table.metadata.last_sequence_number + 1
    delete_file = _write_deletes(
        table, f"{table.location()}/data/{name}-deletes.parquet", data_file, positions
    )
    output = table.io.new_output(f"{table.location()}/metadata/{name}-m0.avro")
    with _DeleteManifestWriter(table.spec(), table.schema(), output, snapshot_id, _CODEC) as writer:
        writer.add_entry(
            ManifestEntry.from_args(
                status=ManifestEntryStatus.ADDED, snapshot_id=snapshot_id, data_file=delete_file
            )
        )
    manifests = [*current.manifests(table.io), writer.to_manifest_file()]
    list_location = f"{table.location()}/metadata/snap-{name}.avro"
    list_output = table.io.new_output(list_location)
    with write_manifest_list(
        2, list_output, snapshot_id, current.snapshot_id, sequence_number, _CODEC
    ) as lists:
        lists.add_manifests(manifests)
    snapshot = Snapshot(
        snapshot_id=snapshot_id,
        parent_snapshot_id=current.snapshot_id,
        sequence_number=sequence_number,
        timestamp_ms=int(time() * 1000),
        manifest_list=list_location,
        summary=Summary(Operation.DELETE),
        schema_id=table.schema().schema_id,
    )
    table.catalog.commit_table(
        table,
        (AssertRefSnapshotId(ref="main", snapshot_id=current.snapshot_id),),
        (
            AddSnapshotUpdate(snapshot=snapshot),
            SetSnapshotRefUpdate(ref_name="main", type="branch", snapshot_id=snapshot_id),
        ),
    )


def _write_deletes(table: Table, location: str, data_file: str, positions: list[int]) -> DataFile:
    schema = pa.schema(
        [
            pa.field("file_path", pa.string(), nullable=False, metadata={"PARQUET:field_id": _PATH_ID}),
            pa.field("pos", pa.int64(), nullable=False, metadata={"PARQUET:field_id": _POSITION_ID}),
        ]
    )
    rows = pa.table({"file_path": [data_file] * len(positions), "pos": sorted(positions)}, schema=schema)
    buffer = io.BytesIO()
    pq.write_table(rows, buffer)
    _write(table.io, location, buffer.getvalue())
    return DataFile.from_args(
        content=DataFileContent.POSITION_DELETES,
        file_path=location,
        file_format=FileFormat.PARQUET,
        partition=Record(),
        record_count=len(positions),
        file_size_in_bytes=len(buffer.getvalue()),
    )


def _write(file_io: FileIO, location: str, content: bytes) -> None:
    with file_io.new_output(location).create() as stream:
        stream.write(content)
