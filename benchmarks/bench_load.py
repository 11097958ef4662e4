"""Load: minutes of events at the rate that the machine holds, through Kinesis and Firehose into bronze.

    python -m benchmarks.bench_load [--minutes 10] [--rate 3000]

The producer runs as a user starts it, paced, against an emulated AWS with the stacks deployed and the stream
given shards enough, so that the machine is the limit. Every few seconds its memory is noted, that of the
emulated AWS, and the delivery's lag: the age of the newest object in bronze, which is the buffering interval
when nothing piles up. In the end every event is accounted for.

One JSON object: ``held_rate`` (acknowledged events a second), ``producer_growth`` (median memory of the last
third to that of the middle third), ``aws_bytes_per_event`` (the emulated AWS holds the stream's retention and
all objects in memory: it grows with the events), ``lag_seconds`` (the median), ``worst_lag_seconds`` and
``last_lag_seconds`` (to be bounded by twice the buffering interval and a look).
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
from rich.console import Console

from config import names
from local_stack.aws.kinesis.limits import SHARD_RECORDS_PER_SECOND
from local_stack.environment import BUFFERING_SECONDS, deploy_stacks, enter
from tests.support.emulated_aws import EmulatedAws, run_emulated_aws

LOOK_SECONDS = 3.0
GROWTH_AIM = 1.1


@dataclass(frozen=True)
class Look:
    """A moment: memory in bytes, and seconds since the last delivery (None: there was none yet)."""

    producer_bytes: int
    aws_bytes: int
    lag_seconds: float | None


def main() -> int:
    """Run the benchmark and print its figures; 1 if an event is not accounted for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=int, default=3_000, help="events a second (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as state, run_emulated_aws(Path(state) / "aws", "--fresh") as aws:
        enter(aws.endpoint)
        deploy_stacks(Path(state) / "env", "dev", Console(file=io.StringIO()))
        add_shards(aws, options.rate)
        aws_before = psutil.Process(aws.process.pid).memory_info().rss
        started = time.monotonic()
        arguments = ["--rate", str(options.rate), "--duration", f"{options.minutes * 60:.0f}"]
        producer = _module("kinesis.producer", *arguments)
        looks = watch(aws, producer)
        seconds = time.monotonic() - started
        delivered = _module("ops.reconcile", "--wait-for-delivery").wait() == 0
        acked = _acked(aws)
    report = figures(looks, acked, seconds, aws_before)
    print(json.dumps({"benchmark": "load", **report, "accounted_for": delivered}, sort_keys=True))
    return 0 if delivered and producer.returncode == 0 else 1


def _module(name: str, *arguments: str) -> subprocess.Popen[bytes]:
    quiet = subprocess.DEVNULL
    return subprocess.Popen([sys.executable, "-m", name, *arguments], stdout=quiet, stderr=quiet)


def add_shards(aws: EmulatedAws, rate: int) -> None:
    """Let the stream take twice the rate, by hash keys that are never quite even; a call can double it."""
    kinesis = aws.client("kinesis")
    described = kinesis.describe_stream_summary(StreamName=names.STREAM)["StreamDescriptionSummary"]
    shards, wanted = described["OpenShardCount"], math.ceil(2 * rate / SHARD_RECORDS_PER_SECOND)
    while shards < wanted:
        shards = min(wanted, 2 * shards)
        kinesis.update_shard_count(
            StreamName=names.STREAM, TargetShardCount=shards, ScalingType="UNIFORM_SCALING"
        )


def watch(aws: EmulatedAws, producer: subprocess.Popen[bytes]) -> list[Look]:
    """Look again and again until the producer has ended."""
    s3, process, server = aws.client("s3"), psutil.Process(producer.pid), psutil.Process(aws.process.pid)
    looks = []
    while producer.poll() is None:
        time.sleep(LOOK_SECONDS)
        newest = _newest_object(s3)
        lag = (datetime.now(UTC) - newest).total_seconds() if newest else None
        try:
            looks.append(Look(process.memory_info().rss, server.memory_info().rss, lag))
        except psutil.NoSuchProcess:
            break
    return looks


def _newest_object(s3: Any) -> datetime | None:
    bucket = os.environ["BRONZE_BUCKET"]
    prefix = f"clickstream/{datetime.now(UTC):dt=%Y-%m-%d/}"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return max((each["LastModified"] for page in pages for each in page.get("Contents", [])), default=None)


def _acked(aws: EmulatedAws) -> int:
    """Events that the producer's manifests say were acknowledged."""

    s3, bucket = aws.client("s3"), os.environ["BRONZE_BUCKET"]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="manifests/")
    keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
    parts = (s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys if key.endswith(".parquet"))
    return sum(pq.read_metadata(io.BytesIO(part)).num_rows for part in parts)


def figures(looks: list[Look], acked: int, seconds: float, aws_before: int) -> dict[str, Any]:
    """What the looks come to."""
    third = max(1, len(looks) // 3)
    middle, last = looks[third : 2 * third], looks[-third:]
    growth = _median_memory(last) / _median_memory(middle)
    lags = [look.lag_seconds for look in looks if look.lag_seconds is not None]
    return {
        "minutes": round(seconds / 60, 1),
        "acked": acked,
        "held_rate": round(acked / seconds),
        "producer_mb": round(_median_memory(last) / 1e6),
        "producer_growth": round(growth, 3),
        "growth_aim": GROWTH_AIM,
        "aws_bytes_per_event": round((looks[-1].aws_bytes - aws_before) / acked),
        "lag_seconds": round(statistics.median(lags), 1),
        "worst_lag_seconds": round(max(lags), 1),
        "last_lag_seconds": round(lags[-1], 1),
        "lag_aim_seconds": 2 * float(BUFFERING_SECONDS) + LOOK_SECONDS,
    }


def _median_memory(looks: list[Look]) -> float:
    return statistics.median(look.producer_bytes for look in looks)


if __name__ == "__main__":
    sys.exit(main())
