"""What the tasks of jobs do to EMR: one step a job, whatever is lost, retried, cleared or killed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from config.jobs import KPI_JOBS
from lakehouse.triggers import StepTrigger
from tests.support.emr_runs import put_log, with_cluster
from tests.support.lossy_aws import Fault, LossyAws
from tests.support.task_runner import TaskRunner

JOB = "kpi_event_geo"
OTHER_JOB = "kpi_sensor_health"


def test_step_runs_and_its_output_reaches_the_log(
    run: TaskRunner, lossy_aws: LossyAws, capsys: pytest.CaptureFixture[str]
) -> None:
    deferred = with_cluster(run).start(JOB)
    (step,) = lossy_aws.cluster.steps
    assert step.name == JOB
    put_log(run, step.id, "stdout", "rows read: 200000\n")
    step.state = "COMPLETED"
    run.finish(JOB, deferred)
    assert run.xcom_pull(JOB) == step.id
    assert "rows read: 200000" in capsys.readouterr().out
    assert run.xcom_pull(JOB, "log_uri") == (
        f"s3://test-logs/emr-logs/{run.xcom_pull('create_cluster')}/steps/{step.id}/stderr.gz"
    )


@pytest.mark.parametrize("state", ["PENDING", "RUNNING"])
def test_retried_task_adopts_the_step_of_its_run(run: TaskRunner, lossy_aws: LossyAws, state: str) -> None:
    with_cluster(run).start(JOB)
    (step,) = lossy_aws.cluster.steps
    step.state = state
    deferred = run.start(JOB)
    assert [again.id for again in lossy_aws.cluster.steps] == [step.id]
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
    (step,) = lossy_aws.cluster.steps
    assert run.xcom_pull(JOB, "step_id") == step.id
    assert len(lossy_aws.called("AddJobFlowSteps")) == 1


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "CANCELLED"])
def test_cleared_task_whose_step_has_ended_submits_again(
    run: TaskRunner, lossy_aws: LossyAws, state: str
) -> None:
    with_cluster(run).start(JOB)
    (first,) = lossy_aws.cluster.steps
    first.state = state
    run.start(JOB)
    names = [step.name for step in lossy_aws.cluster.steps]
    assert names == [JOB, JOB]
    assert run.xcom_pull(JOB, "step_id") != first.id


def test_step_of_another_job_is_not_adopted(run: TaskRunner, lossy_aws: LossyAws) -> None:
    with_cluster(run).start(OTHER_JOB)
    run.start(JOB)
    assert [step.name for step in lossy_aws.cluster.steps] == [OTHER_JOB, JOB]


def test_cancelled_step_may_be_retried(run: TaskRunner, lossy_aws: LossyAws) -> None:
    deferred = with_cluster(run).start(JOB)
    lossy_aws.cluster.steps[0].state = "CANCELLED"
    with pytest.raises(AirflowException, match="CANCELLED") as raised:
        run.finish(JOB, deferred)
    assert not isinstance(raised.value, AirflowFailException)


def test_step_that_does_not_end_is_cancelled(
    run: TaskRunner, lossy_aws: LossyAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    deferred = with_cluster(run).start(JOB)
    assert deferred is not None
    monkeypatch.setattr(deferred.trigger, "attempts", 1)
    (step,) = lossy_aws.cluster.steps
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
    assert lossy_aws.cluster.steps == []
