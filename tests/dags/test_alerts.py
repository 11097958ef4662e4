"""Alerts reach a subscriber of the topic, once each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import pytest
from airflow.sdk.exceptions import AirflowFailException
from botocore.exceptions import ClientError

from config.jobs import JOBS
from config.project_config import DEFAULT_REGION
from lakehouse.alerts import AlertKind, AlertNotifier, alert_on_failure, late_run_alert, log_url
from lakehouse.diagnosis import Cause, Diagnosis
from lakehouse.operators import DIAGNOSIS
from tests.support.lossy_aws import LossyAws
from tests.support.task_runner import TaskRunner

Inbox = Callable[[], list[dict[str, Any]]]
JOB = "kpi_event_geo"


@pytest.fixture
def inbox(lossy_aws: LossyAws, monkeypatch: pytest.MonkeyPatch) -> Inbox:
    """A queue that subscribes to the settings' topic; a call gives what has come since the last."""
    sns, sqs = (boto3.client(name, region_name=DEFAULT_REGION) for name in ("sns", "sqs"))
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    queue = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    monkeypatch.setenv("ALERTS_TOPIC_ARN", topic)

    def come() -> list[dict[str, Any]]:
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        for each in found:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
        return [json.loads(each["Body"]) for each in found]

    return come


def notifier(**changes: str) -> AlertNotifier:
    return AlertNotifier(
        **{
            "kind": AlertKind.FAILED_RUN,
            "matter": "run 1",
            "subject": "Run failed",
            "message": "Why",
            **changes,
        }
    )


def test_an_alert_reaches_the_subscriber_with_its_kind(inbox: Inbox) -> None:
    notifier(subject="Run\nfailed: \N{SNOWMAN} " + "x" * 200).notify({})
    (message,) = inbox()
    assert message["Subject"].startswith("Run failed: x")
    assert len(message["Subject"]) == 100
    assert message["Message"] == "Why"
    assert message["MessageAttributes"]["kind"]["Value"] == "failed_run"
    assert message["MessageAttributes"]["environment"]["Value"] == "dev"


def test_the_same_matter_is_sent_once_and_another_again(inbox: Inbox) -> None:
    for _ in range(3):
        notifier().notify({})
    assert len(inbox()) == 1
    notifier(matter="run 2").notify({})
    notifier(kind=AlertKind.LATE_RUN).notify({})
    assert len(inbox()) == 2


def test_what_could_not_be_sent_is_sent_by_the_next(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = boto3.client("sns", region_name=DEFAULT_REGION).list_topics()["Topics"][0]["TopicArn"]
    monkeypatch.setenv("ALERTS_TOPIC_ARN", topic.replace("alarms", "gone"))
    with pytest.raises(ClientError, match="NotFound"):
        notifier().notify({})
    monkeypatch.setenv("ALERTS_TOPIC_ARN", topic)
    notifier().notify({})
    assert len(inbox()) == 1


def test_without_a_topic_alerts_are_only_logged(
    lossy_aws: LossyAws, no_settings: None, capsys: pytest.CaptureFixture[str]
) -> None:
    notifier().notify({})
    logged = capsys.readouterr().out
    assert "Run failed" in logged
    assert "ALERTS_TOPIC_ARN is not set" in logged


def test_settings_that_are_wrong_are_told_all_the_same(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOGS_BUCKET")
    notifier().notify({})
    assert len(inbox()) == 1


def test_a_failed_task_is_told_with_its_exception_and_its_log(inbox: Inbox, run: TaskRunner) -> None:
    context = run.context(run.dag.get_task("all_jobs_done"))
    context["ti"].log_url = "http://airflow/log"
    context["exception"] = AirflowFailException(f"{JOB} is failed (out of memory: Java heap space)")
    alert_on_failure("Run failed")(context)
    (message,) = inbox()
    assert message["Subject"] == "Run failed: clickstream_emr_kpis"
    assert "out of memory: Java heap space" in message["Message"]
    assert run.run_id in message["Message"]
    assert "http://airflow/log" in message["Message"]


def test_a_late_run_is_told_by_the_triggerer(inbox: Inbox) -> None:
    alert = late_run_alert(timedelta(hours=3))
    dag_run = {"dag_id": "clickstream_emr_kpis", "dag_run_id": "manual__1", "state": "running"}

    async def triggered() -> None:
        # As airflow.triggers.callback.CallbackTrigger does.
        await AlertNotifier(**alert.callback.kwargs, context={"dag_run": dag_run})

    asyncio.run(triggered())
    asyncio.run(triggered())
    (message,) = inbox()
    assert message["Subject"] == "Late run: clickstream_emr_kpis"
    assert "3 h after it was due" in message["Message"]
    assert message["Message"].endswith("/dags/clickstream_emr_kpis/runs/manual__1")
    assert message["MessageAttributes"]["kind"]["Value"] == "late_run"


def failed_with(run: TaskRunner, cause: Cause, headline: str) -> None:
    """Let the run's job have failed so."""
    run.states = dict.fromkeys(JOBS, "success") | {JOB: "failed"}
    run.xcoms[JOB, DIAGNOSIS] = Diagnosis(cause, headline).as_dict()


def test_the_verdict_names_the_causes(run: TaskRunner) -> None:
    failed_with(run, Cause.ACCESS_DENIED, "no right to read")
    with pytest.raises(AirflowFailException, match=rf"{JOB} is failed \(access denied: no right to read\)"):
        run.run("all_jobs_done")


def test_a_breach_of_data_quality_is_told_on_its_own(inbox: Inbox, run: TaskRunner) -> None:
    failed_with(run, Cause.DATA_QUALITY, "2 records are nowhere")
    for _ in range(2):
        with pytest.raises(AirflowFailException):
            run.run("all_jobs_done")
    (message,) = inbox()
    assert message["Subject"] == f"Breach of data quality: {JOB}"
    assert "2 records are nowhere" in message["Message"]
    assert message["Message"].endswith(f"Log: {log_url(run.dag.dag_id, run.run_id, JOB)}")


def test_a_late_table_is_told_with_the_log_of_who_saw_it(inbox: Inbox, run: TaskRunner) -> None:
    boto3.client("glue", region_name=DEFAULT_REGION).create_database(DatabaseInput={"Name": "analytics"})
    run.run("check_settings", "record_run")
    message = next(each for each in inbox() if each["Subject"] == "Late table: clickstream_events")
    assert message["MessageAttributes"]["kind"]["Value"] == "late_table"
    assert message["Message"].startswith("clickstream_events has never been written")
    assert message["Message"].endswith(f"Log: {log_url(run.dag.dag_id, run.run_id, 'record_run')}")


def test_a_log_is_found_by_what_a_run_may_be_called() -> None:
    link = log_url("some_dag", "manual__2026-11-22T03:00:00+00:00/x", "some_task")
    assert link.endswith("/dags/some_dag/runs/manual__2026-11-22T03%3A00%3A00%2B00%3A00/x/tasks/some_task")


def test_a_verdict_does_not_hang_on_its_alert(
    inbox: Inbox, run: TaskRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERTS_TOPIC_ARN", "arn:aws:sns:eu-north-1:111122223333:gone")
    failed_with(run, Cause.DATA_QUALITY, "2 records are nowhere")
    with pytest.raises(AirflowFailException, match="2 records are nowhere"):
        run.run("all_jobs_done")
