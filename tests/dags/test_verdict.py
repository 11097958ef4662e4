"""The verdict of a run: as red as its worst job."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException

from config.jobs import JOBS
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
