"""Links of tasks: to AWS's console, or to another; and the task that makes the page about a run."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from airflow.sdk import DAG, TriggerRule
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from airflow.serialization.serialized_objects import DagSerialization

from config.jobs import JOBS
from config.tables import TABLES
from lakehouse import links, processes
from tests.support.emr_runs import with_cluster
from tests.support.task_runner import TaskRunner


def test_links_lead_to_awss_console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_CONSOLE_URL", raising=False)
    base = "https://console.aws.amazon.com"
    assert links.cluster_url("j-1", "eu-north-1") == f"{base}/emr/home?region=eu-north-1#/clusterDetails/j-1"
    log = links.object_url("s3://logs/emr-logs/j-1/steps/s-1/stderr.gz", "eu-north-1")
    key = "emr-logs%2Fj-1%2Fsteps%2Fs-1%2Fstderr.gz"
    assert log == f"{base}/s3/object/logs?region=eu-north-1&prefix={key}"
    table = links.table_url("analytics", "sensor_health", "eu-north-1")
    assert table == f"{base}/athena/home?region=eu-north-1#/query-editor"


def test_links_lead_to_another_console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONSOLE_URL", "http://127.0.0.1:4566/console/")
    base = "http://127.0.0.1:4566/console"
    assert links.cluster_url("j-1", "r") == f"{base}/cluster/j-1"
    assert links.object_url("s3://logs/a/manual__1+0.html", "r") == f"{base}/object/logs/a/manual__1%2B0.html"
    assert links.table_url("analytics", "sensor_health", "r") == f"{base}/table/analytics/sensor_health"


def test_the_ui_finds_every_link_where_its_task_stores_it(kpis_dag: DAG) -> None:
    again = DagSerialization.from_dict(DagSerialization.to_dict(kpis_dag))

    def stored(task_id: str) -> dict[str, str]:
        return {link.name: link.xcom_key for link in again.get_task(task_id).operator_extra_links}

    step = {"Step log": "link_step_log", "Athena": "link_athena", "EMR cluster": "link_cluster"}
    assert all(stored(job) == step for job in JOBS)
    assert stored("create_cluster") == {"EMR cluster": "link_cluster"}
    assert stored("publish_report") == {"Report": "link_report"}


def test_a_step_knows_its_links_while_it_runs(run: TaskRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONSOLE_URL", "http://console")
    with_cluster(run)
    deferred = run.start("kpi_event_geo")
    assert deferred is not None
    cluster, step = run.xcom_pull("create_cluster"), run.xcom_pull("kpi_event_geo", "step_id")
    log = f"http://console/object/test-logs/emr-logs/{cluster}/steps/{step}/stderr.gz"
    assert run.xcom_pull("kpi_event_geo", "link_step_log") == log
    assert run.xcom_pull("kpi_event_geo", "link_cluster") == f"http://console/cluster/{cluster}"
    table = run.xcom_pull("kpi_event_geo", "link_athena")
    assert table == "http://console/table/analytics/event_geo_kpis_events"


def test_assets_show_the_tables(kpis_dag: DAG) -> None:
    shown = {asset.name: asset for job in JOBS for asset in kpis_dag.get_task(job).outlets}
    assert {table for job in JOBS.values() for table in job.outputs} == shown.keys()
    for name, asset in shown.items():
        assert asset.extra["doc"] == TABLES[name].doc
        assert asset.extra["columns"].split(", ") == list(TABLES[name].column_names)


def answering(code: int, out: str, err: str) -> Any:
    def answer(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert command[1:4] == ["-m", "ops.report", "--run"]
        return subprocess.CompletedProcess(command, code, out, err)

    return answer


def test_the_report_is_linked_from_its_task(run: TaskRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes.subprocess, "run", answering(0, "s3://...", ""))
    monkeypatch.setenv("AWS_CONSOLE_URL", "http://console")
    run.run("check_settings", "publish_report")
    uri = f"s3://test-logs/reports/clickstream_emr_kpis/{run.run_id}.html"
    assert run.xcom_pull("publish_report") == uri
    link = run.xcom_pull("publish_report", "link_report")
    assert link.startswith("http://console/object/test-logs/reports/clickstream_emr_kpis/manual__2026")


def test_a_report_that_cannot_be_made_says_why(run: TaskRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes.subprocess, "run", answering(1, "", "Traceback\nAthena: FAILED: why"))
    run.run("check_settings")
    with pytest.raises(AirflowException, match=r"exited with 1: Athena: FAILED: why"):
        run.run("publish_report")


def test_a_run_without_a_cluster_has_no_report(run: TaskRunner) -> None:
    run.xcoms["record_run", "return_value"] = {"parts": [], "late_tables": []}
    run.run("check_settings")
    with pytest.raises(AirflowSkipException, match="had no cluster"):
        run.run("publish_report")


def test_a_report_is_made_whatever_became_of_the_jobs(kpis_dag: DAG) -> None:
    task = kpis_dag.get_task("publish_report")
    assert task.trigger_rule == TriggerRule.ALL_DONE_MIN_ONE_SUCCESS
    assert set(JOBS) <= task.upstream_task_ids
