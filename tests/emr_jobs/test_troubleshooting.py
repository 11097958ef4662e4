"""docs/troubleshooting.md: every message that it explains is one that the platform really gives."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

import boto3
import pytest
from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from config.project_config import ConfigError, Settings
from emr_jobs.edge.kpi import parse_arguments, run
from emr_jobs.kpi_event_geo import KPI as EVENT_GEO
from emr_jobs.kpi_sensor_health import KPI as SENSOR_HEALTH
from emr_jobs.lake.errors import LakeError
from local_stack import account
from local_stack.aws.emr.logs import explain
from local_stack.ports import PortError, Ports, check_free
from local_stack.spark.install import ensure_runtime
from ops.deployment.deployer import identify
from ops.deployment.errors import DeployError
from tests.support.emulated_aws import EmulatedAws
from tests.support.lake import Lake, event

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
EXPLAINED = re.findall(r"^## `(.*)`$", PAGE, re.MULTILINE)

ELSEWHERE = {
    # The message, and the test that triggers it where all that it needs is.
    "No data fetched successfully": "tests/emr_jobs/weather/test_extract.py",
    "Iceberg is not on Spark's class path": "tests/emr_jobs/test_submitted.py",
    "Postgres is not ready after": "tests/docker/test_stacks.py",
}

TRIGGERS: dict[str, Callable[..., str]] = {}


def says(message: str) -> Callable[[Callable[..., str]], Callable[..., str]]:
    """Note that a function makes the platform give this message, and returns it."""

    def note(trigger: Callable[..., str]) -> Callable[..., str]:
        TRIGGERS[message] = trigger
        return trigger

    return note


@says("ICEBERG_BUCKET is not set")
def _no_settings() -> str:
    with pytest.raises(ConfigError) as raised:
        Settings.from_mapping({})
    return str(raised.value)


@says("TABLE_OR_VIEW_NOT_FOUND")
def _another_catalog(lake: Lake) -> str:
    lake.deliver("dt=2026-06-01/hour=12/a.parquet", event())
    run(lake.spark, SENSOR_HEALTH, parse_arguments(SENSOR_HEALTH, lake.arguments("sensor_health")))
    assert lake.rows("sensor_health"), "with its catalog the table is found"
    with pytest.raises(Exception, match="TABLE_OR_VIEW") as raised:
        lake.spark.table(f"{lake.database}.sensor_health")
    return str(raised.value)


@says("does not exist or was never written to")
def _another_name(lake: Lake, caplog: pytest.LogCaptureFixture) -> str:
    caplog.clear()
    run(
        lake.spark,
        EVENT_GEO,
        parse_arguments(EVENT_GEO, lake.arguments("event_geo_kpis", "clickstream_evnts")),
    )
    return caplog.text


@says("is not the table that config/tables.py specifies")
def _table_of_another_job(lake: Lake) -> str:
    lake.deliver("dt=2026-06-01/hour=12/a.parquet", event())
    run(lake.spark, EVENT_GEO, parse_arguments(EVENT_GEO, lake.arguments("event_geo_kpis")))
    arguments = parse_arguments(SENSOR_HEALTH, lake.arguments("event_geo_kpis_events"))
    with pytest.raises(LakeError) as raised:
        run(lake.spark, SENSOR_HEALTH, arguments)
    return str(raised.value)


_ANYBODY = {"AWS": "*"}


def _role(aws: EmulatedAws, principal: dict[str, str]) -> str:
    """ARN of a new role that has no right at all."""
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam, name = aws.client("iam"), f"powerless-{token_hex(3)}"
    return str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"])


@says("is not authorized to perform: s3:PutObject")
def _firehose_without_rights(emulated_aws: EmulatedAws) -> str:
    name = f"denied-{token_hex(3)}"
    firehose = emulated_aws.client("firehose")
    location = {"LocationConstraint": emulated_aws.region}
    emulated_aws.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=location)
    role = _role(emulated_aws, {"Service": "firehose.amazonaws.com"})
    firehose.create_delivery_stream(
        DeliveryStreamName=name,
        ExtendedS3DestinationConfiguration={
            "RoleARN": role,
            "BucketARN": f"arn:aws:s3:::{name}",
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
        },
    )
    firehose.put_record(DeliveryStreamName=name, Record={"Data": b"a record"})
    said = Retrying(
        retry=retry_if_result(lambda line: not line), stop=stop_after_delay(60), wait=wait_fixed(0.2)
    )
    line = said(lambda: next((line for line in emulated_aws.log.splitlines() if _denied(line, name)), ""))
    firehose.delete_delivery_stream(DeliveryStreamName=name)
    return line


def _denied(line: str, name: str) -> bool:
    return "is not authorized" in line and name in line


@says("AccessDenied")
def _a_role_without_rights(emulated_aws: EmulatedAws) -> str:
    keys = emulated_aws.client("sts").assume_role(RoleArn=_role(emulated_aws, _ANYBODY), RoleSessionName="me")
    session = boto3.session.Session(
        keys["Credentials"]["AccessKeyId"],
        keys["Credentials"]["SecretAccessKey"],
        keys["Credentials"]["SessionToken"],
        region_name=emulated_aws.region,
    )
    with pytest.raises(ClientError) as raised:
        session.client("s3", endpoint_url=emulated_aws.endpoint).list_objects_v2(Bucket="any-bucket")
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    return str(raised.value)


@says("must be at least 471859200")
def _too_little_memory(tmp_path: Path) -> str:
    runtime = ensure_runtime()
    script = tmp_path / "job.py"
    script.write_text("from pyspark.sql import SparkSession\nSparkSession.builder.getOrCreate()\n")
    submit = [f"{runtime.environment()['SPARK_HOME']}/bin/spark-submit", "--driver-memory", "200m"]
    done = subprocess.run(
        [*submit, str(script)],
        env={**runtime.environment(), "PATH": os.environ["PATH"], "PYSPARK_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode
    return done.stdout + done.stderr


@says("OutOfMemoryError: Java heap space")
def _out_of_memory(tmp_path: Path) -> str:
    (tmp_path / "stdout").write_text("")
    (tmp_path / "stderr").write_text(
        "Caused by: java.lang.OutOfMemoryError: Java heap space\n\tat a.B.c(B.java:1)\n"
    )
    return explain(tmp_path, "").message


@says("is taken by another program")
def _taken_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(PortError) as raised:
            check_free(Ports(taken.getsockname()[1], 1, 2), "airflow")
        return str(raised.value)


@says("Docker is not installed")
def _no_docker(tmp_path: Path) -> str:
    with pytest.raises(account.DockerError) as raised:
        account.check_docker({"PATH": str(tmp_path)})
    return str(raised.value)


@says("no usable AWS credentials")
def _no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(DeployError) as raised:
        identify(boto3.session.Session(region_name="eu-north-1"))
    return str(raised.value)


def test_every_message_is_triggered() -> None:
    assert len(EXPLAINED) >= 12
    assert set(EXPLAINED) == TRIGGERS.keys() | ELSEWHERE.keys()
    for message, file in ELSEWHERE.items():
        assert message in (ROOT / file).read_text(), file


@pytest.mark.spark
@pytest.mark.aws
@pytest.mark.parametrize("message", TRIGGERS)
def test_the_platform_says_so(message: str, request: pytest.FixtureRequest) -> None:
    trigger = TRIGGERS[message]
    names = trigger.__code__.co_varnames[: trigger.__code__.co_argcount]
    assert message in trigger(*(request.getfixturevalue(name) for name in names))
