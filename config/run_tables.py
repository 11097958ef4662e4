"""Specification of the table in which the runs of the DAGs account for themselves."""

from __future__ import annotations

from config.table_spec import Column, TableSpec

CLUSTER = "cluster"
"""Value of ``part`` in the row of a run's cluster."""

RUN_METRICS = TableSpec(
    name="run_metrics",
    doc="What each run did and took: a row for each of its jobs, one for its cluster. Every column adds up.",
    columns=(
        Column("dag_id", "string", "The DAG", nullable=False),
        Column("run_id", "string", "The run", nullable=False),
        Column("part", "string", "A job of the run, or cluster", nullable=False),
        Column(
            "state", "string", "How it ended: EMR's state of the last step, or of the cluster", nullable=False
        ),
        Column("started_at", "timestamp", "When it started, UTC"),
        Column("seconds", "double", "How long it ran, all attempts together"),
        Column("retries", "bigint", "Attempts after the first"),
        Column("rows", "bigint", "Rows that the job added to its tables; one changed counts as added"),
        Column("bytes", "bigint", "Size of the data files that it added"),
        Column("cluster_hours", "double", "Hours of all machines together, from start to end"),
        Column("cost_usd", "double", "Estimate by config/prices.py, US dollars"),
        Column("measured_at", "timestamp", "When the row was written, UTC", nullable=False),
    ),
    key=("dag_id", "run_id", "part"),
    sort=("run_id", "part"),
)
