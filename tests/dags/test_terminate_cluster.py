"""The end of a run's cluster, whatever became of the task that made it."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from airflow.sdk.exceptions import AirflowException
from botocore.exceptions import ClientError
from moto.emr.models import Cluster

from tests.support.emr_runs import prepared, with_cluster
from tests.support.lossy_aws import LossyAws
from tests.support.task_runner import TaskRunner


def test_terminate_ends_the_runs_cluster_and_no_other(
    run: TaskRunner, lossy_aws: LossyAws, kpis_dag: Any
) -> None:
    with_cluster(TaskRunner(kpis_dag, run_id="scheduled__2026-11-21T03:00:00+00:00"))
    with_cluster(run)
    run.run("terminate_cluster")
    assert lossy_aws.cluster_states == ["WAITING", "TERMINATED"]


def test_terminate_ends_every_cluster_of_the_run(run: TaskRunner, lossy_aws: LossyAws) -> None:
    request = prepared(run).xcom_pull("check_settings", "cluster_request")
    emr = boto3.client("emr", region_name="eu-north-1")
    for _ in range(2):
        emr.run_job_flow(**request)
    run.run("terminate_cluster")
    assert lossy_aws.cluster_states == ["TERMINATED", "TERMINATED"]


def test_terminate_without_a_cluster_succeeds(run: TaskRunner, lossy_aws: LossyAws) -> None:
    prepared(run).run("terminate_cluster")
    assert lossy_aws.called("TerminateJobFlows") == []


def test_terminate_waits_for_a_cluster_that_is_ending(
    run: TaskRunner, lossy_aws: LossyAws, slow_clusters: None
) -> None:
    prepared(run).start("create_cluster")
    cluster = lossy_aws.cluster
    cluster.terminate()
    deferred = run.start("terminate_cluster")
    assert deferred is not None
    cluster.state = "TERMINATED_WITH_ERRORS"
    run.finish("terminate_cluster", deferred)


def test_cluster_that_does_not_end_fails_the_task(
    run: TaskRunner, slow_clusters: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(run).start("create_cluster")
    deferred = run.start("terminate_cluster")
    assert deferred is not None
    monkeypatch.setattr(deferred.trigger, "attempts", 1)
    with pytest.raises(AirflowException, match="does not end: TERMINATING"):
        run.finish("terminate_cluster", deferred)


def test_throttled_terminate_is_sent_again(run: TaskRunner, lossy_aws: LossyAws) -> None:
    with_cluster(run)
    lossy_aws.faults["TerminateJobFlows"] = ["throttled", "throttled"]
    run.run("terminate_cluster")
    assert lossy_aws.cluster_states == ["TERMINATED"]


def test_terminate_that_stays_throttled_is_left_to_airflows_retry(
    run: TaskRunner, lossy_aws: LossyAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_cluster(run)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    lossy_aws.faults["TerminateJobFlows"] = ["throttled", "throttled"]
    with pytest.raises(ClientError, match="Rate exceeded"):
        run.run("terminate_cluster")
    assert lossy_aws.cluster_states == ["WAITING"]
    assert run.dag.get_task("terminate_cluster").retries > 0
    run.run("terminate_cluster")
    assert lossy_aws.cluster_states == ["TERMINATED"]


def test_failed_create_leaves_no_cluster_once_the_teardown_has_run(
    run: TaskRunner, lossy_aws: LossyAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cluster, "run_bootstrap_actions", lambda cluster: None)
    prepared(run).start("create_cluster")
    assert lossy_aws.cluster_states == ["STARTING"]
    # Worker or triggerer are killed here: no task ever learns the cluster's id.
    run.run("terminate_cluster")
    assert lossy_aws.cluster_states == ["TERMINATED"]
