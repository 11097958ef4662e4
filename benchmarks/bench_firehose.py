"""Firehose delivery: records per second, against pyarrow reading and writing the same bytes.

    python -m benchmarks.bench_firehose [--records 500000] [--rounds 3]

*plain*: one ``pyarrow.json.read_json`` of all events, newline-joined and known to be good, and one
``write_table``. *convert*: the conversion of separate records with every check, and the same write;
also with a hundredth of them bad in all the ways of the issue, and with a member that the table does
not know in each. *deliver*: the whole way in the process: from the shards through buffer, conversion and
failure documents to S3 objects, with the same hundredth bad.

One JSON object a line; each ratio is against *plain* of the same round, the median of the rounds.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq
from moto.core import DEFAULT_ACCOUNT_ID
from moto.firehose.models import FirehoseBackend, firehose_backends
from moto.glue.models import glue_backends
from moto.iam.models import iam_backends
from moto.kinesis.models import kinesis_backends
from moto.s3.models import s3_backends

from config.project_config import DEFAULT_REGION
from config.tables import BRONZE
from local_stack.aws import dispatch, firehose, glue, kinesis, s3
from local_stack.aws.context import ServerContext
from local_stack.aws.firehose.conversion import RecordConverter
from local_stack.aws.firehose.delivery import Delivery
from local_stack.aws.kinesis.stream import PutEntry

COLUMNS = [(column.name, column.type) for column in BRONZE.columns]
NAME = "bench"
ROLE = "bench"
ROLE_ARN = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/{ROLE}"
SHARDS = 4
WARM_UP_RECORDS = 50_000


class Measured(NamedTuple):
    """What came out, and how long that took."""

    records: int
    seconds: float


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    good = make_events(arguments.records)
    bad = spoil(good)
    extended = [record[:-1] + b', "firmware": "1.2.3"}' for record in good]
    with tempfile.TemporaryDirectory() as state_dir:
        install(Path(state_dir))
        ways: dict[str, Callable[[], Measured]] = {
            "plain": lambda: read_plain(good),
            "convert": lambda: convert(good),
            "convert, 1 % bad": lambda: convert(bad),
            "convert, unknown member": lambda: convert(extended),
            "deliver, 1 % bad": lambda: deliver(bad),
        }
        convert(good[:WARM_UP_RECORDS])
        rates: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(arguments.rounds):
            for way, run in ways.items():
                measured = run()
                assert measured.records == arguments.records
                rates[way].append(measured.records / measured.seconds)
    for way, found in rates.items():
        ratios = [rate / plain for rate, plain in zip(found, rates["plain"], strict=True)]
        result = {
            "benchmark": "firehose",
            "way": way,
            "records_per_second": round(statistics.median(found)),
            "ratio_to_plain": round(statistics.median(ratios), 3),
            "records": arguments.records,
            "rounds": arguments.rounds,
        }
        print(json.dumps(result), flush=True)


def make_events(count: int) -> list[bytes]:
    """Events as a producer writes them."""
    generator = random.Random(7)  # noqa: S311
    return [
        json.dumps(
            {
                "sensor_id": n % 100,
                "temperature": round(generator.uniform(-10, 35), 2),
                "humidity": round(generator.uniform(20, 90), 2),
                "location": {"latitude": 52.52 + n % 10 / 20, "longitude": 13.405 + n % 100 / 200},
                "status": ("active", "inactive", "faulty")[n % 3],
                "event_type": "reading",
                "timestamp": 1_790_000_000 + n // 100,
                "uuid": f"{generator.getrandbits(128):032x}",
            }
        ).encode()
        for n in range(count)
    ]


def spoil(events: list[bytes]) -> list[bytes]:
    """The same with every hundredth record bad, in turn in six ways."""
    kinds: tuple[Callable[[bytes], bytes], ...] = (
        lambda record: record[:-9],
        lambda record: record.replace(b'"temperature": ', b'"temperature": "hot", "was": '),
        lambda record: b"",
        lambda record: b"[" + record + b"]",
        lambda record: record.replace(b'"humidity": ', b'"humidity": NaN, "was": '),
        lambda record: record.replace(b"reading", b"\xff\xfe"),
    )
    spoilt = list(events)
    for turn, n in enumerate(range(0, len(events), 100)):
        spoilt[n] = kinds[turn % len(kinds)](events[n])
    return spoilt


def read_plain(events: list[bytes]) -> Measured:
    """Arrow's reader and writer alone."""
    schema = RecordConverter(COLUMNS).schema
    joined = b"\n".join(events)
    options = pyarrow.json.ParseOptions(explicit_schema=schema)
    started = time.perf_counter()
    table = pyarrow.json.read_json(pa.BufferReader(joined), parse_options=options)
    pq.write_table(table, io.BytesIO(), compression="snappy")
    return Measured(table.num_rows, time.perf_counter() - started)


def convert(events: list[bytes]) -> Measured:
    """The checked conversion and the same write."""
    started = time.perf_counter()
    conversion = RecordConverter(COLUMNS).convert(events)
    pq.write_table(conversion.table, io.BytesIO(), compression="snappy")
    seconds = time.perf_counter() - started
    return Measured(conversion.table.num_rows + len(conversion.failures), seconds)


def install(state_dir: Path) -> None:
    """The emulation in this process, with bucket, table and stream."""
    context = ServerContext("http://127.0.0.1", state_dir, DEFAULT_REGION)
    for service in (dispatch, s3, kinesis, glue, firehose):
        service.install(context)
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(NAME, DEFAULT_REGION)
    make_role()
    catalog = glue_backends[DEFAULT_ACCOUNT_ID][DEFAULT_REGION]
    catalog.create_database(NAME, {"Name": NAME})
    columns = [{"Name": name, "Type": hive_type} for name, hive_type in COLUMNS]
    catalog.create_table(NAME, BRONZE.name, {"Name": BRONZE.name, "StorageDescriptor": {"Columns": columns}})


def make_role() -> None:
    """The role that Firehose works under, with rights as in the project's template but on everything."""
    iam = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    trust = {"Principal": {"Service": "firehose.amazonaws.com"}, "Action": "sts:AssumeRole"}
    actions = ["glue:GetTableVersions", "kinesis:*", "s3:PutObject"]
    iam.create_role(ROLE, _policy(trust), "/", None, "", [], "3600")
    iam.put_role_policy(ROLE, "deliver", _policy({"Action": actions, "Resource": "*"}))


def _policy(grant: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **grant}]})


def deliver(events: list[bytes]) -> Measured:
    """All between the shards and the objects; filling the shards is not measured."""
    streams = kinesis_backends[DEFAULT_ACCOUNT_ID][DEFAULT_REGION]
    stream = streams.create_stream(NAME, SHARDS)
    for n, data in enumerate(events):
        stream.put(PutEntry(str(n), data, len(data)))
    deliveries = firehose_backends[DEFAULT_ACCOUNT_ID][DEFAULT_REGION]
    create_delivery(deliveries, stream.arn)
    delivery = Delivery(DEFAULT_ACCOUNT_ID, DEFAULT_REGION, deliveries.delivery_streams[NAME])
    delivery.progress.started = 0.0
    started = time.perf_counter()
    delivery.start()
    delivery.stop(timeout_seconds=600)  # everything is flushed before it ends
    seconds = time.perf_counter() - started
    streams.delete_stream(None, NAME)
    deliveries.delete_delivery_stream(NAME)
    return Measured(empty_bucket(), seconds)


def create_delivery(deliveries: FirehoseBackend, stream_arn: str) -> None:
    """The delivery stream of the project's template, as moto's backend takes it."""
    destination = {
        "RoleARN": ROLE_ARN,
        "BucketARN": f"arn:aws:s3:::{NAME}",
        "Prefix": "clickstream/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/",
        "ErrorOutputPrefix": "clickstream-errors/!{firehose:error-output-type}/",
        "BufferingHints": {"SizeInMBs": 128, "IntervalInSeconds": 900},
        "DataFormatConversionConfiguration": {
            "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
            "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
            "SchemaConfiguration": {"DatabaseName": NAME, "TableName": BRONZE.name},
        },
    }
    unused = (None, None, None, None, None, None, None)
    source = {"KinesisStreamARN": stream_arn, "RoleARN": ROLE_ARN}
    deliveries.create_delivery_stream(
        DEFAULT_REGION, NAME, "KinesisStreamAsSource", source, None, None, destination, *unused
    )


def empty_bucket() -> int:
    """Remove the delivered objects; returns the rows and failure documents that were in them."""
    bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].get_bucket(NAME)
    records = 0
    for name in list(bucket.keys):
        body = bucket.keys[name].value
        is_parquet = name.endswith(".parquet")
        records += pq.read_metadata(io.BytesIO(body)).num_rows if is_parquet else body.count(b"\n")
        bucket.keys.pop(name)
    return records


if __name__ == "__main__":
    main()
