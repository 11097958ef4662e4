"""Delivery streams: what may be put on them, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.emulated_aws import EmulatedAws
from tests.support.firehose_lake import Lake, event, wait_for

pytestmark = pytest.mark.aws


def test_direct_puts_are_delivered_and_refused_where_a_stream_is_the_source(lake: Lake) -> None:
    lake.create(DeliveryStreamType="DirectPut")
    firehose = lake.aws.client("firehose")
    answer = firehose.put_record_batch(
        DeliveryStreamName=lake.name, Records=[{"Data": event(uuid=str(n))} for n in range(300)]
    )
    assert answer["FailedPutCount"] == 0
    assert len({response["RecordId"] for response in answer["RequestResponses"]}) == 300
    firehose.put_record(DeliveryStreamName=lake.name, Record={"Data": b"bad"})
    wait_for(lambda: lake.settled(301))
    assert sorted(int(row["uuid"]) for row in lake.rows()) == list(range(300))
    with pytest.raises(ClientError, match="InvalidArgumentException"):
        firehose.put_record_batch(DeliveryStreamName=lake.name, Records=[{"Data": b"x"}] * 501)
    other = Lake(lake.aws, f"{lake.name}-2")
    other.create_delivery()
    with pytest.raises(ClientError, match="not permitted on KinesisStreamAsSource"):
        firehose.put_record(DeliveryStreamName=other.name, Record={"Data": b"x"})
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        firehose.put_record(DeliveryStreamName="absent", Record={"Data": b"x"})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 60}}, "InvalidArgumentException"),
        ({"CompressionFormat": "GZIP"}, "InvalidArgumentException"),
        ({"ErrorOutputPrefix": "errors/!{timestamp:yyyy}/"}, "InvalidArgumentException"),
        ({"Prefix": "!{timestamp:EEE}/"}, "InvalidArgumentException"),
        ({"S3BackupMode": "Enabled"}, "NotImplemented"),
        ({"DynamicPartitioningConfiguration": {"Enabled": True}}, "NotImplemented"),
        ({"ProcessingConfiguration": {"Enabled": True, "Processors": []}}, "NotImplemented"),
    ],
)
def test_a_destination_that_cannot_be_served_is_refused(
    emulated_aws: EmulatedAws, changes: dict[str, Any], code: str
) -> None:
    firehose = emulated_aws.client("firehose")
    destination = Lake(emulated_aws, "refused").destination() | changes
    with pytest.raises(ClientError, match=code):
        firehose.create_delivery_stream(
            DeliveryStreamName="refused", ExtendedS3DestinationConfiguration=destination
        )
    assert "refused" not in firehose.list_delivery_streams()["DeliveryStreamNames"]


def test_a_refused_update_changes_nothing(lake: Lake) -> None:
    lake.create_delivery(DeliveryStreamType="DirectPut")
    firehose = lake.aws.client("firehose")

    def described() -> Any:
        stream = firehose.describe_delivery_stream(DeliveryStreamName=lake.name)["DeliveryStreamDescription"]
        return stream["VersionId"], stream["Destinations"]

    before = described()
    with pytest.raises(ClientError, match="InvalidArgumentException"):
        firehose.update_destination(
            DeliveryStreamName=lake.name,
            CurrentDeliveryStreamVersionId=before[0],
            DestinationId=before[1][0]["DestinationId"],
            ExtendedS3DestinationUpdate={"Prefix": "!{timestamp:EEE}/"},
        )
    assert described() == before
