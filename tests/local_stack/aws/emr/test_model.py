"""The rules by which clusters change, without a server: idleness, and what an earlier process left."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from moto.emr.models import ElasticMapReduceBackend, emr_backends
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from local_stack.aws.context import ServerContext
from local_stack.aws.emr import credentials
from local_stack.aws.emr.model import STATE, Cluster, ClusterState, StepState
from local_stack.aws.emr.node import Credentials
from local_stack.aws.emr.runner import ClusterRunner

NOON = datetime(2026, 1, 1, 12)
ACCOUNT, REGION = "999999999999", "eu-north-1"


@pytest.fixture
def backend() -> ElasticMapReduceBackend:
    """An empty EMR of an account of its own."""
    backend = emr_backends[ACCOUNT][REGION]
    backend.clusters.clear()
    return backend


def _cluster(backend: ElasticMapReduceBackend, **details: object) -> Cluster:
    attributes = {"keep_job_flow_alive_when_no_steps": True}
    defaults: dict[str, object] = {
        "name": "test",
        "log_uri": None,
        "job_flow_role": "EMR_EC2_DefaultRole",
        "service_role": "EMR_DefaultRole",
        "steps": [],
        "instance_attrs": attributes,
    }
    return Cluster(backend, **defaults | details)


def test_a_cluster_is_idle_from_when_its_last_step_ended(backend: ElasticMapReduceBackend) -> None:
    cluster = _cluster(backend)
    cluster.idle_timeout = timedelta(seconds=60)
    cluster.become_ready(NOON)
    assert not cluster.is_idle_too_long(NOON + timedelta(seconds=59))
    assert cluster.is_idle_too_long(NOON + timedelta(seconds=60))

    (step,) = cluster.add_steps([{"name": "work", "hadoop_jar_step": {}, "action_on_failure": "CONTINUE"}])
    cluster.settle(NOON + timedelta(seconds=30))
    assert cluster.state == ClusterState.RUNNING
    assert not cluster.is_idle_too_long(NOON + timedelta(hours=9))

    step.end(StepState.COMPLETED)
    cluster.settle(NOON + timedelta(hours=9))
    assert not cluster.is_idle_too_long(NOON + timedelta(hours=9, seconds=59))
    assert cluster.is_idle_too_long(NOON + timedelta(hours=9, seconds=60))


def test_neither_protection_nor_a_missing_policy_lets_it_end(backend: ElasticMapReduceBackend) -> None:
    cluster = _cluster(backend)
    cluster.become_ready(NOON)
    assert not cluster.is_idle_too_long(NOON + timedelta(days=9))

    cluster.idle_timeout = timedelta(seconds=60)
    cluster.termination_protected = True
    assert not cluster.is_idle_too_long(NOON + timedelta(days=9))


def test_the_runner_ends_a_cluster_that_is_idle_too_long(
    backend: ElasticMapReduceBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "of_machines", lambda *_: Credentials("key", "secret", "token"))
    now = NOON
    runner = ClusterRunner(ServerContext("http://127.0.0.1:9", tmp_path, REGION), clock=lambda: now)
    runner.start()
    with STATE:
        cluster = _cluster(backend)
        cluster.idle_timeout = timedelta(seconds=60)
        STATE.notify_all()

    _wait_for_state(cluster, ClusterState.WAITING)
    now = NOON + timedelta(seconds=60)
    _wait_for_state(cluster, ClusterState.TERMINATED)

    assert cluster.status["StateChangeReason"]["Message"] == "Auto-terminated: idle for too long"
    assert list((tmp_path / "emr").iterdir()) == []
    runner.stop()


def test_the_runner_takes_no_cluster_over_from_an_earlier_process(
    backend: ElasticMapReduceBackend, tmp_path: Path
) -> None:
    steps = [{"name": str(number), "hadoop_jar_step": {}} for number in range(2)]
    cluster = _cluster(backend, steps=steps)
    cluster.become_ready(NOON)
    cluster.steps[0].begin()
    left_over = tmp_path / "emr" / cluster.id
    left_over.mkdir(parents=True)

    runner = ClusterRunner(ServerContext("http://127.0.0.1:9", tmp_path, REGION))
    runner.start()
    runner.stop()

    assert cluster.state == ClusterState.TERMINATED_WITH_ERRORS
    assert cluster.status["StateChangeReason"]["Code"] == "INTERNAL_ERROR"
    assert [step.state for step in cluster.steps] == [StepState.CANCELLED, StepState.CANCELLED]
    assert not left_over.exists()


def _wait_for_state(cluster: Cluster, state: ClusterState) -> None:
    waiting = Retrying(
        retry=retry_if_result(lambda found: found != state), wait=wait_fixed(0.05), stop=stop_after_delay(60)
    )
    waiting(lambda: cluster.state)
