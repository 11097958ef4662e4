"""A stream and its delivery by Firehose in the emulated AWS, made piece by piece."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from config.tables import BRONZE, BRONZE_PARTITION_COLUMNS
from tests.support.emulated_aws import EmulatedAws
from tests.support.events import VALID_EVENT

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
    return json.dumps({**VALID_EVENT, "timestamp": 1_790_000_000, "uuid": "u", **changes}).encode()


@dataclass(frozen=True)
class Lake:
    """A stream, its delivery to a bucket, and the table that it follows, all of one name."""

    aws: EmulatedAws
    name: str

    def create(self, interval: int = INTERVAL_SECONDS, **source: Any) -> None:
        """Bucket, table and delivery."""
        self.create_bucket()
        self.create_table()
        self.create_delivery(interval, **source)

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
