"""The lease of a table: one holder at a time, prolonged, given back, expired; the task that waits for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowException

from config import names
from config.project_config import DEFAULT_REGION
from lakehouse.lease import Lease, LeasedError
from tests.support.emulated_aws import EmulatedAws
from tests.support.lossy_aws import LossyAws
from tests.support.task_runner import TaskRunner

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
AN_HOUR = timedelta(hours=1)


def lease(s3: Any, holder: str, bucket: str = "test-iceberg") -> Lease:
    return Lease(s3, bucket, "clickstream_events", holder)


@pytest.mark.aws
def test_one_has_it_until_it_expires_or_is_given_back(aws_environment: EmulatedAws) -> None:
    s3 = aws_environment.client("s3")
    bucket = "leases"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws_environment.region})
    one, other = (lease(s3, holder, bucket) for holder in ("backfill r1", "upkeep r2"))
    assert not one.give_back(NOW), "nobody has taken it yet"

    one.take(AN_HOUR, NOW)
    with pytest.raises(LeasedError, match="leased by backfill r1 until 2026-06-01T13:00:00"):
        other.take(AN_HOUR, NOW)
    assert not other.give_back(NOW)
    one.take(2 * AN_HOUR, NOW)
    with pytest.raises(LeasedError, match="until 2026-06-01T14:00:00"):
        other.take(AN_HOUR, NOW + AN_HOUR)

    assert one.give_back(NOW + AN_HOUR)
    other.take(AN_HOUR, NOW + AN_HOUR)
    one.take(AN_HOUR, NOW + 3 * AN_HOUR)
    assert not other.give_back(NOW + 3 * AN_HOUR)


@pytest.mark.aws
def test_of_two_who_find_it_expired_one_gets_it(
    aws_environment: EmulatedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = aws_environment.client("s3")
    bucket = "contested-leases"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws_environment.region})
    slow, quick = (lease(s3, holder, bucket) for holder in ("slow", "quick"))
    lease(s3, "long gone", bucket).take(AN_HOUR, NOW)
    read = Lease._read

    def read_and_be_slow(self: Lease) -> Any:
        found = read(self)
        if self is slow:
            quick.take(AN_HOUR, NOW + 2 * AN_HOUR)
        return found

    monkeypatch.setattr(Lease, "_read", read_and_be_slow)

    with pytest.raises(LeasedError, match="just now"):
        slow.take(AN_HOUR, NOW + 2 * AN_HOUR)


def test_a_run_waits_for_the_lease_and_gives_it_back(lossy_aws: LossyAws, dag_bag: DagBag) -> None:
    first, second = (TaskRunner(dag_bag.dags[names.MAINTENANCE_DAG_ID], run_id=run) for run in ("r1", "r2"))
    for run in (first, second):
        run.run("check_settings")

    first.run("take_lease")
    with pytest.raises(AirflowException, match="leased by lakehouse_maintenance r1 until"):
        second.run("take_lease")
    first.run("take_lease", "give_back_lease")
    second.run("take_lease")

    assert first.xcom_pull("give_back_lease") is True
    s3 = boto3.client("s3", region_name=DEFAULT_REGION)
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="test-iceberg")["Contents"]] == [
        "_leases/clickstream_events.json"
    ]
    task = first.dag.get_task("take_lease")
    wait = task.retries * task.retry_delay
    assert wait > timedelta(seconds=first.rendered("take_lease").op_args[1])
