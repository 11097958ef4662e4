"""Alerts: what a person should know now, by SNS, once each.

The topic comes from the settings (``ALERTS_TOPIC_ARN``); without one, alerts are only logged. What was sent
lies in the logs bucket under a name that follows from what it is about: an alert of the same matter is not
sent again, whoever raises it (a retried task, a cleared one, the next run).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from datetime import timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import quote

import boto3
from airflow.providers.amazon.aws.notifications.sns import SnsNotifier
from airflow.sdk import Context
from airflow.sdk.configuration import conf
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from botocore.exceptions import BotoCoreError, ClientError

from config.names import ALERTS_PREFIX
from lakehouse.objects import object_exists

MAX_SUBJECT = 100
"""SNS's limit; it takes no line breaks either."""

_NOT_IN_SUBJECTS = re.compile(r"[^\x21-\x7e]+")


class AlertKind(StrEnum):
    """What an alert is about: subscribers can filter by it (message attribute ``kind``)."""

    FAILED_RUN = "failed_run"
    LATE_RUN = "late_run"
    DATA_QUALITY = "data_quality"
    LATE_TABLE = "late_table"
    LEAKED_CLUSTER = "leaked_cluster"


class AlertNotifier(SnsNotifier):
    """Publish an alert to the settings' topic, unless it has been sent before.

    :param kind: what it is about.
    :param matter: names the very thing (templated): alerts of one kind and matter are sent once.
    :param subject: the first line (templated).
    :param message: the rest (templated).
    """

    template_fields = (*SnsNotifier.template_fields, "matter")

    def __init__(self, *, kind: str, matter: str, subject: str, message: str, **kwargs: Any) -> None:
        super().__init__(aws_conn_id=None, target_arn="", subject=subject, message=message, **kwargs)
        self.subject: str = subject
        self.kind = str(kind)
        self.matter = matter

    def notify(self, context: Context) -> None:
        """Send it.

        Raises:
            ClientError: it could not be sent; the next who raises it tries again.
        """
        self.log.warning("%s\n%s", self.subject, self.message)
        # Not by Settings: that they are wrong is worth an alert, too.
        topic, bucket = (os.environ.get(name, "").strip() for name in ("ALERTS_TOPIC_ARN", "LOGS_BUCKET"))
        if not topic:
            self.log.info("ALERTS_TOPIC_ARN is not set: the alert is only logged")
            return
        self.target_arn = topic
        self.region_name = topic.split(":")[3]
        s3 = boto3.client("s3", region_name=self.region_name)
        key = f"{ALERTS_PREFIX}{self.kind}/{hashlib.sha256(self.matter.encode()).hexdigest()}.json"
        if bucket and object_exists(s3, bucket, key):
            self.log.info("This alert has been sent before: s3://%s/%s", bucket, key)
            return
        self.subject = _NOT_IN_SUBJECTS.sub(" ", self.subject)[:MAX_SUBJECT]
        self.message_attributes = {"kind": self.kind, "environment": os.environ.get("ENVIRONMENT", "dev")}
        super().notify(context)
        # Only now: who is killed in between sends it twice rather than never.
        sent = {"matter": self.matter, "subject": self.subject, "message": self.message}
        if bucket:
            s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(sent, indent=1).encode())

    def try_to_notify(self, context: Context) -> None:
        """Send it from a task whose own result is due all the same: an error is logged."""
        try:
            self.notify(context)
        except (BotoCoreError, ClientError):
            self.log.exception("The alert could not be sent")

    async def async_notify(self, context: Context) -> None:
        """The same in a thread, for the triggerer."""
        await asyncio.to_thread(self.notify, context)


def alert_on_failure(what: str, kind: AlertKind = AlertKind.FAILED_RUN) -> AlertNotifier:
    """For a task's ``on_failure_callback``: its exception, with links."""
    return AlertNotifier(
        kind=kind,
        matter="{{ dag.dag_id }} {{ run_id }} {{ exception }}",
        subject=f"{what}: {{{{ dag.dag_id }}}}",
        message="{{ exception }}\n\nRun: {{ run_id }}\nLog: {{ ti.log_url }}",
    )


def log_url(dag_id: str, run_id: str, task_id: str) -> str:
    """Where Airflow shows the log of a task of a run, its newest attempt first."""
    return f"{_airflow_url()}/dags/{dag_id}/runs/{quote(run_id)}/tasks/{task_id}"


def _airflow_url() -> str:
    url: str = conf.get("api", "base_url", fallback="http://localhost:8080")
    return url.rstrip("/")


def late_run_alert(after: timedelta) -> DeadlineAlert:
    """For a DAG's ``deadline``: a run without success in time; one without a logical date has no limit.

    Not from when it was queued: Airflow 3.3 then cannot clear the run's tasks (apache/airflow#70368).
    """
    hours = after.total_seconds() / 3600
    link = f"{_airflow_url()}/dags/{{{{ dag_run.dag_id }}}}/runs/{{{{ dag_run.dag_run_id }}}}"
    notice = {
        "kind": str(AlertKind.LATE_RUN),
        "matter": "{{ dag_run.dag_id }} {{ dag_run.dag_run_id }}",
        "subject": "Late run: {{ dag_run.dag_id }}",
        "message": f"It has not succeeded {hours:g} h after it was due.\n\nRun: {link}",
    }
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_LOGICAL_DATE,
        interval=after,
        callback=AsyncCallback(AlertNotifier, kwargs=notice),
    )
