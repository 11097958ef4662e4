"""Kinesis: nothing is lost, limits are AWS's, and resharding leaves records where they are."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_stack.aws.kinesis.limits import ENFORCE_TAG, ShardLimiter
from local_stack.aws.kinesis.shard import LogShard
from tests.support.emulated_aws import EmulatedAws, run_emulated_aws

aws = pytest.mark.aws


def read_shard(client: Any, stream: str, shard_id: str) -> list[dict[str, Any]]:
    """Every record of a shard from its start."""
    iterator = client.get_shard_iterator(
        StreamName=stream, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records: list[dict[str, Any]] = []
    while iterator:
        answer = client.get_records(ShardIterator=iterator, Limit=10_000)
        records += answer["Records"]
        if not answer["Records"] and answer["MillisBehindLatest"] == 0:
            break
        iterator = answer.get("NextShardIterator")
    return records


def read_stream(client: Any, stream: str) -> dict[str, list[dict[str, Any]]]:
    """Every record by shard."""
    shards = client.list_shards(StreamName=stream)["Shards"]
    return {shard["ShardId"]: read_shard(client, stream, shard["ShardId"]) for shard in shards}


def put(client: Any, stream: str, payloads: list[bytes]) -> list[dict[str, str]]:
    """Write payloads under changing keys; returns the acknowledgements, by position."""
    records = [{"Data": data, "PartitionKey": str(hash(data))} for data in payloads]
    return list(client.put_records(StreamName=stream, Records=records)["Records"])


@aws
def test_eight_writers_lose_nothing(emulated_aws: EmulatedAws) -> None:
    client = emulated_aws.client("kinesis")
    client.create_stream(StreamName="writers", ShardCount=4)

    def write(writer: int) -> dict[str, bytes]:
        own = emulated_aws.client("kinesis")
        acknowledged: dict[str, bytes] = {}
        for start in range(0, 25_000, 500):
            payloads = [f"{writer}:{start + offset}".encode() for offset in range(500)]
            for payload, answer in zip(payloads, put(own, "writers", payloads), strict=True):
                acknowledged[answer["SequenceNumber"]] = payload
        return acknowledged

    acknowledged: dict[str, bytes] = {}
    with ThreadPoolExecutor(8) as pool:
        for part in pool.map(write, range(8)):
            acknowledged |= part
    stored = {
        record["SequenceNumber"]: record["Data"]
        for records in read_stream(client, "writers").values()
        for record in records
    }
    assert len(acknowledged) == 200_000
    assert stored == acknowledged


@aws
def test_records_of_a_shard_come_in_the_order_of_their_sequence_numbers(emulated_aws: EmulatedAws) -> None:
    client = emulated_aws.client("kinesis")
    client.create_stream(StreamName="order", ShardCount=2)
    for number in range(20):
        client.put_record(StreamName="order", Data=str(number).encode(), PartitionKey="one key")
    (records,) = [records for records in read_stream(client, "order").values() if records]
    assert [int(record["Data"]) for record in records] == list(range(20))
    numbers = [int(record["SequenceNumber"]) for record in records]
    assert numbers == sorted(set(numbers))
    assert all(len(record["SequenceNumber"]) == 56 for record in records)


@aws
def test_a_stream_made_anew_reuses_no_sequence_number(emulated_aws: EmulatedAws) -> None:
    client = emulated_aws.client("kinesis")
    seen = set()
    for _ in range(2):
        client.create_stream(StreamName="again", ShardCount=2)
        seen |= {answer["SequenceNumber"] for answer in put(client, "again", [b"a", b"b", b"c"])}
        client.delete_stream(StreamName="again")
    assert len(seen) == 6


@aws
def test_resharding_keeps_records_in_the_closed_parents(emulated_aws: EmulatedAws) -> None:
    client = emulated_aws.client("kinesis")
    client.create_stream(StreamName="reshard", ShardCount=2)
    before = {answer["SequenceNumber"] for answer in put(client, "reshard", [b"%d" % n for n in range(100)])}
    client.update_shard_count(StreamName="reshard", TargetShardCount=4, ScalingType="UNIFORM_SCALING")
    after = {answer["SequenceNumber"] for answer in put(client, "reshard", [b"%d" % n for n in range(100)])}
    shards = {shard["ShardId"]: shard for shard in client.list_shards(StreamName="reshard")["Shards"]}
    closed = [
        name for name, shard in shards.items() if "EndingSequenceNumber" in shard["SequenceNumberRange"]
    ]
    stored = read_stream(client, "reshard")
    assert len(closed) == 2
    assert len(shards) == 6
    assert {record["SequenceNumber"] for name in closed for record in stored[name]} == before
    assert {r["SequenceNumber"] for name in shards if name not in closed for r in stored[name]} == after
    summary = client.describe_stream_summary(StreamName="reshard")["StreamDescriptionSummary"]
    assert summary["OpenShardCount"] == 4


@aws
def test_the_iterator_of_a_closed_shard_ends(emulated_aws: EmulatedAws) -> None:
    client = emulated_aws.client("kinesis")
    client.create_stream(StreamName="closed", ShardCount=1)
    put(client, "closed", [b"last"])
    (shard,) = client.list_shards(StreamName="closed")["Shards"]
    middle = str(2**127)
    client.split_shard(StreamName="closed", ShardToSplit=shard["ShardId"], NewStartingHashKey=middle)
    iterator = client.get_shard_iterator(
        StreamName="closed", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    answer = client.get_records(ShardIterator=iterator)
    assert [record["Data"] for record in answer["Records"]] == [b"last"]
    assert "NextShardIterator" not in answer


@aws
def test_merging_takes_neighbours_in_any_order_and_no_closed_shard(emulated_aws: EmulatedAws) -> None:
    client = emulated_aws.client("kinesis")
    client.create_stream(StreamName="merge", ShardCount=2)
    low, high = (shard["ShardId"] for shard in client.list_shards(StreamName="merge")["Shards"])
    client.merge_shards(StreamName="merge", ShardToMerge=high, AdjacentShardToMerge=low)
    child = client.list_shards(StreamName="merge")["Shards"][-1]
    assert child["HashKeyRange"] == {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)}
    with pytest.raises(ClientError, match="InvalidArgumentException"):
        client.merge_shards(StreamName="merge", ShardToMerge=low, AdjacentShardToMerge=high)


@aws
def test_resharding_under_writers_loses_nothing(emulated_aws: EmulatedAws) -> None:
    client = emulated_aws.client("kinesis")
    client.create_stream(StreamName="moving", ShardCount=2)

    def write(writer: int) -> set[str]:
        own = emulated_aws.client("kinesis")
        return {
            answer["SequenceNumber"]
            for start in range(40)
            for answer in put(own, "moving", [f"{writer}:{start}:{n}".encode() for n in range(100)])
        }

    with ThreadPoolExecutor(4) as pool:
        parts = [pool.submit(write, writer) for writer in range(4)]
        for target in (4, 2, 3):
            client.update_shard_count(
                StreamName="moving", TargetShardCount=target, ScalingType="UNIFORM_SCALING"
            )
        acknowledged = set().union(*(part.result() for part in parts))
    stored = [r["SequenceNumber"] for records in read_stream(client, "moving").values() for r in records]
    assert len(stored) == 16_000
    assert set(stored) == acknowledged


@aws
@pytest.mark.parametrize(
    ("records", "code"),
    [
        ([{"Data": b"x", "PartitionKey": "k"}] * 501, "ValidationException"),
        ([{"Data": b"x" * (1024 * 1024), "PartitionKey": "k"}], "ValidationException"),
        ([{"Data": b"x" * (1024 * 1024 - 1), "PartitionKey": "k"}] * 11, "InvalidArgumentException"),
        ([{"Data": b"x", "PartitionKey": "k" * 257}], "ValidationException"),
        ([{"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": str(2**128)}], "InvalidArgumentException"),
    ],
    ids=["501 records", "a record over 1 MiB", "11 MiB", "a key of 257", "a hash key out of range"],
)
def test_what_aws_refuses_is_refused_whole(
    emulated_aws: EmulatedAws, records: list[dict[str, Any]], code: str
) -> None:
    client = emulated_aws.client("kinesis", parameter_validation=False)
    name = f"limits-{abs(hash(repr(records)[:300] + code + str(len(records))))}"
    client.create_stream(StreamName=name, ShardCount=1)
    with pytest.raises(ClientError, match=code):
        client.put_records(StreamName=name, Records=records)
    assert [r for shard in read_stream(client, name).values() for r in shard] == []


@aws
def test_the_largest_records_pass(emulated_aws: EmulatedAws) -> None:
    client = emulated_aws.client("kinesis")
    client.create_stream(StreamName="large", ShardCount=1)
    record = {"Data": b"x" * (1024 * 1024 - 1), "PartitionKey": "k"}
    assert client.put_records(StreamName="large", Records=[record] * 10)["FailedRecordCount"] == 0
    (records,) = read_stream(client, "large").values()
    assert len(records) == 10


@aws
def test_a_tagged_stream_throttles_record_by_record(emulated_aws: EmulatedAws) -> None:
    client = emulated_aws.client("kinesis")
    client.create_stream(StreamName="throttled", ShardCount=1)
    client.add_tags_to_stream(StreamName="throttled", Tags={ENFORCE_TAG: "true"})
    answers = [
        answer
        for start in range(0, 3000, 500)
        for answer in put(client, "throttled", [b"%d" % n for n in range(start, start + 500)])
    ]
    throttled = [answer for answer in answers if "ErrorCode" in answer]
    assert throttled
    assert {answer["ErrorCode"] for answer in throttled} == {"ProvisionedThroughputExceededException"}
    assert all("SequenceNumber" not in answer for answer in throttled)
    (records,) = read_stream(client, "throttled").values()
    assert len(records) == len(answers) - len(throttled)
    with pytest.raises(ClientError, match="ProvisionedThroughputExceededException"):
        fill_shard(client, "throttled")


def fill_shard(client: Any, stream: str) -> None:
    """Write large records one by one, faster than a shard takes them."""
    for _ in range(2000):
        client.put_record(StreamName=stream, Data=b"x" * 1_000_000, PartitionKey="k")


def test_a_shard_takes_a_second_of_its_rate_at_once_and_no_more() -> None:
    limiter = ShardLimiter()
    assert sum(limiter.admits(1) for _ in range(1500)) in range(1000, 1100)
    limiter = ShardLimiter()
    assert [limiter.admits(400_000) for _ in range(3)] == [True, True, False]


@aws
def test_reading_starts_at_a_time_or_after_a_number(emulated_aws: EmulatedAws) -> None:
    client = emulated_aws.client("kinesis")
    client.create_stream(StreamName="where", ShardCount=1)
    put(client, "where", [b"old"])
    between = time.time()
    first, _ = put(client, "where", [b"new", b"newest"])
    (shard,) = client.list_shards(StreamName="where")["Shards"]
    arn = client.describe_stream(StreamName="where")["StreamDescription"]["StreamARN"]

    def data(**start: Any) -> list[bytes]:
        iterator = client.get_shard_iterator(StreamARN=arn, ShardId=shard["ShardId"], **start)
        records = client.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
        return [record["Data"] for record in records]

    assert data(ShardIteratorType="AT_TIMESTAMP", Timestamp=between) == [b"new", b"newest"]
    number = first["SequenceNumber"]
    assert data(ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber=number) == [b"new", b"newest"]
    assert data(ShardIteratorType="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=number) == [b"newest"]
    assert data(ShardIteratorType="LATEST") == []


def test_trimming_keeps_numbers_and_readers_in_place() -> None:
    shard = LogShard(0, 0, 2**128 - 1)
    numbers = [int(shard.append("k", b"%d" % n)) for n in range(4)]
    horizon = time.time()
    time.sleep(0.002)
    numbers += [int(shard.append("k", b"%d" % n)) for n in range(4, 8)]
    assert shard.trim(horizon) == 4
    assert [record.data for record in shard.get_records(0)[0]] == [b"4", b"5", b"6", b"7"]
    assert [record.data for record in shard.get_records(numbers[5])[0]] == [b"6", b"7"]
    assert int(shard.append("k", b"next")) == numbers[-1] + 1
    assert shard.trim(time.time() + 1) == 5
    assert shard.get_records(numbers[-1] + 1) == ([], numbers[-1] + 1, 0)


@aws
def test_streams_survive_a_restart_and_go_on_counting(tmp_path: Path) -> None:
    with run_emulated_aws(tmp_path) as instance:
        client = instance.client("kinesis")
        client.create_stream(StreamName="kept", ShardCount=2)
        before = {answer["SequenceNumber"] for answer in put(client, "kept", [b"%d" % n for n in range(50)])}
        instance.stop()
    with run_emulated_aws(tmp_path) as instance:
        client = instance.client("kinesis")
        after = {answer["SequenceNumber"] for answer in put(client, "kept", [b"%d" % n for n in range(50)])}
        client.update_shard_count(StreamName="kept", TargetShardCount=4, ScalingType="UNIFORM_SCALING")
        stored = [r["SequenceNumber"] for records in read_stream(client, "kept").values() for r in records]
    assert len(stored) == 100
    assert set(stored) == before | after


@aws
def test_metrics_tell_what_came_in(emulated_aws: EmulatedAws) -> None:
    client = emulated_aws.client("kinesis")
    client.create_stream(StreamName="measured", ShardCount=1)
    for _ in range(3):
        put(client, "measured", [b"1234567"] * 10)
    points = emulated_aws.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Kinesis",
        MetricName="IncomingRecords",
        Dimensions=[{"Name": "StreamName", "Value": "measured"}],
        StartTime=time.time() - 600,
        EndTime=time.time() + 600,
        Period=3600,
        Statistics=["Sum", "SampleCount"],
    )["Datapoints"]
    assert [(sum(p["Sum"] for p in points), sum(p["SampleCount"] for p in points))] == [(30.0, 3.0)]
