"""Kinesis in the emulation: acknowledged records per second of PutRecords, and whether it stays so.

    python -m benchmarks.bench_kinesis [--records 100000] [--rounds 3]

*put_record*: one thread, one record a call. *put_records*: 500 a call, from 1, 4 and 8 threads, each
on a stream of four shards. *full*: four threads again on the stream that already holds all the records
written to it in earlier rounds. Every record is read back and counted.

One JSON object a line. ``ratio_to_put_record`` says what batching brings, ``ratio_to_empty`` what a
full stream costs (1 = nothing), each the median of the rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.support.emulated_aws import EmulatedAws, run_emulated_aws

SHARDS = 4
BATCH = 500
SINGLE_RECORDS = 500
PAYLOAD = b'{"sensor_id": 42, "temperature": 21.5}'.ljust(220)


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as state, run_emulated_aws(Path(state), "--fresh") as aws:
        aws.client("kinesis").create_stream(StreamName="full", ShardCount=SHARDS)
        for number in range(arguments.rounds):
            rates.setdefault("put_record", []).append(put_single(aws, f"single-{number}"))
            for threads in (1, 4, 8):
                name = f"batches-{number}-{threads}"
                aws.client("kinesis").create_stream(StreamName=name, ShardCount=SHARDS)
                rate = put_batches(aws, name, arguments.records, threads)
                rates.setdefault(f"put_records, {threads} threads", []).append(rate)
                assert count(aws, name) == arguments.records // BATCH // threads * BATCH * threads
            rates.setdefault("full", []).append(put_batches(aws, "full", arguments.records, 4))
    for way, measured in rates.items():
        result: dict[str, Any] = {
            "benchmark": "kinesis",
            "way": way,
            "records_per_second": round(statistics.median(measured)),
        }
        if way == "full":
            result["ratio_to_empty"] = ratio(measured, rates["put_records, 4 threads"])
        else:
            result["ratio_to_put_record"] = ratio(measured, rates["put_record"])
        print(json.dumps(result | {"rounds": arguments.rounds}), flush=True)


def ratio(rates: list[float], base: list[float]) -> float:
    """Median of the ratios, round by round."""
    return round(statistics.median(rate / other for rate, other in zip(rates, base, strict=True)), 2)


def put_single(aws: EmulatedAws, stream: str) -> float:
    """Records per second of PutRecord."""
    client = aws.client("kinesis")
    client.create_stream(StreamName=stream, ShardCount=SHARDS)
    started = time.perf_counter()
    for number in range(SINGLE_RECORDS):
        client.put_record(StreamName=stream, Data=PAYLOAD, PartitionKey=str(number))
    return SINGLE_RECORDS / (time.perf_counter() - started)


def put_batches(aws: EmulatedAws, stream: str, records: int, threads: int) -> float:
    """Records per second of PutRecords."""
    client = aws.client("kinesis")
    batch = [{"Data": PAYLOAD, "PartitionKey": str(number)} for number in range(BATCH)]
    calls = records // BATCH // threads

    def write(_thread: int) -> None:
        for _ in range(calls):
            assert client.put_records(StreamName=stream, Records=batch)["FailedRecordCount"] == 0

    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(write, range(threads)))
    return calls * threads * BATCH / (time.perf_counter() - started)


def count(aws: EmulatedAws, stream: str) -> int:
    """Records on a stream, by reading them."""
    client = aws.client("kinesis")
    total = 0
    for shard in client.list_shards(StreamName=stream)["Shards"]:
        iterator = client.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while True:
            answer = client.get_records(ShardIterator=iterator)
            if not answer["Records"]:
                break
            total += len(answer["Records"])
            iterator = answer["NextShardIterator"]
    return total


if __name__ == "__main__":
    main()
