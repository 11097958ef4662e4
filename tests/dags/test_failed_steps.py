"""A step that failed: what its task says of it, and whether it is tried again."""

from __future__ import annotations

from pathlib import Path
from threading import Timer

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from lakehouse.operators import DIAGNOSIS
from tests.support.emr_runs import put_log, with_cluster
from tests.support.lossy_aws import LossyAws
from tests.support.task_runner import TaskRunner

JOB = "kpi_event_geo"


def test_failed_step_is_told_with_the_end_of_its_log_and_not_retried(
    run: TaskRunner, lossy_aws: LossyAws, capsys: pytest.CaptureFixture[str]
) -> None:
    deferred = with_cluster(run).start(JOB)
    (step,) = lossy_aws.cluster.steps
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
    (step,) = lossy_aws.cluster.steps
    step.state = "FAILED"
    with pytest.raises(AirflowFailException):
        run.finish(JOB, deferred)
    cluster_id = run.xcom_pull("create_cluster")
    assert f"emr_boto_helper.py logs --cluster {cluster_id} --step {step.id}" in capsys.readouterr().out


def test_step_that_failed_for_what_passes_is_tried_again(run: TaskRunner, lossy_aws: LossyAws) -> None:
    deferred = with_cluster(run).start(JOB)
    (step,) = lossy_aws.cluster.steps
    record = Path(__file__).with_name("step_failures") / "throttled_by_glue"
    for stream in ("stderr", "stdout"):
        put_log(run, step.id, stream, (record / f"{stream}.txt").read_text())
    step.state = "FAILED"
    with pytest.raises(AirflowException, match=r"throttled: .*Rate exceeded") as raised:
        run.finish(JOB, deferred)
    assert not isinstance(raised.value, AirflowFailException)
    run.start(JOB)
    assert [again.name for again in lossy_aws.cluster.steps] == [JOB, JOB]


def test_logs_that_come_late_are_waited_for(
    run: TaskRunner, lossy_aws: LossyAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse.step_logs.LOG_WAIT_SECONDS", 60.0)
    monkeypatch.setattr("lakehouse.step_logs.LOG_POLL_SECONDS", 0.1)
    deferred = with_cluster(run).start(JOB)
    (step,) = lossy_aws.cluster.steps
    step.state = "FAILED"
    later = Timer(1.0, put_log, (run, step.id, "stdout", "MemoryError\n"))
    later.start()
    with pytest.raises(AirflowFailException, match="out of memory: MemoryError"):
        run.finish(JOB, deferred)
    later.join()
