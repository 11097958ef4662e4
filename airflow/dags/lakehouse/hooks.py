"""The provider's EMR hook, made idempotent."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.providers.amazon.aws.hooks.emr import EmrHook

from lakehouse.aws_calls import NO_RETRIES
from lakehouse.clusters import ensure_cluster
from lakehouse.steps import ensure_step


class IdempotentEmrHook(EmrHook):
    """An EmrHook that makes a cluster and a step once, and finds them again afterwards."""

    @cached_property
    def _conn_without_retries(self) -> Any:
        return self.get_client_type(region_name=self.region_name, config=NO_RETRIES)

    def create_job_flow(self, job_flow_overrides: dict[str, Any]) -> dict[str, Any]:
        """Adopt the live cluster that this request made, or make it."""
        cluster_id = ensure_cluster(self.conn, self._conn_without_retries, job_flow_overrides)
        return {"JobFlowId": cluster_id, "ResponseMetadata": {"HTTPStatusCode": 200}}

    def add_job_flow_steps(self, job_flow_id: str, steps: Any = None, **_: Any) -> list[str]:
        """Adopt the pending or running steps of these names, or submit them."""
        return [ensure_step(self.conn, self._conn_without_retries, job_flow_id, step) for step in steps]
