"""What a report tells: asked of Athena and EMR."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3

from config import names
from config.project_config import Settings
from config.run_tables import CLUSTER
from lakehouse.cluster_runs import ClusterRun, read_cluster
from lakehouse.clusters import tags_of
from ops.athena import QueryError, run_query
from ops.query_template import saved_queries

log = logging.getLogger(__name__)

Rows = list[dict[str, Any]]

DAYS_SHOWN = 14
RUNS_SHOWN = 10

_OWN = {
    "totals": """
        SELECT sum(total_count) AS events, sum(faulty_count) AS faulty, count(*) AS sensors
        FROM sensor_health""",
    "sensors": "SELECT sensor_id, faulty_pct, total_count FROM sensor_health ORDER BY sensor_id",
    "statuses": "SELECT status, sensor_count FROM status_health ORDER BY sensor_count DESC, status",
    "events": f"""
        SELECT day, event_type, event_count FROM event_geo_kpis_events
        WHERE day > (SELECT max(day) FROM event_geo_kpis_events) - INTERVAL '{DAYS_SHOWN}' DAY
        ORDER BY day, event_type""",  # noqa: S608 - a number of our own
    "weather": """
        SELECT dt, min(temperature_min) AS lowest, avg(temperature_avg) AS mean,
          max(temperature_max) AS highest, avg(precipitation) AS precipitation,
          100e0 * count_if(is_complete) / count(*) AS complete
        FROM weather_daily
        GROUP BY dt HAVING max(temperature_max) IS NOT NULL AND min(temperature_min) IS NOT NULL
        ORDER BY dt""",
    "measured": """
        SELECT day, avg(avg_temp) AS mean FROM temp_humidity_kpis
        WHERE avg_temp IS NOT NULL GROUP BY day ORDER BY day""",
    "reconciled": """
        SELECT run_id, metric, value, verdict, measured_at FROM data_quality_metrics
        WHERE metric LIKE 'reconcile_%' AND measured_at =
          (SELECT max(measured_at) FROM data_quality_metrics WHERE metric LIKE 'reconcile_%')""",
    "runs": f"""
        SELECT dag_id, min(started_at) AS started_at,
          count_if(part <> '{CLUSTER}') AS jobs,
          count_if(part <> '{CLUSTER}' AND state <> 'COMPLETED') AS undone,
          max(CASE WHEN part = '{CLUSTER}' THEN seconds END) AS seconds,
          sum(retries) AS retries, sum(rows) AS rows, sum(bytes) AS bytes,
          sum(cluster_hours) AS cluster_hours, sum(cost_usd) AS cost_usd
        FROM run_metrics GROUP BY dag_id, run_id
        ORDER BY started_at DESC, run_id LIMIT {RUNS_SHOWN}""",  # noqa: S608 - constants of our own
}
_SAVED = (
    "late_data",
    "quarantine_by_day",
    "freshness_of_tables",
    "quality_of_newest_run",
)
"""Questions of sql/athena whose answers the report shows."""


@dataclass(frozen=True)
class Run:
    """A DAG run, by its EMR cluster."""

    run_id: str
    cluster: ClusterRun


@dataclass(frozen=True)
class Facts:
    """All that the page shows. A section whose tables are not there has no rows, and is in ``missing``."""

    settings: Settings
    made_at: datetime
    run: Run | None
    answers: dict[str, Rows]
    missing: dict[str, str] = field(default_factory=dict)


def find_run(emr: Any, run_id: str | None = None) -> Run | None:
    """A run of the DAG by its cluster: the one of this id, or the newest; None if EMR knows none."""
    for listed in _clusters(emr):
        named = listed["Name"].removeprefix(f"{names.DAG_ID}/")
        if run_id in (None, named) or run_id == _tagged_run(emr, listed["Id"]):
            return Run(run_id or named, read_cluster(emr, listed["Id"]))
    return None


def _clusters(emr: Any) -> list[dict[str, Any]]:
    """Clusters of the DAG's runs, newest first."""
    pages = emr.get_paginator("list_clusters").paginate()
    found = [
        each for page in pages for each in page["Clusters"] if each["Name"].startswith(f"{names.DAG_ID}/")
    ]
    return sorted(found, key=lambda each: each["Status"]["Timeline"]["CreationDateTime"], reverse=True)


def _tagged_run(emr: Any, cluster_id: str) -> str | None:
    """The run of a cluster whose name is too short for the run's id."""
    return tags_of(emr.describe_cluster(ClusterId=cluster_id)["Cluster"]).get("run_id")


def gather(session: boto3.session.Session, settings: Settings, run_id: str | None = None) -> Facts:
    """Ask for everything that a report tells.

    Raises:
        QueryError: Athena refuses a query for another reason than that a table is not there yet.
    """
    athena: Any = session.client("athena", region_name=settings.aws_region)
    run = find_run(session.client("emr", region_name=settings.aws_region), run_id)
    saved = {query.name: query.sql for query in saved_queries() if query.name in _SAVED}
    answers: dict[str, Rows] = {}
    missing: dict[str, str] = {}
    for name, sql in {**_OWN, **saved}.items():
        try:
            result = run_query(athena, sql, database=settings.glue_database)
        except QueryError as error:
            if "TABLE_NOT_FOUND" not in str(error):
                raise
            log.info("%s: %s", name, str(error).splitlines()[0])
            answers[name], missing[name] = [], str(error).splitlines()[0]
        else:
            answers[name] = result.records()
    return Facts(settings, datetime.now(UTC), run, answers, missing)
