"""The verdict of a run: as red as its worst job."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError

from config.jobs import JOBS
from tests.dags.conftest import BUCKETS
from tests.support.emr_runs import prepared, with_cluster
from tests.support.lossy_aws import LossyAws
from tests.support.task_runner import TaskRunner

JOB = "kpi_event_geo"
OTHER_JOB = "kpi_sensor_health"


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


def verdict(run: TaskRunner) -> list[str]:
    """The lines of the verdict of a run that failed."""
    with pytest.raises(AirflowFailException) as raised:
        run.run("all_jobs_done")
    return str(raised.value).splitlines()[1:]


def log_of(run: TaskRunner, task_id: str) -> str:
    quoted = run.run_id.replace(":", "%3A").replace("+", "%2B")
    return f"http://localhost:8080/dags/{run.dag.dag_id}/runs/{quoted}/tasks/{task_id}"


def test_a_cluster_that_does_not_get_ready_is_the_cause(
    run: TaskRunner, lossy_aws: LossyAws, slow_clusters: None
) -> None:
    deferred = prepared(run).start("create_cluster")
    lossy_aws.cluster.state = "TERMINATED_WITH_ERRORS"
    lossy_aws.cluster.last_state_change_reason = "bootstrap action 1 returned 1"
    with pytest.raises(AirflowException):
        run.finish("create_cluster", deferred)
    run.states = {"publish_bundle": "success", "create_cluster": "failed"}
    run.states |= dict.fromkeys(JOBS, "upstream_failed")
    first, *others = verdict(run)
    assert first.startswith(f"create_cluster is failed (Cluster {lossy_aws.cluster.id} did not get ready")
    assert "bootstrap action 1 returned 1" in first
    assert first.endswith(log_of(run, "create_cluster"))
    assert others == [f"{job} is upstream_failed" for job in JOBS]


def test_a_bundle_that_cannot_be_published_is_the_cause(run: TaskRunner, s3: Any) -> None:
    run.run("check_settings")
    s3.delete_bucket(Bucket=BUCKETS["SCRIPTS_BUCKET"])
    with pytest.raises(S3UploadFailedError, match="NoSuchBucket"):
        run.run("publish_bundle")
    run.states = {"publish_bundle": "failed", **dict.fromkeys(JOBS, "upstream_failed")}
    first, *_ = verdict(run)
    assert first.startswith("publish_bundle is failed (Failed to upload")
    assert first.endswith(log_of(run, "publish_bundle"))


def test_weather_that_should_not_be_fetched_is_the_cause(
    run: TaskRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: str, failure: type[AirflowException]) -> str:
        raise failure("no budget is left today")

    monkeypatch.setattr("lakehouse.tasks.run_module", refuse)
    run.run("check_settings")
    with pytest.raises(AirflowFailException, match="no budget"):
        run.run("weather_check")
    run.states = dict.fromkeys(JOBS, "success")
    run.states |= {"weather_check": "failed", "weather_extract": "upstream_failed"}
    assert verdict(run) == [
        f"weather_check is failed (no budget is left today), log: {log_of(run, 'weather_check')}",
        "weather_extract is upstream_failed",
    ]


def test_a_step_that_emr_does_not_take_says_why(run: TaskRunner, lossy_aws: LossyAws) -> None:
    with_cluster(run)
    lossy_aws.faults["AddJobFlowSteps"] = ["throttled"]
    with pytest.raises(ClientError, match="Rate exceeded") as raised:
        run.start(JOB)
    run.states = dict.fromkeys(JOBS, "success") | {JOB: "failed"}
    assert verdict(run) == [f"{JOB} is failed ({raised.value}), log: {log_of(run, JOB)}"]
