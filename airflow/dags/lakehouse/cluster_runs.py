"""What EMR tells of a cluster's life and of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from config.cluster import CORE_NODES_TAG
from lakehouse.clusters import tags_of


@dataclass(frozen=True)
class StepRun:
    """One attempt of a job: EMR's state of the step, and when it ran (None: it has not come so far)."""

    job: str
    state: str
    started: datetime | None
    ended: datetime | None


@dataclass(frozen=True)
class ClusterRun:
    """A cluster of a run: its state and life (None: it has not come so far), and its steps."""

    id: str
    state: str
    created: datetime
    ready: datetime | None
    ended: datetime | None
    core_nodes: int
    steps: tuple[StepRun, ...]


def read_cluster(emr: Any, cluster_id: str) -> ClusterRun:
    """A cluster and its steps, as EMR tells of them."""
    cluster = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
    life = cluster["Status"]["Timeline"]
    pages = emr.get_paginator("list_steps").paginate(ClusterId=cluster_id)
    return ClusterRun(
        id=cluster_id,
        state=cluster["Status"]["State"],
        created=life["CreationDateTime"].astimezone(UTC),
        ready=_utc(life.get("ReadyDateTime")),
        ended=_utc(life.get("EndDateTime")),
        core_nodes=int(tags_of(cluster).get(CORE_NODES_TAG, 1)),
        steps=tuple(_step(step) for page in pages for step in page["Steps"]),
    )


def _step(step: Mapping[str, Any]) -> StepRun:
    timeline = step["Status"].get("Timeline", {})
    return StepRun(
        job=step["Name"],
        state=step["Status"]["State"],
        started=_utc(timeline.get("StartDateTime")),
        ended=_utc(timeline.get("EndDateTime")),
    )


def _utc(time: datetime | None) -> datetime | None:
    """A time of boto3's, which are in the machine's zone."""
    return time.astimezone(UTC) if time else None
