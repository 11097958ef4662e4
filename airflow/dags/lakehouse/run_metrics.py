"""What a run did and took, in the table ``run_metrics``: a row a job, and one for its clusters."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError
from pyiceberg.expressions import And, EqualTo
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import DoubleType, LongType, NestedField, PrimitiveType, StringType, TimestamptzType
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from config import names
from config.jobs import ALL_JOBS
from config.prices import cluster_use
from config.project_config import Settings
from config.run_tables import CLUSTER, RUN_METRICS
from config.table_spec import Column, TableSpec
from lakehouse.cluster_runs import ClusterRun, StepRun
from lakehouse.table_state import Change

_TYPES: dict[str, tuple[PrimitiveType, pa.DataType]] = {
    "string": (StringType(), pa.string()),
    "bigint": (LongType(), pa.int64()),
    "double": (DoubleType(), pa.float64()),
    "timestamp": (TimestamptzType(), pa.timestamp("us", "UTC")),
}

_equal: Any = EqualTo
"""Its arguments are known at run time only."""

_WRITERS_AT_ONCE = 5
"""Runs of several DAGs that may end in the same second."""


@dataclass(frozen=True)
class RunRow:
    """A row of ``run_metrics``, its columns but for dag_id, run_id and measured_at."""

    part: str
    state: str
    started_at: datetime | None
    seconds: float | None
    retries: int
    rows: int | None = None
    bytes: int | None = None
    cluster_hours: float | None = None
    cost_usd: float | None = None


def run_rows(
    clusters: Sequence[ClusterRun], changes: Mapping[str, Sequence[Change]], now: datetime
) -> list[RunRow]:
    """The rows of a run: its jobs in the order of their first attempts, then its clusters together.

    What a job added is what the snapshots say that it signed while it ran: others may write to its tables.
    """
    steps = [step for cluster in clusters for step in cluster.steps]
    ran = sorted((step for step in steps if step.started), key=lambda step: (step.started or now, step.job))
    rows = [
        _job_row(job, [step for step in ran if step.job == job], changes, now)
        for job in dict.fromkeys(step.job for step in ran)
    ]
    return [*rows, *_cluster_rows(clusters, now)]


def _job_row(
    job: str, attempts: Sequence[StepRun], changes: Mapping[str, Sequence[Change]], now: datetime
) -> RunRow:
    spans = [(each.started or now, each.ended or now) for each in attempts]
    outputs = ALL_JOBS[job].outputs if job in ALL_JOBS else ()
    added = [
        change
        for table in outputs
        for change in changes.get(table, ())
        if change.job == job and any(start <= change.at <= end for start, end in spans)
    ]
    return RunRow(
        part=job,
        state=attempts[-1].state,
        started_at=spans[0][0],
        seconds=_seconds(spans),
        retries=len(attempts) - 1,
        rows=sum(change.added_rows for change in added),
        bytes=sum(change.added_bytes for change in added),
    )


def _cluster_rows(clusters: Sequence[ClusterRun], now: datetime) -> list[RunRow]:
    if not clusters:
        return []
    in_order = sorted(clusters, key=lambda cluster: cluster.created)
    spans = [(cluster.created, cluster.ended or now) for cluster in in_order]
    uses = [
        cluster_use(cluster.core_nodes, (end - start).total_seconds())
        for cluster, (start, end) in zip(in_order, spans, strict=True)
    ]
    row = RunRow(
        part=CLUSTER,
        state=in_order[-1].state,
        started_at=spans[0][0],
        seconds=_seconds(spans),
        retries=len(clusters) - 1,
        cluster_hours=round(sum(use.machine_hours for use in uses), 4),
        cost_usd=round(sum(use.usd for use in uses), 4),
    )
    return [row]


def _seconds(spans: Iterable[tuple[datetime, datetime]]) -> float:
    return round(sum((end - start).total_seconds() for start, end in spans), 1)


def write_rows(settings: Settings, dag_id: str, run_id: str, rows: Sequence[RunRow], now: datetime) -> None:
    """Write a run's rows; those that the run has already are replaced. Safe beside other writers.

    Raises:
        CommitFailedException: other writers were faster each time.
    """
    names_given = {"dag_id": dag_id, "run_id": run_id, "measured_at": now}
    schema = pa.schema([_arrow_field(column) for column in RUN_METRICS.columns])
    data = pa.Table.from_pylist([{**asdict(row), **names_given} for row in rows], schema=schema)
    mine = And(_equal("dag_id", dag_id), _equal("run_id", run_id))
    attempts = Retrying(
        retry=retry_if_exception_type(CommitFailedException),
        stop=stop_after_attempt(_WRITERS_AT_ONCE),
        wait=wait_random_exponential(max=10),
        reraise=True,
    )
    attempts(lambda: _open_table(settings).overwrite(data, overwrite_filter=mine))


def _open_table(settings: Settings) -> Table:
    """The table, made by its specification where it is missing."""
    properties = {"type": "glue", "client.region": settings.aws_region}
    # Arrow alone does not follow the SDKs' variable.
    if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
        properties["s3.endpoint"] = endpoint
    catalog = load_catalog(names.SPARK_CATALOG, **properties)
    identifier = (settings.glue_database, RUN_METRICS.name)
    try:
        return catalog.load_table(identifier)
    except NoSuchTableError:
        return catalog.create_table(
            identifier,
            schema=iceberg_schema(RUN_METRICS),
            # Where Spark would put it.
            location=f"{settings.iceberg_warehouse}{settings.glue_database}.db/{RUN_METRICS.name}",
            properties={"format-version": "2", "write.delete.mode": "copy-on-write"},
        )


def iceberg_schema(spec: TableSpec) -> Schema:
    """The schema of a table of plain columns."""
    fields = [
        NestedField(number, column.name, _TYPES[column.type][0], doc=column.doc, required=not column.nullable)
        for number, column in enumerate(spec.columns, start=1)
    ]
    return Schema(*fields)


def _arrow_field(column: Column) -> pa.Field:
    return pa.field(column.name, _TYPES[column.type][1], nullable=column.nullable)
