"""A step that failed: what its task says of it, and whether it is tried again."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from lakehouse.operators import DIAGNOSIS
from lakehouse.step_logs import STREAMS
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
    for stream in ("stderr", "controller"):
        put_log(run, step.id, stream, "")
    later = Timer(8.0, put_log, (run, step.id, "stdout", "MemoryError\n"))
    later.start()
    with pytest.raises(AirflowFailException, match="out of memory: MemoryError"):
        run.finish(JOB, deferred)
    later.join()


def test_a_copy_from_before_the_steps_end_is_not_taken_for_its_whole_log(
    run: TaskRunner, lossy_aws: LossyAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lakehouse.step_logs.LOG_WAIT_SECONDS", 60.0)
    monkeypatch.setattr("lakehouse.step_logs.LOG_POLL_SECONDS", 0.1)
    deferred = with_cluster(run).start(JOB)
    (step,) = lossy_aws.cluster.steps
    for stream in STREAMS:
        put_log(run, step.id, stream, "so far\n")
    step.state, step.end_date_time = "FAILED", datetime.now(UTC) + timedelta(seconds=1)

    def copy() -> None:
        for stream in STREAMS:
            put_log(run, step.id, stream, "MemoryError\n")

    later = Timer(8.0, copy)
    later.start()
    with pytest.raises(AirflowFailException, match="out of memory: MemoryError"):
        run.finish(JOB, deferred)
    later.join()
    assert "may be incomplete" not in capsys.readouterr().out


def test_when_the_wait_is_over_what_is_there_is_read_and_said_to_be_perhaps_incomplete(
    run: TaskRunner, lossy_aws: LossyAws, capsys: pytest.CaptureFixture[str]
) -> None:
    deferred = with_cluster(run).start(JOB)
    (step,) = lossy_aws.cluster.steps
    for stream in STREAMS:
        put_log(run, step.id, stream, "MemoryError\n")
    step.state, step.end_date_time = "FAILED", datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises(AirflowFailException, match="out of memory: MemoryError"):
        run.finish(JOB, deferred)
    assert "these may be incomplete" in capsys.readouterr().out


def test_a_log_that_was_cut_in_transit_does_not_hide_the_others(
    run: TaskRunner, lossy_aws: LossyAws, s3: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    deferred = with_cluster(run).start(JOB)
    (step,) = lossy_aws.cluster.steps
    put_log(run, step.id, "stdout", "MemoryError\n")
    put_log(run, step.id, "controller", "")
    key = f"emr-logs/{run.xcom_pull('create_cluster')}/steps/{step.id}/stderr.gz"
    s3.put_object(Bucket="test-logs", Key=key, Body=gzip.compress(b"much " * 100)[:-9])
    step.state = "FAILED"
    with pytest.raises(AirflowFailException, match="out of memory: MemoryError"):
        run.finish(JOB, deferred)
    assert "It cannot be read" in capsys.readouterr().out


def test_a_killed_driver_is_tried_again_by_its_exit_code(run: TaskRunner, lossy_aws: LossyAws) -> None:
    deferred = with_cluster(run).start(JOB)
    (step,) = lossy_aws.cluster.steps
    record = Path(__file__).with_name("step_failures") / "killed"
    for stream in STREAMS:
        put_log(run, step.id, stream, (record / f"{stream}.txt").read_text())
    step.state = "FAILED"
    step.last_state_change_reason = "Unknown Error."
    with pytest.raises(AirflowException, match="killed: Step failed with exitCode 137") as raised:
        run.finish(JOB, deferred)
    assert not isinstance(raised.value, AirflowFailException)
