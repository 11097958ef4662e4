"""What a delivery stream has read and not delivered yet."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from local_stack.aws.kinesis.shard import LogShard, LogSlice

READ_LIMIT = 10_000
"""Records read from a shard at a time."""

MIN_SPAN_SECONDS = 1.0


@dataclass
class DeliveryProgress:
    """What survives a restart; moto's delivery stream carries it.

    ``positions`` is the ordinal of the last delivered record by shard (``LogShard.uid``). ``inbox``
    holds the records of PutRecord and PutRecordBatch until they are delivered.
    """

    started: float = field(default_factory=time.time)
    positions: dict[str, int] = field(default_factory=dict)
    inbox: LogShard = field(default_factory=lambda: LogShard(0, 0, 2**128 - 1))

    def position(self, shard: LogShard) -> int:
        """Ordinal of the last record that needs no delivery any more.

        A stream's shards are read from the time the delivery stream was made.
        """
        if shard.uid not in self.positions:
            self.positions[shard.uid] = shard.ordinal_before(self.started)
        return self.positions[shard.uid]


@dataclass(frozen=True)
class Segment:
    """Consecutive records of a shard."""

    shard: LogShard
    records: LogSlice


@dataclass
class Buffer:
    """Records of one delivery, from all shards.

    Closed when it holds ``max_bytes``, or when records would span ``span_seconds`` of arrival: so an
    object never mixes arrivals that are further apart than on AWS, where records are read as they
    arrive, even if a stream is read hours late.
    """

    max_bytes: int
    span_seconds: float
    segments: list[Segment] = field(default_factory=list)
    size: int = 0
    count: int = 0
    oldest: float = float("inf")
    opened: float = 0.0
    is_closed: bool = False

    def __post_init__(self) -> None:
        self.span_seconds = max(self.span_seconds, MIN_SPAN_SECONDS)

    def is_due(self, interval_seconds: float) -> bool:
        """Whether it is to be delivered now."""
        return self.is_closed or (self.count > 0 and time.time() - self.opened >= interval_seconds)

    def read(self, shards: Mapping[str, LogShard], progress: DeliveryProgress) -> bool:
        """Read what came after the positions and what the buffer holds; False if there was nothing."""
        after = {uid: progress.position(shard) for uid, shard in shards.items()}
        for segment in self.segments:
            uid = segment.shard.uid
            if uid in after:
                after[uid] = max(after[uid], segment.records.first + len(segment.records) - 1)
        found = [Segment(shard, shard.read(after[uid], READ_LIMIT)) for uid, shard in shards.items()]
        found = [segment for segment in found if len(segment.records)]
        if not found:
            return False
        if not self.count:
            self.opened = time.time()
            self.oldest = min(segment.records.arrivals[0] for segment in found)
        # What a shard has beyond the limit may be older than what others gave: that waits.
        full = [segment.records.arrivals[-1] for segment in found if len(segment.records) == READ_LIMIT]
        horizon = min(full, default=float("inf"))
        for segment in sorted(found, key=lambda segment: segment.records.arrivals[0]):
            self._add(segment, horizon)
        return True

    def _add(self, segment: Segment, horizon: float) -> None:
        records = segment.records
        in_span = bisect_left(records.arrivals, self.oldest + self.span_seconds)
        if in_span < len(records):
            self.is_closed = True
        count = min(in_span, bisect_right(records.arrivals, horizon))
        sizes = list(accumulate(map(len, records.data[:count])))
        fitting = bisect_left(sizes, self.max_bytes - self.size) + 1
        count = min(count, fitting)
        if self.size >= self.max_bytes or not count:
            return
        self.segments.append(Segment(segment.shard, records.head(count)))
        self.size += sizes[count - 1]
        self.count += count
        self.oldest = min(self.oldest, records.arrivals[0])
        if self.size >= self.max_bytes:
            self.is_closed = True

    def data(self) -> list[bytes]:
        """The records, segment by segment."""
        return [data for segment in self.segments for data in segment.records.data]

    def locate(self, position: int) -> tuple[Segment, int]:
        """The segment of the n-th record of ``data``, and its place there."""
        for segment in self.segments:
            if position < len(segment.records):
                return segment, position
            position -= len(segment.records)
        raise IndexError(position)

    def advance(self, progress: DeliveryProgress) -> None:
        """Note that all of it is delivered."""
        for segment in self.segments:
            progress.positions[segment.shard.uid] = segment.records.first + len(segment.records) - 1
