"""Deliveries of the running process: everything put comes out, as a row or as a failure."""

from __future__ import annotations

import base64
import gzip
import io
import time
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from config.tables import BRONZE
from tests.support.firehose_lake import INTERVAL_SECONDS, Lake, event, role, wait_for

pytestmark = pytest.mark.aws


def test_events_come_out_as_snappy_parquet_under_their_arrival(lake: Lake) -> None:
    lake.create()
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
    lake.create()
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


def test_deliveries_are_measured(lake: Lake) -> None:
    lake.create()
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
