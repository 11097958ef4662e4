"""Upkeep of one Iceberg table: expiry of rows, compaction, expiry of snapshots, removal of orphans.

Each is one validated commit of Iceberg's (or none): a reader sees the table before or after.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from py4j.protocol import Py4JJavaError
from pyspark.errors.exceptions.captured import CapturedException
from pyspark.sql import SparkSession

from config import names
from config.reconciliation import EXPIRED_PROPERTY
from config.tables import TableSpec
from emr_jobs.lake.errors import LakeError
from emr_jobs.lake.publish import is_conflict, publish, start_over
from emr_jobs.lake.reflection import read_reflection
from emr_jobs.lake.tables import current_snapshot, load_table

logger = logging.getLogger(__name__)

SMALLEST_ORPHAN_AGE = timedelta(days=3)

LAGGARD = timedelta(days=30)
"""A KPI table that has not been brought up to date for so long no longer keeps snapshots from expiring."""


@dataclass(frozen=True)
class TableSize:
    """What a table consists of: the current snapshot's data files and their bytes, and all its snapshots."""

    files: int
    bytes: int
    snapshots: int


def table_size(spark: SparkSession, name: str) -> TableSize:
    """Measure a table by its metadata alone."""
    table = load_table(spark, name)
    table.refresh()
    current = table.currentSnapshot()
    summary = current.summary() if current else {}
    return TableSize(
        files=int(summary["total-data-files"]) if current else 0,
        bytes=int(summary["total-files-size"]) if current else 0,
        snapshots=len(table.snapshots()),
    )


def expire_rows(spark: SparkSession, name: str, column: str, before: datetime) -> int:
    """Delete the rows whose ``column`` is before a time; returns how many.

    The table's property ``lakehouse.expired`` adds them up.

    Raises:
        ConcurrentPublishError: somebody else published each time it was tried.
    """
    return start_over(partial(_expire_rows, spark, name, column, before))


def _expire_rows(spark: SparkSession, name: str, column: str, before: datetime) -> int:
    base = current_snapshot(spark, name)
    if base is None:
        return 0
    condition = f"{column} < {_timestamp(before)}"
    rows = spark.table(name).where(condition).count()
    if rows:
        table = load_table(spark, name)
        known = json.loads(table.properties().get(EXPIRED_PROPERTY) or "{}")
        expired = {"rows": known.get("rows", 0) + rows, "before": before.isoformat()}
        publish(
            spark,
            name,
            lambda branch: spark.sql(f"DELETE FROM {branch} WHERE {condition}"),  # noqa: S608
            base=base,
            properties={EXPIRED_PROPERTY: json.dumps(expired)},
        )
    return rows


def compact(spark: SparkSession, name: str, spec: TableSpec) -> bool:
    """Join small files, in the table's order; False if a writer was faster: then the next run does it."""
    options = {
        "target-file-size-bytes": str(spec.upkeep.target_file_mb * 1024 * 1024),
        "min-input-files": "5",
    }
    arguments = {"options": _map(options)}
    if spec.sort:
        arguments |= {"strategy": "'sort'", "sort_order": f"'{', '.join(spec.sort)}'"}
    try:
        _call(spark, "rewrite_data_files", name, arguments)
        _call(spark, "rewrite_manifests", name, {})
    except (Py4JJavaError, CapturedException) as error:
        if not is_conflict(error):
            raise
        logger.warning("%s: a writer was faster, compaction is left to the next run", name)
        return False
    return True


def needed_snapshots(spark: SparkSession, database: str) -> Mapping[str, frozenset[int]]:
    """Snapshots that incremental readers compute from, by the UUID of the table that they belong to.

    They are those that the tables of the database say they reflect, and those at which they said so.
    """
    needed: dict[str, set[int]] = {}
    for row in spark.sql(f"SHOW TABLES IN {names.SPARK_CATALOG}.{database}").collect():
        table = load_table(spark, f"{names.SPARK_CATALOG}.{database}.{row.tableName}")
        reflection = read_reflection(table)
        if reflection:
            needed.setdefault(reflection.table_uuid, set()).add(reflection.snapshot)
            needed.setdefault(table.uuid().toString(), set()).add(reflection.as_of)
    return {uuid: frozenset(snapshots) for uuid, snapshots in needed.items()}


def expire_snapshots(
    spark: SparkSession, name: str, spec: TableSpec, needed: Mapping[str, frozenset[int]], now: datetime
) -> None:
    """Expire what is older than the specification says and than what any incremental reader needs."""
    table = load_table(spark, name)
    table.refresh()
    if table.currentSnapshot() is None:
        return
    found = map(table.snapshot, needed.get(table.uuid().toString(), ()))
    times = [datetime.fromtimestamp(snapshot.timestampMillis() / 1000, UTC) for snapshot in found if snapshot]
    older_than = oldest_needed(times, now, timedelta(days=spec.upkeep.snapshot_days))
    _call(spark, "expire_snapshots", name, {"older_than": _timestamp(older_than), "retain_last": "1"})


def oldest_needed(times: Iterable[datetime], now: datetime, kept_for: timedelta) -> datetime:
    """The time before which snapshots may go: that old, and before all that readers need.

    A reader that lags too far behind is left out: its next run computes everything anew.

    >>> now = datetime(2026, 6, 30, tzinfo=UTC)
    >>> times = [datetime(2026, month, 20, tzinfo=UTC) for month in (1, 6)]
    >>> oldest_needed(times, now, timedelta(days=5)).date()
    datetime.date(2026, 6, 20)
    """
    return min([now - kept_for, *(time for time in times if time >= now - LAGGARD)])


def remove_orphans(spark: SparkSession, name: str, spec: TableSpec, now: datetime, dry_run: bool) -> int:
    """Delete files below the table's folder that no snapshot knows, or only count them; returns how many.

    Raises:
        LakeError: the specification would have younger files removed than is safe.
    """
    age = timedelta(days=spec.upkeep.orphan_days)
    if age < SMALLEST_ORPHAN_AGE:
        raise LakeError(f"{name}: orphans under {SMALLEST_ORPHAN_AGE.days} days may be a writer's new files")
    arguments = {"older_than": _timestamp(now - age), "dry_run": str(dry_run).lower()}
    return _call(spark, "remove_orphan_files", name, arguments)


def _call(spark: SparkSession, procedure: str, name: str, arguments: Mapping[str, str]) -> int:
    """Call one of Iceberg's procedures; returns the number of rows that it answers."""
    catalog, _, table = name.partition(".")
    listed = "".join(f", {key} => {value}" for key, value in arguments.items())
    return len(spark.sql(f"CALL {catalog}.system.{procedure}(table => '{table}'{listed})").collect())


def _timestamp(time: datetime) -> str:
    return f"TIMESTAMP '{time.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}'"


def _map(options: Mapping[str, str]) -> str:
    pairs = (f"'{key}', '{value}'" for key, value in options.items())
    return f"map({', '.join(pairs)})"
