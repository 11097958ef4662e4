"""The task that makes the page about a run."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from config.project_config import Settings
from lakehouse.links import ReportLink, object_url
from lakehouse.processes import run_module


class PublishReportOperator(BaseOperator):
    """Make the page about this run, in a process of its own, and put it into S3."""

    operator_extra_links = (ReportLink(),)

    def execute(self, context: Context) -> str:
        """URI of the page.

        Raises:
            ConfigError: the environment's settings are unusable.
            AirflowSkipException: the run has had no cluster, of which a page could tell.
            AirflowException: it could not be made; the reason is in the message, the rest in the log.
        """
        recorded = context["ti"].xcom_pull(task_ids="record_run")
        if recorded and not recorded["parts"]:
            raise AirflowSkipException("The run had no cluster: there is nothing to report")
        settings, run_id = Settings.from_mapping(os.environ), context["run_id"]
        with tempfile.TemporaryDirectory() as folder:
            run_module("ops.report", "--run", run_id, "--output", str(Path(folder) / "report.html"))
        uri = settings.report_uri(run_id)
        ReportLink.store(context["ti"], object_url(uri, settings.aws_region))
        return uri
