"""Links from tasks to what they made: a cluster, a step's log, a table to query, a report.

They lead to AWS's console, or to the one that AWS_CONSOLE_URL names. A task stores where its links lead as
soon as it knows, so that they work while it waits.
"""

from __future__ import annotations

import os
from typing import Any, ClassVar
from urllib.parse import quote

from airflow.providers.common.compat.sdk import XCom
from airflow.sdk import BaseOperatorLink

from lakehouse.objects import bucket_and_key

AWS_CONSOLE = "https://console.aws.amazon.com"


def _other_console() -> str:
    return os.environ.get("AWS_CONSOLE_URL", "").rstrip("/")


def cluster_url(cluster_id: str, region: str) -> str:
    """Where a cluster and its steps are shown."""
    if other := _other_console():
        return f"{other}/cluster/{cluster_id}"
    return f"{AWS_CONSOLE}/emr/home?region={region}#/clusterDetails/{cluster_id}"


def object_url(uri: str, region: str) -> str:
    """Where an object of S3 is shown."""
    bucket, key = bucket_and_key(uri)
    if other := _other_console():
        return f"{other}/object/{bucket}/{quote(key)}"
    return f"{AWS_CONSOLE}/s3/object/{bucket}?region={region}&prefix={quote(key, safe='')}"


def table_url(database: str, table: str, region: str) -> str:
    """Where a table is queried: in AWS's console Athena's editor, which has the saved queries too."""
    if other := _other_console():
        return f"{other}/table/{database}/{table}"
    return f"{AWS_CONSOLE}/athena/home?region={region}#/query-editor"


class StoredLink(BaseOperatorLink):
    """A link whose URL its task has stored."""

    key: ClassVar[str]

    @property
    def xcom_key(self) -> str:
        """Where the UI finds the URL."""
        return self.key

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The URL; empty while the task has stored none."""
        del operator
        return XCom.get_value(key=self.key, ti_key=ti_key) or ""

    @classmethod
    def store(cls, task_instance: Any, url: str) -> None:
        """Let the task's link lead to this URL."""
        task_instance.xcom_push(key=cls.key, value=url)


class ClusterLink(StoredLink):
    """To the run's EMR cluster."""

    name = "EMR cluster"
    key = "link_cluster"


class StepLogLink(StoredLink):
    """To what the step's driver wrote, once EMR has copied it to S3."""

    name = "Step log"
    key = "link_step_log"


class QueryLink(StoredLink):
    """To Athena, with the table that the step writes."""

    name = "Athena"
    key = "link_athena"


class ReportLink(StoredLink):
    """To the page about the run."""

    name = "Report"
    key = "link_report"
