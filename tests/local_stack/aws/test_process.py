"""The process: start, stop, state, ports, and what it says about what it cannot do."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from botocore.exceptions import ClientError
from moto.core.base_backend import BackendDict
from moto.sqs.models import SQSBackend

from local_stack.aws import state
from tests.support.emulated_aws import EmulatedAws, run_emulated_aws

pytestmark = pytest.mark.aws


def test_health_names_the_workers(emulated_aws: EmulatedAws) -> None:
    answer = httpx.get(f"{emulated_aws.endpoint}/_local/health", timeout=60)
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert answer.json()["endpoint"] == emulated_aws.endpoint
    assert {"FirehoseWorker", "RetentionWorker", "ClusterRunner"} <= set(answer.json()["workers"])


def test_listens_on_loopback_only(emulated_aws: EmulatedAws) -> None:
    port = httpx.URL(emulated_aws.endpoint).port
    listening = subprocess.run(
        ["ss", "-ltnH", f"sport = :{port}"], capture_output=True, text=True, check=True
    )
    assert [line.split()[3] for line in listening.stdout.splitlines()] == [f"127.0.0.1:{port}"]


def test_state_survives_a_clean_stop_and_fresh_forgets_it(tmp_path: Path) -> None:
    with run_emulated_aws(tmp_path) as aws:
        aws.client("s3").create_bucket(
            Bucket="kept", CreateBucketConfiguration={"LocationConstraint": aws.region}
        )
        aws.client("s3").put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
        for body in (b"replaced", b"still here"):
            aws.client("s3").put_object(Bucket="kept", Key="a/b.txt", Body=body)
        aws.client("s3").put_object(Bucket="kept", Key="a/gone.txt", Body=b"x")
        aws.client("s3").delete_object(Bucket="kept", Key="a/gone.txt")
        aws.client("sqs").create_queue(QueueName="kept")
        assert aws.stop() == 0
    with run_emulated_aws(tmp_path) as aws:
        assert aws.client("s3").get_object(Bucket="kept", Key="a/b.txt")["Body"].read() == b"still here"
        listed = aws.client("s3").list_object_versions(Bucket="kept")
        assert sorted(version["Size"] for version in listed["Versions"]) == [1, 8, 10]
        assert [marker["Key"] for marker in listed["DeleteMarkers"]] == ["a/gone.txt"]
        assert len(aws.client("sqs").list_queues()["QueueUrls"]) == 1
        with pytest.raises(ClientError, match="BucketAlreadyOwnedByYou"):
            aws.client("s3").create_bucket(
                Bucket="kept", CreateBucketConfiguration={"LocationConstraint": aws.region}
            )
        assert aws.stop() == 0
    with run_emulated_aws(tmp_path, "--fresh") as aws:
        assert aws.client("s3").list_buckets()["Buckets"] == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (json.dumps({**state.signature(), "moto": "4.0.0"}).encode() + b"\n\x80", "was written by"),
        (json.dumps(state.signature()).encode() + b"\n\x80\x05", "cannot be read"),
        (b"", "cannot be read"),
        (b"\xff\xfe not even JSON", "cannot be read"),
    ],
    ids=["another moto", "truncated", "empty", "garbage"],
)
def test_an_unusable_state_file_is_set_aside(
    tmp_path: Path, content: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / state.STATE_FILE).write_bytes(content)
    assert state.load(tmp_path) is False
    assert reason in caplog.text
    (aside,) = tmp_path.iterdir()
    assert aside.name.startswith(f"{state.STATE_FILE}.")
    assert aside.read_bytes() == content


def test_a_state_that_cannot_be_saved_names_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / state.STATE_FILE).write_bytes(b"the previous state")
    backends = BackendDict(SQSBackend, "sqs")
    backends["1"]["eu-north-1"].queues["q"] = (n for n in [1])
    monkeypatch.setattr(BackendDict, "_instances", [backends])
    with pytest.raises(state.StateError, match="because of sqs"):
        state.save(tmp_path)
    (kept,) = tmp_path.iterdir()
    assert kept.read_bytes() == b"the previous state"


def test_a_taken_port_is_named_with_its_variable(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "local_stack.aws", "--port", str(port), "--state", str(tmp_path)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert str(port) in ended.stderr
    assert "LOCAL_AWS_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("service", "call", "arguments", "name"),
    [
        ("kinesis", "subscribe_to_shard", {}, "SubscribeToShard"),
        ("glue", "list_ml_transforms", {}, "ListMLTransforms"),
        ("iam", "generate_organizations_access_report", {"EntityPath": "o-1234567890/r-abcd"}, "Generate"),
        (
            "s3",
            "get_bucket_analytics_configuration",
            {"Bucket": "any-bucket", "Id": "x"},
            "GetBucketAnalytics",
        ),
        ("braket", "search_jobs", {"filters": []}, "braket"),
    ],
)
def test_what_is_not_emulated_answers_501_with_its_name(
    emulated_aws: EmulatedAws, service: str, call: str, arguments: dict[str, object], name: str
) -> None:
    if call == "subscribe_to_shard":
        arguments = {
            "ConsumerARN": "arn:aws:kinesis:eu-north-1:1:stream/s/consumer/c:1",
            "ShardId": "shardId-000000000000",
            "StartingPosition": {"Type": "LATEST"},
        }
    with pytest.raises(ClientError) as caught:
        getattr(emulated_aws.client(service), call)(**arguments)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert name in caught.value.response["Error"]["Message"]


def test_the_region_is_the_signed_one(emulated_aws: EmulatedAws) -> None:
    for service in ("emr", "kinesis", "sqs"):
        assert emulated_aws.client(service).meta.region_name == "eu-north-1"
    url = emulated_aws.client("sqs").create_queue(QueueName="where")["QueueUrl"]
    arn = emulated_aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    assert arn["Attributes"]["QueueArn"].split(":")[3] == "eu-north-1"


def test_two_accounts_are_separate(emulated_aws: EmulatedAws) -> None:
    session = emulated_aws.client("iam")
    session.meta.events.register(
        "before-sign.iam",
        lambda request, **_: request.headers.add_header("x-moto-account-id", "222233334444"),
    )
    session.create_user(UserName="prod")
    key = session.create_access_key(UserName="prod")["AccessKey"]["AccessKeyId"]
    prod = emulated_aws.client("kinesis", access_key=key)
    prod.create_stream(StreamName="only-in-prod", ShardCount=1)
    assert emulated_aws.client("sts", access_key=key).get_caller_identity()["Account"] == "222233334444"
    assert prod.list_streams()["StreamNames"] == ["only-in-prod"]
    assert "only-in-prod" not in emulated_aws.client("kinesis").list_streams()["StreamNames"]


def test_stops_with_connections_open_and_requests_under_way(tmp_path: Path) -> None:
    with run_emulated_aws(tmp_path) as aws:
        aws.client("s3").create_bucket(
            Bucket="busy", CreateBucketConfiguration={"LocationConstraint": aws.region}
        )
        acknowledged: list[int] = []

        def write() -> None:
            client = aws.client("s3")
            for number in range(100_000):
                try:
                    client.put_object(Bucket="busy", Key=f"{number:06d}", Body=b"x")
                except Exception:
                    return
                acknowledged.append(number)

        writer = threading.Thread(target=write)
        writer.start()
        while len(acknowledged) < 20:
            assert writer.is_alive()
        assert aws.stop() == 0
        writer.join()
    with run_emulated_aws(tmp_path) as aws:
        pages = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket="busy")
        kept = {int(item["Key"]) for page in pages for item in page.get("Contents", [])}
    assert set(acknowledged) <= kept
