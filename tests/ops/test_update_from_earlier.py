"""An environment that the previous commit deployed is updated by this one, and keeps its data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config import names
from config.environments import PROFILES
from tests.ops.conftest import Command
from tests.support.accounts import Account

pytestmark = pytest.mark.aws

ROOT = Path(__file__).resolve().parents[2]
DEPLOYING = ("cloudformation", "config", "ops", "sql")


@pytest.fixture(scope="module")
def previous_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commit before deploys with; this commit's where git knows none before it (a shallow clone)."""
    tree = tmp_path_factory.mktemp("previous")
    for commit in ("HEAD~1", "HEAD"):
        packed = subprocess.run(
            ["git", "archive", commit, *DEPLOYING], cwd=ROOT, capture_output=True, check=False
        )
        if packed.returncode == 0:
            subprocess.run(["tar", "-x"], cwd=tree, input=packed.stdout, check=True)
            break
    assert (tree / "ops" / "deploy.py").exists(), "git gives no commit of this project"
    return tree


@pytest.mark.parametrize("environment", PROFILES)
def test_data_outlives_the_update(
    account: Account, deploy: Command, previous_tree: Path, environment: str
) -> None:
    command = [sys.executable, "-m", "ops.deploy", "apply", "--environment", environment, "--yes"]
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    earlier = subprocess.run(
        command,
        cwd=previous_tree,
        env={**inherited, **account.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert earlier.returncode == 0, earlier.stdout + earlier.stderr
    s3, kinesis, glue = (account.client(service) for service in ("s3", "kinesis", "glue"))
    buckets = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for bucket in buckets:
        s3.put_object(Bucket=bucket, Key="kept", Body=b"data")
    put = kinesis.put_record(StreamName=names.STREAM, Data=b"{}", PartitionKey="1")
    glue.create_table(DatabaseName="analytics", TableInput={"Name": "made_by_a_job"})

    updated = deploy("apply", "--environment", environment, "--yes")

    assert updated.returncode == 0, updated.stdout + updated.stderr
    assert {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]} == buckets
    for bucket in buckets:
        assert s3.get_object(Bucket=bucket, Key="kept")["Body"].read() == b"data"
    iterator = kinesis.get_shard_iterator(
        StreamName=names.STREAM, ShardId=put["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    assert [each["Data"] for each in kinesis.get_records(ShardIterator=iterator)["Records"]] == [b"{}"]
    assert glue.get_table(DatabaseName="analytics", Name="made_by_a_job")
