"""Deliveries of the running process: everything put comes out exactly once, as a row or as a failure."""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from config.tables import BRONZE, BRONZE_PARTITION_COLUMNS
from local_stack.aws.faults import FAULTS_PATH
from local_stack.aws.firehose.delivery import KILL
from tests.support.emulated_aws import EmulatedAws, run_emulated_aws

pytestmark = pytest.mark.aws

WAIT_SECONDS = 60
INTERVAL_SECONDS = 1
"""Shorter than anybody uses: the tests wait for it."""


def wait_for(what: Callable[[], Any]) -> Any:
    """What a function returns once it is true."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := what()):
        assert time.monotonic() < deadline, f"nothing came within {WAIT_SECONDS} s"
        time.sleep(0.05)
    return found


def event(**changes: Any) -> bytes:
    """A valid event."""
    good = {
        "sensor_id": 42,
        "temperature": 21.5,
        "humidity": 40.0,
        "location": {"latitude": 52.52, "longitude": 13.405},
        "status": "active",
        "event_type": "reading",
        "timestamp": 1_790_000_000,
        "uuid": "u",
    }
    return json.dumps(good | changes).encode()


@dataclass(frozen=True)
class Lake:
    """A stream, its delivery to a bucket, and the table that it follows, all of one name."""

    aws: EmulatedAws
    name: str

    def create_table(self) -> None:
        """The bronze table in a database of its own."""
        glue = self.aws.client("glue")
        glue.create_database(DatabaseInput={"Name": self.name})
        columns = [{"Name": column.name, "Type": column.type} for column in BRONZE.columns]
        keys = [{"Name": column.name, "Type": column.type} for column in BRONZE_PARTITION_COLUMNS]
        table = {"Name": BRONZE.name, "StorageDescriptor": {"Columns": columns}, "PartitionKeys": keys}
        glue.create_table(DatabaseName=self.name, TableInput=table)

    def create_bucket(self) -> None:
        """The bucket."""
        self.aws.client("s3").create_bucket(
            Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": self.aws.region}
        )

    def create_delivery(self, interval: int = INTERVAL_SECONDS, **source: Any) -> None:
        """The delivery stream: from the Kinesis stream, or from ``source``."""
        if not source:
            kinesis = self.aws.client("kinesis")
            kinesis.create_stream(StreamName=self.name, ShardCount=2)
            arn = kinesis.describe_stream(StreamName=self.name)["StreamDescription"]["StreamARN"]
            source = {
                "DeliveryStreamType": "KinesisStreamAsSource",
                "KinesisStreamSourceConfiguration": {"KinesisStreamARN": arn, "RoleARN": role(self.aws)},
            }
        self.aws.client("firehose").create_delivery_stream(
            DeliveryStreamName=self.name,
            ExtendedS3DestinationConfiguration=self.destination(interval),
            **source,
        )

    def destination(self, interval: int = INTERVAL_SECONDS) -> dict[str, Any]:
        """The destination of the project's own template."""
        return {
            "RoleARN": role(self.aws),
            "BucketARN": f"arn:aws:s3:::{self.name}",
            "Prefix": "clickstream/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/",
            "ErrorOutputPrefix": "clickstream-errors/!{firehose:error-output-type}/"
            "dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/",
            "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": interval},
            "CompressionFormat": "UNCOMPRESSED",
            "DataFormatConversionConfiguration": {
                "Enabled": True,
                "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
                "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {"Compression": "SNAPPY"}}},
                "SchemaConfiguration": {
                    "RoleARN": role(self.aws),
                    "DatabaseName": self.name,
                    "TableName": BRONZE.name,
                    "Region": self.aws.region,
                    "VersionId": "LATEST",
                },
            },
        }

    def deliver_at_once(self) -> None:
        """Change the destination: no waiting any more."""
        firehose = self.aws.client("firehose")
        stream = firehose.describe_delivery_stream(DeliveryStreamName=self.name)["DeliveryStreamDescription"]
        firehose.update_destination(
            DeliveryStreamName=self.name,
            CurrentDeliveryStreamVersionId=stream["VersionId"],
            DestinationId=stream["Destinations"][0]["DestinationId"],
            ExtendedS3DestinationUpdate=self.destination(interval=0),
        )

    def put(self, records: Iterable[bytes]) -> list[str]:
        """Put records on the stream; returns their sequence numbers."""
        entries = [{"Data": data, "PartitionKey": str(n)} for n, data in enumerate(records)]
        answer = self.aws.client("kinesis").put_records(StreamName=self.name, Records=entries)
        assert answer["FailedRecordCount"] == 0
        return [record["SequenceNumber"] for record in answer["Records"]]

    def objects(self, prefix: str) -> dict[str, bytes]:
        """Objects below a prefix, by key."""
        s3 = self.aws.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {key: s3.get_object(Bucket=self.name, Key=key)["Body"].read() for key in keys}

    def rows(self) -> list[dict[str, Any]]:
        """All delivered rows."""
        tables = [pq.read_table(io.BytesIO(body)) for body in self.objects("clickstream/").values()]
        return [row for table in tables for row in table.to_pylist()]

    def failures(self) -> list[dict[str, Any]]:
        """All failure documents."""
        return [
            json.loads(line)
            for body in self.objects("clickstream-errors/").values()
            for line in body.splitlines()
        ]

    def settled(self, count: int) -> bool:
        """Whether so many records came out, as rows or as failures."""
        return len(self.rows()) + len(self.failures()) >= count


def policy(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def role(aws: EmulatedAws) -> str:
    """ARN of a role in which Firehose may do what these tests want of it."""
    iam, name = aws.client("iam"), "TestDeliveryRole"
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "firehose.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    actions = ["glue:GetTableVersions", "kinesis:*", "logs:PutLogEvents", "s3:PutObject"]
    grant = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))
        iam.put_role_policy(RoleName=name, PolicyName="deliver", PolicyDocument=policy(grant))
    return str(iam.get_role(RoleName=name)["Role"]["Arn"])


@pytest.fixture
def lake(emulated_aws: EmulatedAws, request: pytest.FixtureRequest) -> Lake:
    """A lake named after the test, nothing in it created yet."""
    name = request.node.name.removeprefix("test_").partition("[")[0].replace("_", "-")[:40].strip("-")
    return Lake(emulated_aws, f"lake-{name}")


def test_events_come_out_as_snappy_parquet_under_their_arrival(lake: Lake) -> None:
    lake.create_bucket()
    lake.create_table()
    lake.create_delivery()
    before = datetime.now(UTC)
    lake.put(event(uuid=str(n)) for n in range(500))
    wait_for(lambda: lake.settled(500))
    assert sorted(row["uuid"] for row in lake.rows()) == sorted(map(str, range(500)))
    assert lake.rows()[0]["location"] == {"latitude": 52.52, "longitude": 13.405}
    for key, body in lake.objects("clickstream/").items():
        folder, _, name = key.rpartition("/")
        hours = {f"clickstream/dt={t:%Y-%m-%d}/hour={t:%H}" for t in (before, datetime.now(UTC))}
        assert folder in hours
        assert name.startswith(f"{lake.name}-1-")
        assert name.endswith(".parquet")
        column = pq.ParquetFile(io.BytesIO(body)).metadata.row_group(0).column(0)
        assert column.compression == "SNAPPY"


def test_every_bad_input_has_its_document_and_stops_nobody(lake: Lake) -> None:
    lake.create_bucket()
    lake.create_table()
    lake.create_delivery()
    bad = [
        b"",
        b"null",
        b"[" + event() + b"]",
        b"not JSON",
        event()[:-7],
        b"\xff\xfe\x00",
        event(temperature="hot"),
        event(sensor_id=2**70),
        event().replace(b"21.5", b"NaN"),
    ]
    good = [event(uuid=f"good-{n}", unknown="größe") for n in range(20)]
    numbers = lake.put([*good[:10], *bad, *good[10:], event(uuid="a") + event(uuid="b")])
    wait_for(lambda: lake.settled(20 + len(bad) + 2))
    assert len(lake.rows()) == 22
    documents = {document["sequenceNumber"]: document for document in lake.failures()}
    assert documents.keys() == set(numbers[10 : 10 + len(bad)])
    for number, data in zip(numbers[10:], bad, strict=False):
        assert base64.b64decode(documents[number]["rawData"]) == data
    document = documents[numbers[16]]
    assert document.keys() == {
        "attemptsMade",
        "arrivalTimestamp",
        "lastErrorCode",
        "lastErrorMessage",
        "attemptEndingTimestamp",
        "rawData",
        "sequenceNumber",
        "subSequenceNumber",
        "dataCatalogTable",
    }
    assert document["lastErrorCode"] == "DataFormatConversion.MalformedData"
    assert documents[numbers[13]]["lastErrorCode"] == "DataFormatConversion.ParseError"
    assert document["dataCatalogTable"]["tableName"] == BRONZE.name
    assert document["arrivalTimestamp"] <= document["attemptEndingTimestamp"] <= time.time() * 1000
    (folder,) = {key.rpartition("/dt=")[0] for key in lake.objects("clickstream-errors/")}
    assert folder == "clickstream-errors/format-conversion-failed"


def test_direct_puts_are_delivered_and_refused_where_a_stream_is_the_source(lake: Lake) -> None:
    lake.create_bucket()
    lake.create_table()
    lake.create_delivery(DeliveryStreamType="DirectPut")
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


def test_without_conversion_records_are_joined_as_they_are(lake: Lake) -> None:
    lake.create_bucket()
    lake.aws.client("firehose").create_delivery_stream(
        DeliveryStreamName=lake.name,
        S3DestinationConfiguration={
            "RoleARN": role(lake.aws),
            "BucketARN": f"arn:aws:s3:::{lake.name}",
            "Prefix": "raw/",
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": INTERVAL_SECONDS},
            "CompressionFormat": "GZIP",
        },
    )
    lake.aws.client("firehose").put_record_batch(
        DeliveryStreamName=lake.name, Records=[{"Data": b"one\n"}, {"Data": b"\xff\x00"}]
    )
    objects = wait_for(lambda: lake.objects("raw/"))
    assert {key.rpartition(".")[2] for key in objects} == {"gz"}
    assert b"".join(gzip.decompress(body) for body in objects.values()) == b"one\n\xff\x00"


@pytest.mark.parametrize("missing", ["bucket", "table"])
def test_a_missing_bucket_or_table_delays_and_loses_nothing(lake: Lake, missing: str) -> None:
    lake = Lake(lake.aws, f"{lake.name}-{missing}")
    if missing == "table":
        lake.create_bucket()
    else:
        lake.create_table()
    lake.create_delivery()
    lake.put(event(uuid=str(n)) for n in range(50))
    wait_for(lambda: f"{lake.name}: " in lake.aws.log)
    lake.put([b"bad"])
    if missing == "table":
        lake.create_table()
    else:
        lake.create_bucket()
    wait_for(lambda: lake.settled(51))
    assert sorted(int(row["uuid"]) for row in lake.rows()) == list(range(50))
    assert len(lake.failures()) == 1


def test_a_delivery_that_cannot_work_stops_no_other(lake: Lake) -> None:
    broken = Lake(lake.aws, f"{lake.name}-broken")
    broken.create_table()
    broken.create_delivery()
    broken.put([event()])
    lake.create_bucket()
    lake.create_table()
    lake.create_delivery()
    lake.put([event()])
    wait_for(lambda: lake.settled(1))


def test_a_killed_delivery_goes_on_from_its_last_note(lake: Lake) -> None:
    lake.create_bucket()
    lake.create_table()
    lake.create_delivery()
    faults = lake.aws.endpoint + FAULTS_PATH
    order = {"service": "firehose", "operation": KILL, "path": lake.name, "remaining": 2}
    httpx.post(faults, json=[order]).raise_for_status()
    lake.put(event(uuid=f"{number}") for number in range(10))
    wait_for(lambda: httpx.post(faults, json=[]).json()["waiting"] == 0 and lake.settled(30))
    assert Counter(row["uuid"] for row in lake.rows()) == {f"{number}": 3 for number in range(10)}


def test_resharding_loses_nothing_and_delivers_nothing_twice(lake: Lake) -> None:
    lake.create_bucket()
    lake.create_table()
    lake.create_delivery()
    kinesis = lake.aws.client("kinesis")
    for number, target in enumerate((4, 2, 3)):
        lake.put(event(uuid=f"{number}-{n}") for n in range(200))
        kinesis.update_shard_count(
            StreamName=lake.name, TargetShardCount=target, ScalingType="UNIFORM_SCALING"
        )
    wait_for(lambda: lake.settled(600))
    assert Counter(Counter(row["uuid"] for row in lake.rows()).values()) == {1: 600}


def test_a_stop_flushes_and_a_restart_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with run_emulated_aws(tmp_path) as aws:
        lake = Lake(aws, "lake-restart")
        lake.create_bucket()
        lake.create_table()
        lake.create_delivery(interval=900)
        late = Lake(aws, "lake-late")  # its bucket does not exist yet: nothing can be flushed
        late.create_table()
        late.create_delivery(interval=900, DeliveryStreamType="DirectPut")
        lake.put(event(uuid=f"before-{n}") for n in range(100))
        aws.client("firehose").put_record_batch(
            DeliveryStreamName=late.name, Records=[{"Data": event(uuid=str(n))} for n in range(100)]
        )
        assert aws.stop() == 0
    with run_emulated_aws(tmp_path) as aws:
        lake, late = Lake(aws, lake.name), Lake(aws, late.name)
        assert len(lake.rows()) == 100
        late.create_bucket()
        lake.put(event(uuid=f"after-{n}") for n in range(100))
        for each in (lake, late):
            each.deliver_at_once()
        wait_for(lambda: lake.settled(200) and late.settled(100))
        uuids = Counter(row["uuid"] for row in lake.rows())
        assert len(uuids) == 200
        assert set(uuids.values()) == {1}
        assert sorted(int(row["uuid"]) for row in late.rows()) == list(range(100))


def test_deliveries_are_measured(lake: Lake) -> None:
    lake.create_bucket()
    lake.create_table()
    lake.create_delivery()
    lake.put([event(), event(), b"bad"])
    wait_for(lambda: lake.settled(3))

    def total(name: str) -> float:
        points = lake.aws.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Firehose",
            MetricName=name,
            Dimensions=[{"Name": "DeliveryStreamName", "Value": lake.name}],
            StartTime=time.time() - 600,
            EndTime=time.time() + 600,
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        return float(sum(point["Sum"] for point in points))

    wait_for(lambda: total("DeliveryToS3.Records") == 2)
    assert total("FailedConversion.Records") == 1
    assert total("DeliveryToS3.Bytes") > 0
    assert total("DeliveryToS3.Success") >= 1
    assert 0 < total("DeliveryToS3.DataFreshness") < 600


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
