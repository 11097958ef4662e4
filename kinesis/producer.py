"""Send sensor events to the Kinesis stream, and leave a manifest of what was acknowledged.

    cd kinesis && python producer.py                         five minutes of the simulated fleet
    python producer.py --rate 2000 --late 0.02 --duplicates 0.02 --corrupt 0.01
    python producer.py --replay events.jsonl --rate max      real events, as fast as the stream takes them

Ctrl-C (or SIGTERM) takes no more events, delivers what is in flight, writes the manifest and
exits 0; a second one gives up what is not acknowledged yet, and the manifest keeps it.
The manifest's layout: ``kinesis/manifest.py``.

Exit status: 0 every record taken was acknowledged and attested; 1 records were given up, or the
manifest could not be stored; 2 the arguments, the settings or the input are unusable.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from dotenv import load_dotenv
from rich.console import Console

from kinesis.delivery import CLIENT_CONFIG, MAX_BATCH_RECORDS, Delivery, DeliveryError
from kinesis.disorder import DisorderedFleet
from kinesis.fleet import Fleet
from kinesis.ledger import Ledger, LedgerError
from kinesis.manifest import Manifest, RunFolder
from kinesis.options import Options, parse_options
from kinesis.pacing import Pacer, Schedule, ShardPacer, Unpaced
from kinesis.progress import show_progress
from kinesis.pump import EndedBy, FleetSource, Limits, Source, pump
from kinesis.replay import ReplayError, open_replay
from kinesis.shards import ShardMap
from kinesis.tally import Tally
from kinesis.wire import speed_up_put_records

_ROOT = Path(__file__).resolve().parent.parent


class SetupError(Exception):
    """The stream or the bucket cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Run:
    """One run under way: what it is asked, and what it has done."""

    options: Options
    folder: RunFolder
    tally: Tally
    ledger: Ledger
    delivery: Delivery
    stop: threading.Event = field(default_factory=threading.Event)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the producer; returns the exit status."""
    load_dotenv(_ROOT / ".env")
    options = parse_options(argv, os.environ)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        with _open_source(options) as source:
            return _run(_prepare(options), source, console)
    except (SetupError, ReplayError) as error:
        _complain(console, error)
        return 2


def _prepare(options: Options) -> Run:
    """Check stream and bucket, and put the run together.

    Raises:
        SetupError: one of them cannot be used.
    """
    control = boto3.client("kinesis", region_name=options.region)
    s3 = boto3.client("s3", region_name=options.region)
    try:
        _check_bucket(s3, options.bronze_bucket)
        on_demand = _check_stream(control, options)
        pacer: Pacer = (
            Unpaced() if on_demand or options.unpaced else ShardPacer(ShardMap(control, options.stream))
        )
    except (ClientError, BotoCoreError) as error:
        raise SetupError(str(error)) from error
    started = datetime.now(UTC)
    folder = RunFolder(options.bronze_bucket, f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}", started)
    tally = Tally()
    ledger = Ledger(s3, folder, Path(tempfile.mkdtemp(prefix="producer-")))
    data = boto3.client("kinesis", region_name=options.region, config=CLIENT_CONFIG)
    speed_up_put_records(data)
    delivery = Delivery(data, options.stream, pacer=pacer, ledger=ledger, tally=tally)
    return Run(options, folder, tally, ledger, delivery)


def _run(run: Run, source: Source, console: Console) -> int:
    """Send, then attest; returns the exit status."""
    options = run.options
    of_what = (
        f"replaying {options.replay}" if options.replay else f"{options.sensors} sensors, seed {options.seed}"
    )
    console.print(f"run {run.folder.run_id}: {of_what}, to stream {options.stream}", markup=False)
    problem: Exception | None = None
    ended_by = EndedBy.ERROR
    with _stop_on_signals(run, console), show_progress(run.tally, console):
        try:
            ended_by = pump(
                source,
                run.delivery,
                Schedule(options.rate, MAX_BATCH_RECORDS),
                Limits(options.duration, options.count),
                run.stop,
            )
        except (DeliveryError, ReplayError) as error:
            problem = error
        try:
            run.delivery.finish()
        except DeliveryError as error:
            problem, ended_by = error, EndedBy.ERROR
    try:
        _attest(run, ended_by, problem)
    except (LedgerError, OSError) as error:
        problem = problem or error
    if problem is not None:
        _complain(console, problem)
        return 2 if isinstance(problem, ReplayError) else 1
    console.print(f"manifest {run.folder.uri}", markup=False)
    if run.tally.given_up:
        _complain(console, f"{run.tally.given_up:,} records were given up; the manifest keeps them")
        return 1
    return 0


def _attest(run: Run, ended_by: EndedBy, problem: Exception | None) -> None:
    """Write the manifest.

    Raises:
        LedgerError, OSError: it could not be stored.
    """
    options, tally = run.options, run.tally
    parts = run.ledger.finish_parts()
    run.ledger.store(
        Manifest(
            run_id=run.folder.run_id,
            stream=options.stream,
            region=options.region,
            started=run.folder.started.isoformat(),
            ended=datetime.now(UTC).isoformat(),
            ended_by=ended_by,
            seed=options.seed,
            options=options.as_document(),
            sent=tally.taken,
            acked=tally.acked,
            given_up=tally.given_up,
            calls=tally.calls,
            failed_calls=tally.failed_calls,
            resent=tally.resent,
            throttled=tally.throttled,
            unknown_outcomes=tally.unknown_outcomes,
            acked_per_shard=dict(sorted(tally.acked_per_shard.items())),
            disorder=dict(sorted(tally.disorder.items())),
            parts=parts,
            error=None if problem is None else str(problem),
        )
    )
    shutil.rmtree(run.ledger.spool)


@contextmanager
def _open_source(options: Options) -> Iterator[Source]:
    if options.replay is not None:
        with open_replay(options.replay) as replay:
            yield replay
        return
    seed = options.seed or 0
    yield FleetSource(DisorderedFleet(Fleet(seed, options.sensors), options.shares, seed))


def _check_stream(control: Any, options: Options) -> bool:
    """Wait for a stream that is being made; whether it is on demand.

    Raises:
        SetupError: there is no such stream.
        ClientError, BotoCoreError: it cannot be described.
    """
    try:
        summary = control.describe_stream_summary(StreamName=options.stream)["StreamDescriptionSummary"]
    except control.exceptions.ResourceNotFoundException:
        raise SetupError(
            f"there is no stream {options.stream} in {options.region}: make it with "
            "python setup_kinesis.py (in the folder kinesis)"
        ) from None
    if summary["StreamStatus"] == "CREATING":
        waiter = control.get_waiter("stream_exists")
        waiter.wait(StreamName=options.stream, WaiterConfig={"Delay": 2, "MaxAttempts": 60})
    return bool(summary.get("StreamModeDetails", {}).get("StreamMode") == "ON_DEMAND")


def _check_bucket(s3: Any, bucket: str) -> None:
    """Notice a bucket that cannot be used before anything is sent.

    Raises:
        SetupError: it does not exist.
        ClientError, BotoCoreError: it cannot be reached.
    """
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] == "404":
            raise SetupError(f"there is no bucket {bucket} for the manifest: check BRONZE_BUCKET") from None
        raise


@contextmanager
def _stop_on_signals(run: Run, console: Console) -> Iterator[None]:
    def stop(signum: int, frame: FrameType | None) -> None:
        if run.stop.is_set():
            run.delivery.abandon()
            return
        run.stop.set()
        console.print("stopping: delivering what is in flight (again to give it up)", markup=False)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _complain(console: Console, problem: object) -> None:
    console.print(f"producer: {problem}", style="red", markup=False)


if __name__ == "__main__":
    sys.exit(main())
