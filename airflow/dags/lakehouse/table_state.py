"""The tables' own words on when they changed and what was added, read from their metadata alone."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from config.jobs import REMOVAL_JOBS
from config.names import JOB_PROPERTY
from config.table_spec import TableSpec
from lakehouse.objects import bucket_and_key

_UNCHANGED = "replace"
"""Operation of a snapshot that only arranges the same rows anew."""

_REMOVERS = {job.name for job in REMOVAL_JOBS}


@dataclass(frozen=True)
class Change:
    """A snapshot that changed a table's rows: when, what it added, and whose it is (None: of no job)."""

    at: datetime
    added_rows: int
    added_bytes: int
    job: str | None = None


@dataclass(frozen=True)
class LateTable:
    """A table whose data have not changed for longer than its specification allows.

    ``since`` is the last change that its snapshots tell of, ``hours`` ago; both None if they tell of none.
    """

    name: str
    since: datetime | None
    hours: float | None
    allowed_hours: int

    def __str__(self) -> str:
        """The table in a few words."""
        if self.hours is None:
            return f"{self.name} has never been written, or before the oldest snapshot that is left"
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
    return {spec.name: changes_of(read_metadata(glue, s3, database, spec.name)) for spec in specs}


def changes_of(metadata: Mapping[str, Any]) -> list[Change]:
    """The changes that made what a table's readers see, the oldest first; none if the metadata is empty."""
    published = [each for each in _published(metadata) if each["summary"]["operation"] != _UNCHANGED]
    return [_change(each) for each in reversed(published)]


def _published(metadata: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The current snapshot and its ancestors, the newest first: no branch that was given up is among them."""
    snapshots = {each["snapshot-id"]: each for each in metadata.get("snapshots", [])}
    snapshot = snapshots.get(metadata.get("current-snapshot-id"))
    while snapshot:
        yield snapshot
        snapshot = snapshots.get(snapshot.get("parent-snapshot-id"))


def _change(snapshot: dict[str, Any]) -> Change:
    summary = snapshot["summary"]
    return Change(
        at=datetime.fromtimestamp(snapshot["timestamp-ms"] / 1000, UTC),
        added_rows=int(summary.get("added-records", 0)),
        added_bytes=int(summary.get("added-files-size", 0)),
        job=summary.get(JOB_PROPERTY),
    )


def late_tables(
    specs: Iterable[TableSpec], changes: dict[str, list[Change]], now: datetime
) -> list[LateTable]:
    """Those of the tables that somebody waits for and that have not changed in time.

    ``changes`` is what ``read_changes`` gives. What upkeep and erasure changed does not count.
    """
    late = []
    for spec in specs:
        if spec.late_after_hours is None:
            continue
        since = max((each.at for each in changes[spec.name] if each.job not in _REMOVERS), default=None)
        hours = (now - since).total_seconds() / 3600 if since else None
        if hours is None or hours > spec.late_after_hours:
            late.append(LateTable(spec.name, since, hours, spec.late_after_hours))
    return late
