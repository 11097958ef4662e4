"""Keeping to the wanted rate, and below what each shard takes."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from kinesis.records import Record
from kinesis.shards import ShardMap

SHARD_RECORDS_PER_SECOND = 1000
SHARD_BYTES_PER_SECOND = 1_000_000
"""Kinesis' limits for one shard of a provisioned stream: 1,000 records/s and 1 MB/s."""

BURST_SECONDS = 1.0
"""Kinesis counts by the second: a shard that was idle takes a whole second's worth at once."""

_LONGEST_LINGER_SECONDS = 1.0
_REFRESH_SECONDS = 10.0

Clock = Callable[[], float]


class Schedule:
    """When batches are due so that ``rate`` records a second leave (None: as fast as possible).

    A batch is as full as the rate allows within a second of waiting. A schedule that fell behind
    by more than a second (a throttled stream) does not catch up in a burst.
    """

    def __init__(self, rate: float | None, largest_batch: int, clock: Clock = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._due = clock()
        self.batch_size = largest_batch
        if rate is not None:
            self.batch_size = min(max(int(rate * _LONGEST_LINGER_SECONDS), 1), largest_batch)

    def delay(self) -> float:
        """Seconds until the next batch is due."""
        return max(self._due - self._clock(), 0.0)

    def took(self, records: int) -> None:
        """A batch of so many records was taken: the next is due after their share of time."""
        if self._rate is not None:
            self._due = max(self._due, self._clock() - _LONGEST_LINGER_SECONDS) + records / self._rate


class Pacer(Protocol):
    """Holds records back so that their shards can take them."""

    def reserve(self, records: Iterable[Record]) -> float:
        """Book the records' room on their shards; returns the seconds to wait before sending."""

    def saw(self, shards: set[str]) -> None:
        """Records were stored on these shards."""


class Unpaced:
    """No limit known in advance (an on-demand stream): throttling alone slows the producer."""

    def reserve(self, records: Iterable[Record]) -> float:
        """Never any wait."""
        return 0.0

    def saw(self, shards: set[str]) -> None:
        """Of no interest."""


class ShardPacer:
    """Keeps every shard below its records and bytes per second. Thread-safe.

    It sees this producer alone: others on the same shards, it notices by being throttled.
    """

    def __init__(self, shards: ShardMap, clock: Clock = time.monotonic) -> None:
        self._shards = shards
        self._clock = clock
        self._lock = threading.Lock()
        self._booked_until: dict[str, float] = {}
        self._next_refresh = clock()

    def reserve(self, records: Iterable[Record]) -> float:
        """Book room on each record's shard; the longest wait of any shard, seconds."""
        counts: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        for record in records:
            shard = self._shards.shard_of(record.partition_key)
            counts[shard] += 1
            sizes[shard] += record.size
        with self._lock:
            now = self._clock()
            wait = 0.0
            for shard, count in counts.items():
                seconds = max(count / SHARD_RECORDS_PER_SECOND, sizes[shard] / SHARD_BYTES_PER_SECOND)
                start = max(self._booked_until.get(shard, 0.0), now - BURST_SECONDS)
                self._booked_until[shard] = start + seconds
                wait = max(wait, start + seconds - now)
        return max(wait, 0.0)

    def saw(self, shards: set[str]) -> None:
        """Shards that are not on the map: the stream was resharded, so read the map again."""
        if shards.issubset(self._shards.shard_ids):
            return
        with self._lock:
            if self._clock() < self._next_refresh:
                return
            self._next_refresh = self._clock() + _REFRESH_SECONDS
        self._shards.refresh()
