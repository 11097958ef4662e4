"""The operators against the emulated EMR, whose steps really run, fail, hang and are cancelled."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from botocore.exceptions import ClientError

from lakehouse.clusters import cluster_state
from lakehouse.steps import step_status
from lakehouse.triggers import StepTrigger
from tests.dags.conftest import BUCKETS
from tests.support.emr import ensure_default_roles
from tests.support.emulated_aws import EmulatedAws
from tests.support.task_runner import TaskRunner

pytestmark = pytest.mark.aws

JOB = "kpi_event_geo"


@pytest.fixture
def emulated_run(
    settings_environment: dict[str, str],
    aws_environment: EmulatedAws,
    kpis_dag: DAG,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """A run with its cluster; terminated afterwards."""
    s3 = aws_environment.client("s3")
    for bucket in set(BUCKETS.values()) - {each["Name"] for each in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws_environment.region}
        )
    ensure_default_roles(aws_environment.client("iam"))
    monkeypatch.setenv("EMR_SERVICE_ROLE", "EMR_DefaultRole")
    monkeypatch.setenv("EMR_JOB_FLOW_ROLE", "EMR_EC2_DefaultRole")
    monkeypatch.setattr("lakehouse.wheelhouse.download_wheels", lambda lock, wheels, folder: None)
    run = TaskRunner(kpis_dag, run_id=f"manual__{request.node.name}")
    run.run("check_settings")
    # These steps are shell scripts and need no wheels; the chain test installs the wheelhouse.
    del run.xcoms["check_settings", "cluster_request"]["BootstrapActions"]
    run.run("publish_bundle", "create_cluster")
    yield run
    run.run("terminate_cluster")
    state, _ = cluster_state(aws_environment.client("emr"), run.xcom_pull("create_cluster"))
    assert state == "TERMINATED"


def let_step_be(run: TaskRunner, script: str) -> None:
    """Have the job's step run a shell script instead of Spark."""
    run.xcoms["publish_bundle", JOB] = {
        "Name": JOB,
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["bash", "-c", script]},
    }


def state_of(aws: EmulatedAws, run: TaskRunner) -> str:
    """State of the step that the task submitted last."""
    status = step_status(aws.client("emr"), run.xcom_pull("create_cluster"), run.xcom_pull(JOB, "step_id"))
    return status.state


def test_output_of_a_step_reaches_the_tasks_log(
    emulated_run: TaskRunner, capsys: pytest.CaptureFixture[str]
) -> None:
    let_step_be(emulated_run, "echo rows read: 7")
    emulated_run.run(JOB)
    assert "rows read: 7" in capsys.readouterr().out


def test_failing_step_says_why(emulated_run: TaskRunner, capsys: pytest.CaptureFixture[str]) -> None:
    let_step_be(emulated_run, "echo no such table >&2; exit 3")
    with pytest.raises(AirflowFailException, match=f"{JOB}.*FAILED"):
        emulated_run.run(JOB)
    assert "no such table" in capsys.readouterr().out


def test_hung_step_is_ended_by_its_own_time_limit(emulated_run: TaskRunner) -> None:
    let_step_be(emulated_run, "timeout --kill-after=1 1 sleep 600")
    with pytest.raises(AirflowFailException, match=r"FAILED: time limit: .*exitCode 124"):
        emulated_run.run(JOB)


def test_killed_driver_is_worth_a_retry(emulated_run: TaskRunner) -> None:
    let_step_be(emulated_run, "kill -KILL $$")
    with pytest.raises(AirflowException, match=r"FAILED: killed: .*exitCode 137"):
        emulated_run.run(JOB)


def test_killed_task_cancels_its_step_and_a_cleared_one_submits_another(
    emulated_run: TaskRunner, aws_environment: EmulatedAws
) -> None:
    let_step_be(emulated_run, "sleep 600")
    deferred = emulated_run.start(JOB)
    assert deferred is not None
    _, arguments = deferred.trigger.serialize()
    asyncio.run(StepTrigger(**arguments).on_kill())
    with pytest.raises(AirflowException, match="CANCELLED"):
        emulated_run.finish(JOB, deferred)
    first = emulated_run.xcom_pull(JOB, "step_id")
    let_step_be(emulated_run, "true")
    emulated_run.run(JOB)
    assert emulated_run.xcom_pull(JOB, "step_id") != first
    assert state_of(aws_environment, emulated_run) == "COMPLETED"


def test_retried_task_adopts_the_running_step(emulated_run: TaskRunner) -> None:
    let_step_be(emulated_run, "sleep 3")
    emulated_run.start(JOB)
    first = emulated_run.xcom_pull(JOB, "step_id")
    emulated_run.run(JOB)
    assert emulated_run.xcom_pull(JOB) == first


def test_step_whose_cluster_is_terminated_fails_and_a_retry_says_that_it_is_gone(
    emulated_run: TaskRunner, aws_environment: EmulatedAws
) -> None:
    let_step_be(emulated_run, "sleep 600")
    deferred = emulated_run.start(JOB)
    aws_environment.client("emr").terminate_job_flows(JobFlowIds=[emulated_run.xcom_pull("create_cluster")])
    with pytest.raises(AirflowException, match=r"FAILED|CANCELLED|INTERRUPTED"):
        emulated_run.finish(JOB, deferred)
    with pytest.raises(ClientError, match="shutting down, terminated, or finished"):
        emulated_run.start(JOB)


def test_step_that_vanished_fails_its_task(emulated_run: TaskRunner) -> None:
    let_step_be(emulated_run, "true")
    deferred = emulated_run.start(JOB)
    assert deferred is not None
    deferred.trigger.waiter_args["StepId"] = "s-VANISHED"
    deferred.kwargs["step_id"] = "s-VANISHED"
    with pytest.raises(AirflowException, match="s-VANISHED has vanished"):
        emulated_run.finish(JOB, deferred)
