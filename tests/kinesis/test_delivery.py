"""Delivery loses nothing: partial failures, throttling, refused calls and broken networks."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, ReadTimeoutError

from kinesis import delivery as delivery_module
from kinesis.delivery import CLIENT_CONFIG, IN_FLIGHT, Delivery, DeliveryError
from kinesis.fleet import Fleet
from kinesis.ledger import Ledger
from kinesis.manifest import GIVEN_UP_NAME, RunFolder
from kinesis.pacing import Unpaced
from kinesis.records import Record
from kinesis.tally import Tally
from kinesis.wire import speed_up_put_records
from tests.support.scripted_kinesis import Answer, ScriptedStream, break_off, fail_some, refuse, store_all

ENDPOINT = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    real = delivery_module.wait_random_exponential
    monkeypatch.setattr(
        delivery_module, "wait_random_exponential", lambda **_: real(multiplier=0.001, max=0.01)
    )


class Clock:
    """Ten seconds pass whenever a scripted call is answered by ``slowly``."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def slowly(self, answer: Answer) -> Answer:
        def slow(stream: ScriptedStream, records: list[dict[str, str]]) -> tuple[int, dict[str, Any]]:
            self.now += 10
            return answer(stream, records)

        return slow


class Shelf:
    """S3's put_object, in memory."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, Bucket: str, Key: str, Body: io.BufferedReader) -> None:  # noqa: N803
        self.objects[Key] = Body.read()


@dataclass
class Rig:
    """A delivery to a scripted stream, with its books."""

    stream: ScriptedStream
    tally: Tally
    ledger: Ledger
    delivery: Delivery

    def send(self, records: list[Record], batch: int = 500) -> None:
        for start in range(0, len(records), batch):
            self.delivery.send(records[start : start + batch])

    def attested(self) -> list[dict[str, Any]]:
        self.ledger.finish_parts()
        shelf: Shelf = self.ledger._s3
        parts = [body for key, body in sorted(shelf.objects.items()) if key.endswith(".parquet")]
        return [row for part in parts for row in pq.read_table(io.BytesIO(part)).to_pylist()]

    def given_up(self) -> list[dict[str, Any]]:
        path = self.ledger.spool / GIVEN_UP_NAME
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def rig(tmp_path: Path) -> Callable[..., Rig]:
    def build(*script: Answer, clock: Clock | None = None) -> Rig:
        stream = ScriptedStream(script=list(script))
        tally = Tally()
        ledger = Ledger(Shelf(), RunFolder("bronze", "run-1", datetime(2026, 1, 2, tzinfo=UTC)), tmp_path)
        client = stream.client(CLIENT_CONFIG)
        speed_up_put_records(client)
        delivery = Delivery(
            client,
            "a-stream",
            pacer=Unpaced(),
            ledger=ledger,
            tally=tally,
            patience=25,
            clock=clock or Clock(),
        )
        return Rig(stream, tally, ledger, delivery)

    return build


@pytest.fixture(scope="module")
def records() -> list[Record]:
    fleet = Fleet(1)
    return [fleet.record(1_700_000_000) for _ in range(2000)]


def assert_attested_as_stored(rig: Rig) -> None:
    """Each acknowledged record is on the stream where the ledger says, with that content."""
    on_stream = {(stored.shard_id, stored.sequence_number): stored for stored in rig.stream.stored}
    rows = rig.attested()
    assert len(rows) == rig.tally.acked
    for row in rows:
        stored = on_stream.pop((row["shard_id"], row["sequence_number"]))
        event = json.loads(stored.data)
        assert (row["uuid"], row["timestamp"]) == (event["uuid"], event["timestamp"])
        assert row["size"] == len(stored.data)
    assert rig.tally.taken == rig.tally.acked + rig.tally.given_up
    assert Counter(row["shard_id"] for row in rows) == rig.tally.acked_per_shard


def test_all_goes_well(rig: Callable[..., Rig], records: list[Record]) -> None:
    sent = rig()
    sent.send(records)
    sent.delivery.finish()
    assert sent.stream.calls == [500] * 4
    assert {stored.partition_key for stored in sent.stream.stored} == {str(n) for n in range(100)}
    assert Counter(stored.data for stored in sent.stream.stored) == Counter(r.data for r in records)
    assert (sent.tally.acked, sent.tally.resent, sent.tally.given_up) == (2000, 0, 0)
    assert_attested_as_stored(sent)


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "InternalFailure"])
def test_only_the_failed_records_are_sent_again(
    rig: Callable[..., Rig], records: list[Record], code: str
) -> None:
    sent = rig(fail_some(code, every=5), fail_some(code, every=2))
    sent.send(records[:500])
    sent.delivery.finish()
    assert sent.stream.calls == [500, 100, 50]
    assert Counter(stored.data for stored in sent.stream.stored) == Counter(r.data for r in records[:500])
    throttled = 150 if code == "ProvisionedThroughputExceededException" else 0
    assert (sent.tally.resent, sent.tally.throttled) == (150, throttled)
    assert sent.tally.unknown_outcomes == 0
    assert not any(row["possible_duplicate"] for row in sent.attested())
    assert_attested_as_stored(sent)


def test_throttling_outlasts_any_patience(rig: Callable[..., Rig], records: list[Record]) -> None:
    refused = refuse(400, "ProvisionedThroughputExceededException")
    throttled = fail_some("ProvisionedThroughputExceededException", every=1)
    clock = Clock()
    sent = rig(*map(clock.slowly, [refused, throttled] * 20), clock=clock)
    sent.send(records[:500])
    sent.delivery.finish()
    assert (sent.tally.acked, sent.tally.given_up, sent.tally.throttled) == (500, 0, 40 * 500)
    assert_attested_as_stored(sent)


@pytest.mark.parametrize(
    ("trouble", "unknown"),
    [
        (break_off(ConnectTimeoutError(endpoint_url=ENDPOINT), stored=False), 0),
        (break_off(ReadTimeoutError(endpoint_url=ENDPOINT), stored=False), 500),
        (break_off(ConnectionClosedError(endpoint_url=ENDPOINT), stored=False), 500),
        (refuse(500, "InternalFailure"), 500),
        (refuse(503, "ServiceUnavailable"), 500),
        (lambda stream, records: (200, {"FailedRecordCount": 0, "Records": []}), 500),
        (lambda stream, records: (200, "a proxy's page"), 500),
    ],
    ids=["not connected", "timeout", "closed", "500", "503", "short answer", "no answer"],
)
def test_a_failed_call_is_made_again(
    rig: Callable[..., Rig], records: list[Record], trouble: Answer, unknown: int
) -> None:
    sent = rig(trouble)
    sent.send(records[:500])
    sent.delivery.finish()
    assert (sent.tally.acked, sent.tally.resent, sent.tally.failed_calls) == (500, 500, 1)
    assert sent.tally.unknown_outcomes == unknown
    assert {row["possible_duplicate"] for row in sent.attested()} == {unknown > 0}
    assert_attested_as_stored(sent)


def test_an_answer_that_was_lost_leaves_duplicates_that_are_counted(
    rig: Callable[..., Rig], records: list[Record]
) -> None:
    sent = rig(break_off(ReadTimeoutError(endpoint_url=ENDPOINT), stored=True))
    sent.send(records[:500])
    sent.delivery.finish()
    assert set(Counter(stored.data for stored in sent.stream.stored).values()) == {2}
    assert sent.tally.acked == 500
    assert sent.tally.unknown_outcomes == len(sent.stream.stored) - sent.tally.acked
    assert_attested_as_stored(sent)


def test_a_failure_without_end_is_given_up_with_the_records_kept(
    rig: Callable[..., Rig], records: list[Record]
) -> None:
    # The first call stores 400; the rest then fails until patience ends.
    clock = Clock()
    dead = clock.slowly(break_off(ConnectTimeoutError(endpoint_url=ENDPOINT), stored=False))
    sent = rig(fail_some("InternalFailure", every=5), *[dead] * 10, clock=clock)
    sent.send(records[:500])
    sent.delivery.finish()
    assert sent.stream.calls == [500, 100, 100, 100]
    assert (sent.tally.acked, sent.tally.given_up) == (400, 100)
    kept = sent.given_up()
    assert [base64.b64decode(line["data"]) for line in kept] == [r.data for r in records[:500:5]]
    assert {line["partition_key"] for line in kept} == {r.partition_key for r in records[:500:5]}
    assert all("Connect timeout" in line["reason"] for line in kept)
    assert_attested_as_stored(sent)


@pytest.mark.parametrize(
    "code", ["ResourceNotFoundException", "AccessDeniedException", "ExpiredTokenException"]
)
def test_what_cannot_be_mended_ends_the_delivery(
    rig: Callable[..., Rig], records: list[Record], code: str
) -> None:
    sent = rig(store_all, *[refuse(400, code)] * 10)
    sent.delivery.send(records[:500])
    sent.delivery.send(records[500:1000])
    with pytest.raises(DeliveryError, match=code):
        sent.send(records[1000:] * 10)
    with pytest.raises(DeliveryError, match=code):
        sent.delivery.finish()
    assert sent.tally.acked == 500
    assert len(sent.given_up()) == sent.tally.given_up >= 500
    assert code in sent.given_up()[0]["reason"]
    assert_attested_as_stored(sent)


def test_an_unforeseen_error_loses_no_record(
    rig: Callable[..., Rig], records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    def surprise() -> None:
        raise ZeroDivisionError("surprise")

    sent = rig()
    monkeypatch.setattr(sent.tally, "call", lambda *_, **__: surprise())
    sent.send(records[:500])
    with pytest.raises(DeliveryError, match="ZeroDivisionError: surprise"):
        sent.delivery.finish()
    assert (sent.tally.acked, sent.tally.given_up) == (0, 500)
    assert len(sent.given_up()) == 500


def test_a_full_disk_ends_the_delivery(
    rig: Callable[..., Rig], records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = rig()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sent.ledger, "acked", full)
    sent.send(records[:500])
    with pytest.raises(DeliveryError, match="No space left"):
        sent.delivery.finish()


def test_abandoning_gives_up_what_waits_to_be_sent_again(
    rig: Callable[..., Rig], records: list[Record]
) -> None:
    sent = rig(*[refuse(400, "ProvisionedThroughputExceededException")] * 1_000_000)
    sent.send(records[: 500 * IN_FLIGHT])
    sent.delivery.abandon()
    sent.delivery.finish()
    assert (sent.tally.acked, sent.tally.given_up) == (0, 2000)
    assert Counter(line["data"] for line in sent.given_up()) == Counter(
        base64.b64encode(r.data).decode() for r in records
    )


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_no_more_than_a_few_batches_are_in_flight(
    rig: Callable[..., Rig], records: list[Record], gate: threading.Event
) -> None:
    sent = rig()
    reached = threading.Semaphore(0)

    def wait_at_gate(**_: object) -> None:
        reached.release()
        gate.wait()

    sent.delivery._client.meta.events.register("before-call.kinesis.PutRecords", wait_at_gate)
    sender = threading.Thread(target=sent.send, args=(records * 3,))
    sender.start()
    for _ in range(IN_FLIGHT):
        assert reached.acquire(timeout=30)
    assert not reached.acquire(timeout=0.2)
    assert sent.tally.in_flight == IN_FLIGHT * 500
    gate.set()
    sender.join()
    sent.delivery.finish()
    assert sent.tally.acked == 6000
    assert_attested_as_stored(sent)
