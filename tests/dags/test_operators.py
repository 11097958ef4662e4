"""What the tasks do to EMR: one cluster a run, one step a job, whatever is lost, retried or cleared."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path
from threading import Timer
from typing import Any

import boto3
import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from botocore.exceptions import ClientError, HTTPClientError
from moto.emr.models import Cluster

from config.environments import PROFILES
from config.jobs import JOBS, KPI_JOBS
from config.project_config import ConfigError
from lakehouse.aws_calls import LOOKS_AFTER_ERROR
from lakehouse.operators import DIAGNOSIS
from lakehouse.triggers import StepTrigger
from tests.dags.conftest import BUCKETS
from tests.support.lossy_aws import Fault, LossyAws
from tests.support.task_runner import TaskRunner

JOB = "kpi_event_geo"
OTHER_JOB = "kpi_sensor_health"


def states(aws: LossyAws) -> list[str]:
    """States of all clusters ever made, in order of their making."""
    clusters = sorted(aws.emr.clusters.values(), key=lambda cluster: cluster.creation_datetime)
    return [cluster.state for cluster in clusters]


def the_cluster(aws: LossyAws) -> Any:
    """The only cluster, as moto keeps it."""
    (cluster,) = aws.emr.clusters.values()
    return cluster


def prepared(run: TaskRunner) -> TaskRunner:
    """The run after check_settings."""
    run.run("check_settings")
    return run


def with_cluster(run: TaskRunner) -> TaskRunner:
    """The run up to its ready cluster."""
    run.run("check_settings", "publish_bundle", "create_cluster")
    return run


# check_settings


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


# create_cluster


def test_create_waits_until_the_cluster_is_ready(
    run: TaskRunner, lossy_aws: LossyAws, slow_clusters: None
) -> None:
    deferred = prepared(run).start("create_cluster")
    cluster = the_cluster(lossy_aws)
    assert deferred is not None
    cluster.state = "WAITING"
    run.finish("create_cluster", deferred)
    assert run.xcom_pull("create_cluster") == cluster.id


def test_retried_create_adopts_the_runs_cluster(
    run: TaskRunner, lossy_aws: LossyAws, slow_clusters: None
) -> None:
    prepared(run).start("create_cluster")
    deferred = run.start("create_cluster")
    the_cluster(lossy_aws).state = "RUNNING"
    run.finish("create_cluster", deferred)
    assert run.xcom_pull("create_cluster") == the_cluster(lossy_aws).id
    assert len(lossy_aws.called("RunJobFlow")) == 1


def test_adopting_a_ready_cluster_does_not_wait(run: TaskRunner, lossy_aws: LossyAws) -> None:
    with_cluster(run)
    assert run.start("create_cluster") is None
    assert run.xcom_pull("create_cluster") == the_cluster(lossy_aws).id


@pytest.mark.parametrize("fault", ["answer lost", "internal error"])
def test_create_whose_answer_is_lost_adopts_what_was_made(
    run: TaskRunner, lossy_aws: LossyAws, fault: Fault
) -> None:
    prepared(run)
    lossy_aws.faults["RunJobFlow"] = [fault]
    run.run("create_cluster")
    assert run.xcom_pull("create_cluster") == the_cluster(lossy_aws).id
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
    assert states(lossy_aws) == ["WAITING"]


def test_cluster_of_another_run_is_not_adopted(run: TaskRunner, lossy_aws: LossyAws, kpis_dag: Any) -> None:
    with_cluster(run)
    other = TaskRunner(kpis_dag, run_id="manual__2026-11-23T03:00:00+00:00")
    with_cluster(other)
    assert other.xcom_pull("create_cluster") != run.xcom_pull("create_cluster")


def test_cluster_with_the_name_but_not_the_tags_is_not_adopted(run: TaskRunner, lossy_aws: LossyAws) -> None:
    with_cluster(run)
    the_cluster(lossy_aws).add_tags({"environment": "prod"})
    run.run("create_cluster")
    assert states(lossy_aws) == ["WAITING", "WAITING"]


def test_cluster_that_has_ended_is_not_adopted(run: TaskRunner, lossy_aws: LossyAws) -> None:
    with_cluster(run)
    the_cluster(lossy_aws).terminate()
    run.run("create_cluster")
    assert states(lossy_aws) == ["TERMINATED", "WAITING"]


@pytest.mark.parametrize("state", ["TERMINATED", "TERMINATED_WITH_ERRORS"])
def test_cluster_that_ends_while_starting_is_an_error_with_emrs_reason(
    run: TaskRunner, lossy_aws: LossyAws, slow_clusters: None, state: str
) -> None:
    deferred = prepared(run).start("create_cluster")
    cluster = the_cluster(lossy_aws)
    cluster.state = state
    cluster.last_state_change_reason = "On the master instance, bootstrap action 1 returned 1"
    with pytest.raises(AirflowException, match=rf"{state}.*bootstrap action 1"):
        run.finish("create_cluster", deferred)


# Steps


def test_step_runs_and_its_output_reaches_the_log(
    run: TaskRunner, lossy_aws: LossyAws, capsys: pytest.CaptureFixture[str]
) -> None:
    deferred = with_cluster(run).start(JOB)
    (step,) = the_cluster(lossy_aws).steps
    assert step.name == JOB
    put_log(run, step.id, "stdout", "rows read: 200000\n")
    step.state = "COMPLETED"
    run.finish(JOB, deferred)
    assert run.xcom_pull(JOB) == step.id
    assert "rows read: 200000" in capsys.readouterr().out
    assert run.xcom_pull(JOB, "log_uri") == (
        f"s3://test-logs/emr-logs/{run.xcom_pull('create_cluster')}/steps/{step.id}/stderr.gz"
    )


def put_log(run: TaskRunner, step_id: str, stream: str, text: str) -> None:
    """Put a step's log where EMR does."""
    key = f"emr-logs/{run.xcom_pull('create_cluster')}/steps/{step_id}/{stream}.gz"
    body = gzip.compress(text.encode())
    boto3.client("s3", region_name="eu-north-1").put_object(Bucket="test-logs", Key=key, Body=body)


@pytest.mark.parametrize("state", ["PENDING", "RUNNING"])
def test_retried_task_adopts_the_step_of_its_run(run: TaskRunner, lossy_aws: LossyAws, state: str) -> None:
    with_cluster(run).start(JOB)
    (step,) = the_cluster(lossy_aws).steps
    step.state = state
    deferred = run.start(JOB)
    assert [again.id for again in the_cluster(lossy_aws).steps] == [step.id]
    step.state = "COMPLETED"
    run.finish(JOB, deferred)
    assert run.xcom_pull(JOB) == step.id


@pytest.mark.parametrize("fault", ["answer lost", "internal error"])
def test_submission_whose_answer_is_lost_is_adopted(
    run: TaskRunner, lossy_aws: LossyAws, fault: Fault
) -> None:
    with_cluster(run)
    lossy_aws.faults["AddJobFlowSteps"] = [fault]
    run.start(JOB)
    (step,) = the_cluster(lossy_aws).steps
    assert run.xcom_pull(JOB, "step_id") == step.id
    assert len(lossy_aws.called("AddJobFlowSteps")) == 1


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "CANCELLED"])
def test_cleared_task_whose_step_has_ended_submits_again(
    run: TaskRunner, lossy_aws: LossyAws, state: str
) -> None:
    with_cluster(run).start(JOB)
    (first,) = the_cluster(lossy_aws).steps
    first.state = state
    run.start(JOB)
    names = [step.name for step in the_cluster(lossy_aws).steps]
    assert names == [JOB, JOB]
    assert run.xcom_pull(JOB, "step_id") != first.id


def test_step_of_another_job_is_not_adopted(run: TaskRunner, lossy_aws: LossyAws) -> None:
    with_cluster(run).start(OTHER_JOB)
    run.start(JOB)
    assert [step.name for step in the_cluster(lossy_aws).steps] == [OTHER_JOB, JOB]


def test_failed_step_is_told_with_the_end_of_its_log_and_not_retried(
    run: TaskRunner, lossy_aws: LossyAws, capsys: pytest.CaptureFixture[str]
) -> None:
    deferred = with_cluster(run).start(JOB)
    (step,) = the_cluster(lossy_aws).steps
    lines = [f"line {number}" for number in range(100)] + [
        "java.io.IOException: gone",
        "\tat a.B.c(B.java:1)",
    ]
    put_log(run, step.id, "stderr", "\n".join(lines))
    put_log(run, step.id, "stdout", "pyspark.errors.AnalysisException: no such column\n")
    step.state = "FAILED"
    step.last_state_change_reason = "Unknown Error."
    with pytest.raises(AirflowFailException, match=rf"{JOB}.*FAILED: code: .*no such column"):
        run.finish(JOB, deferred)
    assert run.xcom_pull(JOB, DIAGNOSIS)["cause"] == "code"
    logged = capsys.readouterr().out
    assert "EMR says: Unknown Error." in logged
    assert "A retry: meets the same again" in logged
    assert "AnalysisException: no such column" in logged
    assert "line 62\n" in logged
    assert "line 61\n" not in logged
    assert f"steps/{step.id}/stderr.gz" in logged


def test_failed_step_whose_log_is_not_there_yet_says_how_to_read_it(
    run: TaskRunner, lossy_aws: LossyAws, capsys: pytest.CaptureFixture[str]
) -> None:
    deferred = with_cluster(run).start(JOB)
    (step,) = the_cluster(lossy_aws).steps
    step.state = "FAILED"
    with pytest.raises(AirflowFailException):
        run.finish(JOB, deferred)
    cluster_id = run.xcom_pull("create_cluster")
    assert f"emr_boto_helper.py logs --cluster {cluster_id} --step {step.id}" in capsys.readouterr().out


def test_step_that_failed_for_what_passes_is_tried_again(run: TaskRunner, lossy_aws: LossyAws) -> None:
    deferred = with_cluster(run).start(JOB)
    (step,) = the_cluster(lossy_aws).steps
    record = Path(__file__).with_name("step_failures") / "throttled_by_glue"
    for stream in ("stderr", "stdout"):
        put_log(run, step.id, stream, (record / f"{stream}.txt").read_text())
    step.state = "FAILED"
    with pytest.raises(AirflowException, match=r"throttled: .*Rate exceeded") as raised:
        run.finish(JOB, deferred)
    assert not isinstance(raised.value, AirflowFailException)
    run.start(JOB)
    assert [again.name for again in the_cluster(lossy_aws).steps] == [JOB, JOB]


def test_logs_that_come_late_are_waited_for(
    run: TaskRunner, lossy_aws: LossyAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse.step_logs.LOG_WAIT_SECONDS", 60.0)
    monkeypatch.setattr("lakehouse.step_logs.LOG_POLL_SECONDS", 0.1)
    deferred = with_cluster(run).start(JOB)
    (step,) = the_cluster(lossy_aws).steps
    step.state = "FAILED"
    later = Timer(1.0, put_log, (run, step.id, "stdout", "MemoryError\n"))
    later.start()
    with pytest.raises(AirflowFailException, match="out of memory: MemoryError"):
        run.finish(JOB, deferred)
    later.join()


def test_cancelled_step_may_be_retried(run: TaskRunner, lossy_aws: LossyAws) -> None:
    deferred = with_cluster(run).start(JOB)
    the_cluster(lossy_aws).steps[0].state = "CANCELLED"
    with pytest.raises(AirflowException, match="CANCELLED") as raised:
        run.finish(JOB, deferred)
    assert not isinstance(raised.value, AirflowFailException)


def test_step_that_does_not_end_is_cancelled(
    run: TaskRunner, lossy_aws: LossyAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    deferred = with_cluster(run).start(JOB)
    assert deferred is not None
    monkeypatch.setattr(deferred.trigger, "attempts", 1)
    (step,) = the_cluster(lossy_aws).steps
    with pytest.raises(AirflowException, match=r"RUNNING.*was cancelled: .*max attempts"):
        run.finish(JOB, deferred)
    assert step.state == "CANCELLED"


def test_user_action_on_a_waiting_task_cancels_its_step(run: TaskRunner, lossy_aws: LossyAws) -> None:
    deferred = with_cluster(run).start(JOB)
    assert deferred is not None
    classpath, arguments = deferred.trigger.serialize()
    assert classpath == "lakehouse.triggers.StepTrigger", "the triggerer imports it by this name"
    asyncio.run(StepTrigger(**arguments).on_kill())
    (asked,) = lossy_aws.called("CancelSteps")
    assert asked["StepIds"] == [run.xcom_pull(JOB, "step_id")]
    assert asked["StepCancellationOption"] == "SEND_INTERRUPT"


def test_waiting_is_not_cut_at_thirty_minutes(run: TaskRunner, kpis_dag: Any) -> None:
    deferred = with_cluster(run).start(JOB)
    assert deferred is not None
    waits = deferred.trigger.attempts * deferred.trigger.waiter_delay
    step_limits = sum(job.time_limit_minutes for job in KPI_JOBS) * 60
    assert waits > step_limits
    assert deferred.timeout.total_seconds() > kpis_dag.get_task(JOB).wait_limit.total_seconds()


def test_job_left_out_of_the_run_is_skipped(run: TaskRunner, lossy_aws: LossyAws) -> None:
    run.params["jobs"] = [OTHER_JOB]
    with_cluster(run)
    with pytest.raises(AirflowSkipException, match=JOB):
        run.start(JOB)
    assert the_cluster(lossy_aws).steps == []


# terminate_cluster


def test_terminate_ends_the_runs_cluster_and_no_other(
    run: TaskRunner, lossy_aws: LossyAws, kpis_dag: Any
) -> None:
    with_cluster(TaskRunner(kpis_dag, run_id="scheduled__2026-11-21T03:00:00+00:00"))
    with_cluster(run)
    run.run("terminate_cluster")
    assert states(lossy_aws) == ["WAITING", "TERMINATED"]


def test_terminate_ends_every_cluster_of_the_run(run: TaskRunner, lossy_aws: LossyAws) -> None:
    request = prepared(run).xcom_pull("check_settings", "cluster_request")
    emr = boto3.client("emr", region_name="eu-north-1")
    for _ in range(2):
        emr.run_job_flow(**request)
    run.run("terminate_cluster")
    assert states(lossy_aws) == ["TERMINATED", "TERMINATED"]


def test_terminate_without_a_cluster_succeeds(run: TaskRunner, lossy_aws: LossyAws) -> None:
    prepared(run).run("terminate_cluster")
    assert lossy_aws.called("TerminateJobFlows") == []


def test_terminate_waits_for_a_cluster_that_is_ending(
    run: TaskRunner, lossy_aws: LossyAws, slow_clusters: None
) -> None:
    prepared(run).start("create_cluster")
    cluster = the_cluster(lossy_aws)
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
    assert states(lossy_aws) == ["TERMINATED"]


def test_failed_create_leaves_no_cluster_once_the_teardown_has_run(
    run: TaskRunner, lossy_aws: LossyAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cluster, "run_bootstrap_actions", lambda cluster: None)
    prepared(run).start("create_cluster")
    assert states(lossy_aws) == ["STARTING"]
    # Worker or triggerer are killed here: no task ever learns the cluster's id.
    run.run("terminate_cluster")
    assert states(lossy_aws) == ["TERMINATED"]


# all_jobs_done


def test_verdict_of_a_run_whose_jobs_succeeded(run: TaskRunner) -> None:
    run.states = dict.fromkeys(JOBS, "success")
    run.run("all_jobs_done")


def test_verdict_counts_only_the_runs_own_jobs(run: TaskRunner) -> None:
    run.params["jobs"] = [JOB]
    run.states = {JOB: "success", OTHER_JOB: "skipped"}
    run.run("all_jobs_done")


@pytest.mark.parametrize("state", ["failed", "upstream_failed", "skipped", "removed"])
def test_verdict_names_what_did_not_succeed(run: TaskRunner, state: str) -> None:
    run.states = dict.fromkeys(JOBS, "success") | {JOB: state}
    with pytest.raises(AirflowFailException, match=f"{JOB} is {state}"):
        run.run("all_jobs_done")
