"""Producer throughput: acknowledged records per second, against PutRecords without any accounting.

    python -m benchmarks.bench_producer [--records 200000] [--rounds 3]

Both run in turn against one emulated AWS, on a stream of four shards. *plain*: four threads call
put_records with 500 ready-made records each and look at nothing but the number of failures.
*producer*: the command itself, unpaced: it makes the events, accounts for each, and stores the
manifest; afterwards the stream is read back and compared with it, record by record.

One JSON object a line; the last one has ``ratio`` (producer / plain, median of the rounds; aim 0.8).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from kinesis import producer
from kinesis.fleet import Fleet
from kinesis.manifest import find_runs, read_acked
from tests.support.emulated_aws import EmulatedAws, run_emulated_aws

SHARDS = 4
THREADS = 4
BATCH = 500
BUCKET = "bench-producer"
AIM = 0.8


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as state, run_emulated_aws(Path(state), "--fresh") as aws:
        os.environ.update(aws.environment)
        aws.client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": aws.region}
        )
        for number in range(arguments.rounds):
            plain = run_plain(aws, f"plain-{number}", arguments.records)
            ours = run_producer(aws, f"producer-{number}", arguments.records)
            ratios.append(ours / plain)
    report(benchmark="producer", ratio=round(statistics.median(ratios), 3), aim=AIM, rounds=arguments.rounds)


def run_plain(aws: EmulatedAws, stream: str, count: int) -> float:
    """Records per second of PutRecords from four threads."""
    kinesis = aws.client("kinesis")
    kinesis.create_stream(StreamName=stream, ShardCount=SHARDS)
    fleet = Fleet(1)
    records = [fleet.record(int(time.time())) for _ in range(count)]
    batches = [
        [
            {"Data": record.data, "PartitionKey": record.partition_key}
            for record in records[start : start + BATCH]
        ]
        for start in range(0, count, BATCH)
    ]
    watch = Stopwatch()
    with ThreadPoolExecutor(THREADS) as pool:
        answers = pool.map(lambda batch: kinesis.put_records(StreamName=stream, Records=batch), batches)
        failed = sum(answer["FailedRecordCount"] for answer in answers)
    figures = watch.figures(count)
    kinesis.delete_stream(StreamName=stream)
    report(benchmark="producer", variant="plain", records=count, failed=failed, **figures)
    return figures["records_per_second"]


def run_producer(aws: EmulatedAws, stream: str, count: int) -> float:
    """Acknowledged records per second of the producer, manifest included; checks that none is lost."""
    kinesis = aws.client("kinesis")
    kinesis.create_stream(StreamName=stream, ShardCount=SHARDS)
    how = ["--count", str(count), "--rate", "max", "--unpaced"]
    watch = Stopwatch()
    status = producer.main(["--stream", stream, "--bronze-bucket", BUCKET, *how])
    figures = watch.figures(count)
    assert status == 0, f"the producer ended with {status}"
    s3 = aws.client("s3")
    (run,) = [run for run in find_runs(s3, BUCKET) if run.manifest and run.manifest.stream == stream]
    attested = {
        position: content
        for table in read_acked(s3, run)
        for position, content in zip(
            zip(table["shard_id"].to_pylist(), table["sequence_number"].to_pylist(), strict=True),
            table["content_hash"].to_pylist(),
            strict=True,
        )
    }
    stored = read_stream(kinesis, stream)
    lost = len(attested.keys() - stored.keys())
    unattested = len(stored.keys() - attested.keys())
    assert (lost, unattested, len(attested)) == (0, 0, count), (lost, unattested, len(attested))
    kinesis.delete_stream(StreamName=stream)
    report(benchmark="producer", variant="producer", records=count, lost=lost, **figures)
    return figures["records_per_second"]


def read_stream(kinesis: Any, stream: str) -> dict[tuple[str, str], int]:
    """Every record's position on the stream, with its size."""
    found = {}
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while True:
            answer = kinesis.get_records(ShardIterator=iterator, Limit=10_000)
            for record in answer["Records"]:
                found[shard["ShardId"], record["SequenceNumber"]] = len(record["Data"])
            if not answer["Records"]:
                break
            iterator = answer["NextShardIterator"]
    return found


class Stopwatch:
    """Wall time and this process's CPU time since it was made."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    def figures(self, count: int) -> dict[str, float]:
        """Seconds so far, and what they mean for so many records."""
        wall = time.perf_counter() - self._wall
        cpu = time.process_time() - self._cpu
        return {
            "seconds": round(wall, 2),
            "records_per_second": round(count / wall),
            "client_cpu_us_per_record": round(cpu / count * 1e6, 1),
        }


def report(**figures: object) -> None:
    """One line of JSON."""
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
