"""The tables' own words on when they changed and what was added, read from their metadata alone."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from config.table_spec import TableSpec
from lakehouse.objects import bucket_and_key

_UNCHANGED = "replace"
"""Operation of a snapshot that only arranges the same rows anew."""


@dataclass(frozen=True)
class Change:
    """A snapshot that changed a table's rows: when it was committed, and what it added."""

    at: datetime
    added_rows: int
    added_bytes: int


@dataclass(frozen=True)
class LateTable:
    """A table whose data have not changed for longer than its specification allows; ``hours`` None: never."""

    name: str
    hours: float | None
    allowed_hours: int

    def __str__(self) -> str:
        """The table in a few words."""
        if self.hours is None:
            return f"{self.name} has never been written"
        return f"{self.name} has not changed for {self.hours:.0f} h ({self.allowed_hours} h are allowed)"


def read_metadata(glue: Any, s3: Any, database: str, table: str) -> dict[str, Any]:
    """The metadata of an Iceberg table, which Glue names; empty if there is no table."""
    try:
        found = glue.get_table(DatabaseName=database, Name=table)["Table"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "EntityNotFoundException":
            return {}
        raise
    bucket, key = bucket_and_key(found["Parameters"]["metadata_location"])
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    metadata: dict[str, Any] = json.loads(
        gzip.decompress(body) if key.endswith(".gz.metadata.json") else body
    )
    return metadata


def read_changes(glue: Any, s3: Any, database: str, specs: Iterable[TableSpec]) -> dict[str, list[Change]]:
    """By table the changes that its snapshots still tell of, the oldest first; none if there is no table."""
    return {spec.name: _changes(read_metadata(glue, s3, database, spec.name)) for spec in specs}


def _changes(metadata: Mapping[str, Any]) -> list[Change]:
    snapshots = metadata.get("snapshots", [])
    changes = [_change(each) for each in snapshots if each["summary"]["operation"] != _UNCHANGED]
    return sorted(changes, key=lambda change: change.at)


def _change(snapshot: dict[str, Any]) -> Change:
    summary = snapshot["summary"]
    return Change(
        at=datetime.fromtimestamp(snapshot["timestamp-ms"] / 1000, UTC),
        added_rows=int(summary.get("added-records", 0)),
        added_bytes=int(summary.get("added-files-size", 0)),
    )


def late_tables(
    specs: Iterable[TableSpec], changes: dict[str, list[Change]], now: datetime
) -> list[LateTable]:
    """Those of the tables that somebody waits for and that have not changed in time.

    ``changes`` is what ``read_changes`` gives.
    """
    late = []
    for spec in specs:
        if spec.late_after_hours is None:
            continue
        known = changes[spec.name]
        hours = (now - known[-1].at).total_seconds() / 3600 if known else None
        if hours is None or hours > spec.late_after_hours:
            late.append(LateTable(spec.name, hours, spec.late_after_hours))
    return late
