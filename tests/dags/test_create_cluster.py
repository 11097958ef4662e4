"""What asks for a run's cluster: one is made a run, whatever is lost or retried."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException
from botocore.exceptions import ClientError, HTTPClientError

from config.environments import PROFILES
from config.project_config import ConfigError
from lakehouse.aws_calls import LOOKS_AFTER_ERROR
from tests.dags.conftest import BUCKETS
from tests.support.emr_runs import prepared, with_cluster
from tests.support.lossy_aws import Fault, LossyAws
from tests.support.task_runner import TaskRunner


def test_missing_settings_are_one_message(run: TaskRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in BUCKETS:
        monkeypatch.delenv(name)
    with pytest.raises(ConfigError) as raised:
        run.run("check_settings")
    assert len(raised.value.problems) == len(BUCKETS)
    assert all(name in str(raised.value) for name in BUCKETS)


def test_cluster_request_says_the_run_and_the_environments_size(run: TaskRunner) -> None:
    request = prepared(run).xcom_pull("check_settings", "cluster_request")
    assert request["Name"] == f"clickstream_emr_kpis/{run.run_id}"
    tags = {tag["Key"]: tag["Value"] for tag in request["Tags"]}
    assert tags["dag_id"] == "clickstream_emr_kpis"
    assert tags["run_id"] == run.run_id
    core = request["Instances"]["InstanceGroups"][1]
    assert core["InstanceCount"] == PROFILES["dev"].emr_core_nodes
    assert request["AutoTerminationPolicy"]["IdleTimeout"] > 0


def test_core_nodes_parameter_sizes_the_cluster(run: TaskRunner) -> None:
    run.params["core_nodes"] = 7
    request = prepared(run).xcom_pull("check_settings", "cluster_request")
    assert request["Instances"]["InstanceGroups"][1]["InstanceCount"] == 7


def test_create_waits_until_the_cluster_is_ready(
    run: TaskRunner, lossy_aws: LossyAws, slow_clusters: None
) -> None:
    deferred = prepared(run).start("create_cluster")
    cluster = lossy_aws.cluster
    assert deferred is not None
    cluster.state = "WAITING"
    run.finish("create_cluster", deferred)
    assert run.xcom_pull("create_cluster") == cluster.id


def test_retried_create_adopts_the_runs_cluster(
    run: TaskRunner, lossy_aws: LossyAws, slow_clusters: None
) -> None:
    prepared(run).start("create_cluster")
    deferred = run.start("create_cluster")
    lossy_aws.cluster.state = "RUNNING"
    run.finish("create_cluster", deferred)
    assert run.xcom_pull("create_cluster") == lossy_aws.cluster.id
    assert len(lossy_aws.called("RunJobFlow")) == 1


def test_adopting_a_ready_cluster_does_not_wait(run: TaskRunner, lossy_aws: LossyAws) -> None:
    with_cluster(run)
    assert run.start("create_cluster") is None
    assert run.xcom_pull("create_cluster") == lossy_aws.cluster.id


@pytest.mark.parametrize("fault", ["answer lost", "internal error"])
def test_create_whose_answer_is_lost_adopts_what_was_made(
    run: TaskRunner, lossy_aws: LossyAws, fault: Fault
) -> None:
    prepared(run)
    lossy_aws.faults["RunJobFlow"] = [fault]
    run.run("create_cluster")
    assert run.xcom_pull("create_cluster") == lossy_aws.cluster.id
    assert len(lossy_aws.called("RunJobFlow")) == 1, "the SDK must not send it again"


def test_create_that_never_arrives_is_an_error_and_makes_nothing(
    run: TaskRunner, lossy_aws: LossyAws
) -> None:
    prepared(run)
    lossy_aws.faults["RunJobFlow"] = ["never arrives"]
    with pytest.raises(HTTPClientError):
        run.run("create_cluster")
    assert lossy_aws.emr.clusters == {}
    assert len(lossy_aws.called("ListClusters")) == 1 + LOOKS_AFTER_ERROR


def test_throttled_create_is_left_to_airflows_retry(run: TaskRunner, lossy_aws: LossyAws) -> None:
    prepared(run)
    lossy_aws.faults["RunJobFlow"] = ["throttled"]
    with pytest.raises(ClientError, match="Rate exceeded"):
        run.start("create_cluster")
    assert lossy_aws.emr.clusters == {}
    assert len(lossy_aws.called("ListClusters")) == 1, "a clear refusal leaves nothing to look for"
    run.run("create_cluster")
    assert lossy_aws.cluster_states == ["WAITING"]


def test_cluster_of_another_run_is_not_adopted(run: TaskRunner, lossy_aws: LossyAws, kpis_dag: Any) -> None:
    with_cluster(run)
    other = TaskRunner(kpis_dag, run_id="manual__2026-11-23T03:00:00+00:00")
    with_cluster(other)
    assert other.xcom_pull("create_cluster") != run.xcom_pull("create_cluster")


def test_cluster_with_the_name_but_not_the_tags_is_not_adopted(run: TaskRunner, lossy_aws: LossyAws) -> None:
    with_cluster(run)
    lossy_aws.cluster.add_tags({"environment": "prod"})
    run.run("create_cluster")
    assert lossy_aws.cluster_states == ["WAITING", "WAITING"]


def test_cluster_that_has_ended_is_not_adopted(run: TaskRunner, lossy_aws: LossyAws) -> None:
    with_cluster(run)
    lossy_aws.cluster.terminate()
    run.run("create_cluster")
    assert lossy_aws.cluster_states == ["TERMINATED", "WAITING"]


@pytest.mark.parametrize("state", ["TERMINATED", "TERMINATED_WITH_ERRORS"])
def test_cluster_that_ends_while_starting_is_an_error_with_emrs_reason(
    run: TaskRunner, lossy_aws: LossyAws, slow_clusters: None, state: str
) -> None:
    deferred = prepared(run).start("create_cluster")
    cluster = lossy_aws.cluster
    cluster.state = state
    cluster.last_state_change_reason = "On the master instance, bootstrap action 1 returned 1"
    with pytest.raises(AirflowException, match=rf"{state}.*bootstrap action 1"):
        run.finish("create_cluster", deferred)
