"""What goes into one delivery, and where reading goes on."""

from __future__ import annotations

import random

from local_stack.aws.firehose.buffer import READ_LIMIT, Buffer, DeliveryProgress
from local_stack.aws.kinesis.shard import LogShard


def shard_with(number: int, arrivals: list[float], size: int = 10) -> LogShard:
    """A shard whose n-th record arrived at the n-th time."""
    shard = LogShard(number, 0, 2**128 - 1)
    for arrival in arrivals:
        shard.append("key", b"x" * size)
        shard._arrivals[-1] = arrival
    return shard


def deliver_all(shards: list[LogShard], progress: DeliveryProgress, buffer: Buffer) -> list[Buffer]:
    """Read until there is nothing left; every closed buffer counts as delivered."""
    by_uid = {shard.uid: shard for shard in shards}
    delivered = []
    while True:
        has_more = buffer.read(by_uid, progress)
        if buffer.is_closed or not has_more:
            buffer.advance(progress)
            delivered.append(buffer)
            buffer = Buffer(buffer.max_bytes, buffer.span_seconds)
            if not has_more:
                return [buffer for buffer in delivered if buffer.count]


def test_every_record_is_read_once_from_all_shards() -> None:
    generator = random.Random(1)
    shards = [
        shard_with(number, sorted(generator.uniform(0, 500) for _ in range(25_000))) for number in range(3)
    ]
    delivered = deliver_all(shards, DeliveryProgress(started=0), Buffer(300_000, 60))
    seen = [
        (segment.shard.uid, ordinal)
        for buffer in delivered
        for segment in buffer.segments
        for ordinal in range(segment.records.first, segment.records.first + len(segment.records))
    ]
    assert len(seen) == len(set(seen)) == 75_000


def test_no_delivery_spans_more_arrivals_than_its_interval() -> None:
    generator = random.Random(2)
    shards = [
        shard_with(number, sorted(generator.uniform(0, 7200) for _ in range(READ_LIMIT + 500)))
        for number in range(2)
    ]
    delivered = deliver_all(shards, DeliveryProgress(started=0), Buffer(10**9, 60))
    assert len(delivered) >= 120
    for buffer in delivered:
        arrivals = [arrival for segment in buffer.segments for arrival in segment.records.arrivals]
        assert buffer.oldest == min(arrivals)
        assert max(arrivals) - min(arrivals) < 60


def test_a_delivery_ends_with_the_record_that_fills_it() -> None:
    shard = shard_with(0, [float(n) for n in range(100)], size=10)
    first, *_ = deliver_all([shard], DeliveryProgress(started=0), Buffer(95, 1000))
    assert (first.count, first.size) == (10, 100)


def test_a_record_larger_than_the_buffer_goes_alone() -> None:
    shard = shard_with(0, [1.0, 2.0], size=1000)
    assert [b.count for b in deliver_all([shard], DeliveryProgress(started=0), Buffer(10, 1000))] == [1, 1]


def test_reading_begins_when_the_delivery_stream_was_made() -> None:
    shard = shard_with(0, [1.0, 2.0, 3.0, 4.0])
    (only,) = deliver_all([shard], DeliveryProgress(started=2.5), Buffer(1000, 1000))
    assert [arrival for segment in only.segments for arrival in segment.records.arrivals] == [3.0, 4.0]


def test_positions_are_of_the_shard_and_not_of_its_name() -> None:
    progress = DeliveryProgress(started=0)
    before = shard_with(0, [1.0, 2.0])
    deliver_all([before], progress, Buffer(1000, 1000))
    anew = shard_with(0, [3.0])
    anew._prefix = "another"
    (only,) = deliver_all([anew], progress, Buffer(1000, 1000))
    assert only.count == 1


def test_a_failed_record_is_found_by_its_position() -> None:
    shards = [shard_with(0, [1.0, 2.0]), shard_with(1, [1.5, 2.5, 3.5])]
    (buffer,) = deliver_all(shards, DeliveryProgress(started=0), Buffer(1000, 1000))
    located = [buffer.locate(position) for position in range(buffer.count)]
    found = {(segment.shard.uid, segment.records.first + place) for segment, place in located}
    assert found == {(shards[0].uid, 1), (shards[0].uid, 2)} | {(shards[1].uid, n) for n in (1, 2, 3)}
