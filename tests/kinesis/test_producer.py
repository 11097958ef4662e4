"""The producer as its users run it, against the emulated AWS: what is on the stream is what is attested."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kinesis.fleet import Fleet
from kinesis.ledger import Ledger
from kinesis.manifest import Run, RunFolder, count_acked, find_runs, read_acked
from kinesis.records import describe
from local_stack.aws.kinesis.limits import ENFORCE_TAG
from tests.support.emulated_aws import EmulatedAws

pytestmark = pytest.mark.aws

KINESIS_FOLDER = Path(__file__).resolve().parents[2] / "kinesis"
SECONDS_TO_END = 120


@dataclass(frozen=True)
class Place:
    """A stream and a bucket of a test's own."""

    aws: EmulatedAws
    name: str

    def start(self, *arguments: str, module: bool = False, **options: Any) -> subprocess.Popen[str]:
        """Start a producer; its messages go to a pipe."""
        program = ["-m", "kinesis.producer"] if module else ["producer.py"]
        command = [sys.executable, *program, "--stream", self.name, "--bronze-bucket", self.name, *arguments]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return subprocess.Popen(
            command,
            cwd=KINESIS_FOLDER.parent if module else KINESIS_FOLDER,
            env=environment | self.aws.environment,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(self, *arguments: str, stdin: str | None = None) -> tuple[int, str]:
        """Run a producer to its end; exit status and messages."""
        process = self.start(*arguments, stdin=subprocess.PIPE)
        _, messages = process.communicate(stdin, timeout=SECONDS_TO_END)
        return process.returncode, messages

    def on_stream(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Every record, by shard and sequence number."""
        kinesis = self.aws.client("kinesis")
        found = {}
        for shard in kinesis.list_shards(StreamName=self.name)["Shards"]:
            iterator = kinesis.get_shard_iterator(
                StreamName=self.name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while True:
                answer = kinesis.get_records(ShardIterator=iterator, Limit=10_000)
                for record in answer["Records"]:
                    found[shard["ShardId"], record["SequenceNumber"]] = record
                if not answer["Records"] and not answer["MillisBehindLatest"]:
                    break
                iterator = answer["NextShardIterator"]
        return found

    def runs(self) -> list[Run]:
        return list(find_runs(self.aws.client("s3"), self.name))

    def attested(self) -> list[dict[str, Any]]:
        s3 = self.aws.client("s3")
        return [row for run in self.runs() for table in read_acked(s3, run) for row in table.to_pylist()]


@pytest.fixture
def place(emulated_aws: EmulatedAws) -> Place:
    name = f"producer-{uuid.uuid4().hex[:8]}"
    emulated_aws.client("kinesis").create_stream(StreamName=name, ShardCount=3)
    emulated_aws.client("s3").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": emulated_aws.region}
    )
    return Place(emulated_aws, name)


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS_TO_END
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.1)


def assert_attested_as_stored(place: Place) -> int:
    """The manifests name exactly what lies on the stream, record by record; how many there are."""
    stored = place.on_stream()
    rows = place.attested()
    by_position = {(row["shard_id"], row["sequence_number"]): row for row in rows}
    assert len(by_position) == len(rows)
    assert by_position.keys() == stored.keys()
    for position, row in by_position.items():
        record = describe(stored[position]["Data"])
        assert (row["uuid"], row["timestamp"]) == (record.uuid, record.timestamp)
        assert (row["content_hash"], row["size"]) == (record.content_hash, len(record.data))
    return len(rows)


def test_eight_producers_at_once_lose_nothing(place: Place) -> None:
    disorder = ["--late", "0.02", "--duplicates", "0.02", "--corrupt", "0.05"]
    processes = [
        place.start("--count", "2500", "--rate", "max", "--unpaced", "--seed", str(seed), *disorder)
        for seed in range(8)
    ]
    messages = [process.communicate(timeout=SECONDS_TO_END)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, messages

    assert assert_attested_as_stored(place) == 8 * 2500
    manifests = [run.manifest for run in place.runs()]
    assert [m.seed for m in sorted(filter(None, manifests), key=lambda m: m.seed or 0)] == list(range(8))
    for manifest in filter(None, manifests):
        assert (manifest.sent, manifest.acked, manifest.given_up) == (2500, 2500, 0)
        assert (manifest.ended_by, manifest.error) == ("count", None)
        assert sum(manifest.acked_per_shard.values()) == sum(part.rows for part in manifest.parts) == 2500
    rows = place.attested()
    by_disorder: Counter[str] = Counter()
    for manifest in filter(None, manifests):
        by_disorder.update(manifest.disorder)
    assert by_disorder == Counter(row["disorder"] for row in rows if row["disorder"])
    uuids = [row["uuid"] for row in rows[::500] if row["uuid"]]
    assert not any(uuid in text for uuid in uuids for text in messages)


def test_throttling_slows_a_run_and_loses_nothing(place: Place) -> None:
    kinesis = place.aws.client("kinesis")
    kinesis.add_tags_to_stream(StreamName=place.name, Tags={ENFORCE_TAG: "true"})
    status, messages = place.run("--count", "4000", "--rate", "max", "--unpaced", "--sensors", "1")
    assert status == 0, messages
    assert assert_attested_as_stored(place) == 4000
    (run,) = place.runs()
    assert run.manifest is not None
    assert run.manifest.throttled > 0
    assert run.manifest.resent == run.manifest.throttled
    assert (run.manifest.given_up, run.manifest.unknown_outcomes) == (0, 0)


def test_partition_keys_are_sensor_ids(place: Place) -> None:
    assert place.run("--count", "300", "--rate", "max", "--sensors", "7")[0] == 0
    for record in place.on_stream().values():
        assert record["PartitionKey"] == str(json.loads(record["Data"])["sensor_id"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_in_order(place: Place, number: signal.Signals) -> None:
    process = place.start("--rate", "200", module=True)
    wait_until(place.on_stream)
    process.send_signal(number)
    _, messages = process.communicate(timeout=SECONDS_TO_END)
    assert process.returncode == 0, messages
    assert "stopping: delivering what is in flight" in messages
    (run,) = place.runs()
    assert run.manifest is not None
    assert run.manifest.ended_by == "interrupted"
    assert assert_attested_as_stored(place) == run.manifest.sent > 0


def test_a_signal_ends_the_wait_for_standard_input(place: Place) -> None:
    process = place.start("--replay", "-", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write('{"uuid": "a", "timestamp": 1}\n')
    process.stdin.flush()
    wait_until(place.on_stream)
    process.send_signal(signal.SIGINT)
    assert process.wait(SECONDS_TO_END) == 0
    process.stdin.close()
    assert process.stderr is not None
    process.stderr.close()
    assert assert_attested_as_stored(place) == 1


def test_a_duration_ends_a_run(place: Place) -> None:
    assert place.run("--duration", "1.5", "--rate", "100")[0] == 0
    (run,) = place.runs()
    assert run.manifest is not None
    assert (run.manifest.ended_by, run.manifest.acked) == ("duration", 200)


def test_real_events_are_replayed_from_standard_input(place: Place) -> None:
    lines = [json.dumps({"uuid": f"u-{n}", "timestamp": n, "sensor_id": n % 7}) for n in range(1200)]
    status, messages = place.run("--replay", "-", "--rate", "max", stdin="\n".join(lines))
    assert status == 0, messages
    assert Counter(record["Data"].decode() for record in place.on_stream().values()) == Counter(lines)
    assert assert_attested_as_stored(place) == 1200
    (run,) = place.runs()
    assert run.manifest is not None
    assert (run.manifest.ended_by, run.manifest.seed) == ("end of input", None)


def test_a_bad_line_of_a_pipe_ends_the_run_with_what_came_before_attested(place: Place) -> None:
    status, messages = place.run(
        "--replay", "-", stdin='{"uuid": "a"}\n{"uuid": "b"}\nsecret\n{"uuid": "c"}\n'
    )
    assert status == 2
    assert "standard input, line 3: not valid JSON" in messages
    assert "secret" not in messages
    assert assert_attested_as_stored(place) == 2
    (run,) = place.runs()
    assert run.manifest is not None
    assert (run.manifest.ended_by, run.manifest.error) == ("error", "standard input, line 3: not valid JSON")


def test_a_missing_stream_leads_to_the_setup(place: Place) -> None:
    place.aws.client("kinesis").delete_stream(StreamName=place.name)
    status, messages = place.run("--count", "1")
    assert status == 2
    assert f"there is no stream {place.name}" in messages
    assert "setup_kinesis.py" in messages


def test_a_missing_bucket_is_noticed_before_anything_is_sent(place: Place) -> None:
    status, messages = place.run("--count", "1", "--bronze-bucket", f"{place.name}-none")
    assert status == 2
    assert f"there is no bucket {place.name}-none" in messages
    assert place.on_stream() == {}


def test_a_stream_that_goes_away_ends_the_run_and_keeps_the_records(place: Place) -> None:
    process = place.start("--rate", "100")
    wait_until(place.on_stream)
    place.aws.client("kinesis").delete_stream(StreamName=place.name)
    _, messages = process.communicate(timeout=SECONDS_TO_END)
    assert process.returncode == 1
    assert "ResourceNotFoundException" in messages
    (run,) = place.runs()
    assert run.manifest is not None
    assert run.manifest.ended_by == "error"
    assert run.manifest.given_up > 0
    body = place.aws.client("s3").get_object(Bucket=place.name, Key=f"{run.prefix}_given_up.jsonl")["Body"]
    assert len(body.read().splitlines()) == run.manifest.given_up


def test_a_killed_run_leaves_the_parts_it_had_finished(place: Place, tmp_path: Path) -> None:
    s3 = place.aws.client("s3")
    folder = RunFolder(place.name, "killed", datetime.now(UTC))
    ledger = Ledger(s3, folder, tmp_path, part_rows=10)
    fleet = Fleet(1)
    for _ in range(5):
        records = [fleet.record(1_700_000_000) for _ in range(5)]
        ledger.acked(records, ["shard"] * 5, ["1"] * 5, possible_duplicates=False)
    (run,) = place.runs()
    assert (run.run_id, run.manifest) == ("killed", None)
    assert count_acked(s3, run) == 20
