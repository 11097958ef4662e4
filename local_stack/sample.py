"""Something to explore: events through Kinesis and Firehose, then every job on one emulated EMR cluster.

Jobs that do not need each other run side by side, as in the DAG.

    python -m local_stack.sample

For the notebook stack, which has no Airflow. Needs the settings of an emulated AWS in its environment, and
leaves a lakehouse that holds tables already as it is.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from typing import Any

import boto3
from botocore.exceptions import ClientError, WaiterError

from config.cluster import run_job_flow_request
from config.jobs import JOBS, emr_step
from config.project_config import ConfigError, Settings
from lakehouse.bundle import publish_bundle
from lakehouse.step_logs import examine_failure
from lakehouse.steps import step_status
from lakehouse.wheelhouse import publish_wheelhouse

CLUSTER_NAME = "sample"
LAST_TABLE = "sensor_weather_daily"
"""Written by the last job: where it is, a sample was made, or a DAG has run."""

_POLL = {"Delay": 1, "MaxAttempts": 900}


class SampleError(RuntimeError):
    """The sample could not be made; the message says which part failed, and why."""


WAVES = (
    ("ingest_events", "weather_extract"),
    ("kpi_temp_humidity", "weather_transform", "kpi_sensor_health", "kpi_event_geo"),
    ("kpi_sensor_weather", "reconcile"),
)
"""The jobs, in the order in which they need each other."""


def is_there(glue: Any, settings: Settings) -> bool:
    """Whether the lakehouse holds the table of the last job."""
    try:
        glue.get_table(DatabaseName=settings.glue_database, Name=LAST_TABLE)
    except glue.exceptions.EntityNotFoundException:
        return False
    return True


def send_events(count: int) -> None:
    """Send events, disturbed ones among them, and wait until Firehose has delivered them.

    Raises:
        SampleError: the producer or Firehose failed.
    """
    disorder = ["--late", "0.02", "--duplicates", "0.02", "--corrupt", "0.01"]
    for module, *arguments in (
        ["kinesis.producer", "--count", str(count), "--rate", "max", "--unpaced", *disorder],
        ["ops.reconcile", "--wait-for-delivery"],
    ):
        if subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode:
            raise SampleError(f"python -m {module} failed: see above")


def run_jobs(session: boto3.session.Session, settings: Settings) -> None:
    """Run every job, wave by wave, on a cluster that is terminated whatever happens.

    Raises:
        SampleError: a job failed; with EMR's reason and the end of its log.
    """
    emr, s3 = session.client("emr"), session.client("s3")
    bundle, wheelhouse = publish_bundle(s3, settings), publish_wheelhouse(s3, settings)
    request = run_job_flow_request(settings, name=CLUSTER_NAME, core_nodes=1, wheelhouse=wheelhouse)
    cluster = emr.run_job_flow(**request)["JobFlowId"]
    try:
        for wave in WAVES:
            steps = [emr_step(JOBS[job], settings, bundle) for job in wave]
            step_ids = emr.add_job_flow_steps(JobFlowId=cluster, Steps=steps)["StepIds"]
            for step_id, job in zip(step_ids, wave, strict=True):
                wait_for_step(emr, s3, cluster, step_id)
                print(f"{job} is done", flush=True)
    finally:
        emr.terminate_job_flows(JobFlowIds=[cluster])


def wait_for_step(emr: Any, s3: Any, cluster: str, step_id: str) -> None:
    """Wait until a step has completed.

    Raises:
        SampleError: it did not; with EMR's reason and the end of its log.
    """
    try:
        emr.get_waiter("step_complete").wait(ClusterId=cluster, StepId=step_id, WaiterConfig=_POLL)
    except WaiterError as error:
        status = step_status(emr, cluster, step_id)
        raise SampleError(examine_failure(emr, s3, cluster, step_id, status).report) from error


def main() -> int:
    """Run the command line; 1 with a message when the sample cannot be made."""
    parser = argparse.ArgumentParser(
        prog="python -m local_stack.sample",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=20_000, help="events to send (default: %(default)s)")
    options = parser.parse_args()
    try:
        settings = Settings.from_mapping(os.environ)
        session = boto3.session.Session(region_name=settings.aws_region)
        if is_there(session.client("glue"), settings):
            print(f"{settings.glue_database}.{LAST_TABLE} is there already: nothing to do")
            return 0
        send_events(options.count)
        run_jobs(session, settings)
    except (ConfigError, SampleError, ClientError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
