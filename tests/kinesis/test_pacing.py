"""The wanted rate, and the limits of each shard, on a clock that the tests turn."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from kinesis.pacing import SHARD_RECORDS_PER_SECOND, Schedule, ShardPacer, Unpaced
from kinesis.records import Record
from kinesis.shards import ShardMap

TOP = 1 << 128


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Lister:
    """list_shards of a stream whose hash keys are evenly divided, two shards a page."""

    def __init__(self, *shard_ids: str, closed: tuple[str, ...] = ()) -> None:
        self.shard_ids = shard_ids
        self.closed = closed
        self.listings = 0

    def list_shards(self, StreamName: str | None = None, NextToken: str | None = None) -> dict[str, Any]:  # noqa: N803
        assert (StreamName is None) != (NextToken is None)
        self.listings += StreamName is not None
        width = TOP // len(self.shard_ids)
        shards = [
            {
                "ShardId": shard_id,
                "HashKeyRange": {
                    "StartingHashKey": str(n * width),
                    "EndingHashKey": str((n + 1) * width - 1),
                },
                "SequenceNumberRange": {"StartingSequenceNumber": "1"},
            }
            for n, shard_id in enumerate(self.shard_ids)
        ] + [
            {
                "ShardId": shard_id,
                "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": str(TOP - 1)},
                "SequenceNumberRange": {"StartingSequenceNumber": "1", "EndingSequenceNumber": "2"},
            }
            for shard_id in self.closed
        ]
        start = int(NextToken or 0)
        page: dict[str, Any] = {"Shards": shards[start : start + 2]}
        return page | ({"NextToken": str(start + 2)} if start + 2 < len(shards) else {})


def record(key: str, size: int = 200) -> Record:
    return Record(b"x" * (size - len(key)), key, None, None, "")


def key_on(shards: ShardMap, shard_id: str) -> str:
    return next(key for key in map(str, range(10_000)) if shards.shard_of(key) == shard_id)


def test_keys_go_to_the_shard_whose_range_holds_their_md5() -> None:
    shards = ShardMap(Lister("a", "b", "c", closed=("old",)), "stream")
    assert shards.shard_ids == ("a", "b", "c")
    for key in map(str, range(500)):
        position = int(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest(), 16)
        assert shards.shard_of(key) == "abc"[position * 3 // TOP]


def test_a_shard_takes_a_second_at_once_and_then_its_rate() -> None:
    clock = Clock()
    pacer = ShardPacer(ShardMap(Lister("a"), "stream"), clock)
    batch = [record("1")] * 500
    assert [pacer.reserve(batch) for _ in range(4)] == pytest.approx([0, 0, 0.5, 1.0])
    clock.now += 1.0
    assert pacer.reserve(batch) == pytest.approx(0.5)


def test_a_minute_at_full_speed_is_the_shard_s_limit() -> None:
    clock = Clock()
    pacer = ShardPacer(ShardMap(Lister("a"), "stream"), clock)
    sent = 0
    while clock.now < 1060:
        clock.now += pacer.reserve([record("1")] * 400)
        sent += 400
    assert sent == pytest.approx(61 * SHARD_RECORDS_PER_SECOND, rel=0.02)


def test_large_records_count_by_their_bytes() -> None:
    pacer = ShardPacer(ShardMap(Lister("a"), "stream"), Clock())
    assert pacer.reserve([record("1", 500_000)] * 3) == pytest.approx(0.5)


def test_each_shard_has_its_own_limit() -> None:
    shards = ShardMap(Lister("a", "b"), "stream")
    pacer = ShardPacer(shards, Clock())
    on_a, on_b = record(key_on(shards, "a")), record(key_on(shards, "b"))
    assert pacer.reserve([on_a, on_b] * 1000) == 0
    assert pacer.reserve([on_b] * 100) == pytest.approx(0.1)
    assert pacer.reserve([on_a] * 300) == pytest.approx(0.3)


def test_a_resharded_stream_is_read_again_but_not_at_every_answer() -> None:
    clock = Clock()
    lister = Lister("a")
    shards = ShardMap(lister, "stream")
    pacer = ShardPacer(shards, clock)
    pacer.saw({"a"})
    assert lister.listings == 1
    lister.shard_ids, lister.closed = ("b", "c"), ("a",)
    pacer.saw({"a", "b"})
    assert shards.shard_ids == ("b", "c")
    pacer.saw({"a"})
    assert lister.listings == 2
    clock.now += 11
    pacer.saw({"a"})
    assert lister.listings == 3


def test_without_pacing_there_is_no_wait() -> None:
    assert Unpaced().reserve([record("1")] * 10_000) == 0


@pytest.mark.parametrize(
    ("rate", "batch"), [(None, 500), (10_000, 500), (500, 500), (100, 100), (2.5, 2), (0.1, 1)]
)
def test_batches_are_as_full_as_a_second_allows(rate: float | None, batch: int) -> None:
    assert Schedule(rate, 500, Clock()).batch_size == batch


@pytest.mark.parametrize("rate", [0.5, 7, 100, 3000])
def test_the_rate_is_kept_on_average(rate: float) -> None:
    clock = Clock()
    schedule = Schedule(rate, 500, clock)
    sent = 0
    while clock.now + schedule.delay() < 1600:
        clock.now += schedule.delay() + 0.01
        schedule.took(schedule.batch_size)
        sent += schedule.batch_size
    assert sent == pytest.approx(600 * rate, rel=0.02, abs=schedule.batch_size)


def test_as_fast_as_possible_is_never_late() -> None:
    schedule = Schedule(None, 500, Clock())
    schedule.took(500)
    assert schedule.delay() == 0


def test_after_a_long_stall_there_is_no_burst() -> None:
    clock = Clock()
    schedule = Schedule(100, 500, clock)
    schedule.took(100)
    clock.now += 300
    burst = 0
    while schedule.delay() == 0:
        schedule.took(schedule.batch_size)
        burst += schedule.batch_size
    assert burst <= 200
