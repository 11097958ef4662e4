"""One shard: a log that appends in constant time, never reorders and never moves a record."""

from __future__ import annotations

import json
import threading
import time
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

from moto.kinesis.models import Shard

from local_stack.aws.kinesis.limits import ShardLimiter

MAX_GET_BYTES = 10 * 1024 * 1024
MAX_GET_RECORDS = 10_000

_ORDINAL_DIGITS = 29


@dataclass(frozen=True)
class StoredRecord:
    """A record as GetRecords gives it. ``arrival`` is epoch seconds."""

    partition_key: str
    data: bytes
    sequence_number: str
    arrival: float

    def to_json(self) -> dict[str, Any]:
        """The record in the shape of the API."""
        return {
            "Data": self.data,
            "PartitionKey": self.partition_key,
            "SequenceNumber": self.sequence_number,
            "ApproximateArrivalTimestamp": datetime.fromtimestamp(self.arrival, UTC),
        }


@dataclass(frozen=True)
class LogSlice:
    """Consecutive records of a shard, column by column; ``first`` is the ordinal of the first."""

    first: int
    partition_keys: list[str]
    data: list[bytes]
    arrivals: list[float]

    def __len__(self) -> int:
        return len(self.data)

    def head(self, count: int) -> LogSlice:
        """The first records."""
        if count == len(self):
            return self
        return LogSlice(self.first, self.partition_keys[:count], self.data[:count], self.arrivals[:count])


class LogShard(Shard):
    """moto's shard over a log of columns.

    The n-th record ever put has ordinal n, from 1. Its sequence number is the shard's prefix and the
    ordinal, 56 digits as on AWS. The prefix holds the shard's creation time and number, so that no
    two shards of a stream, nor of a later stream of the same name, share a sequence number.
    """

    def __init__(
        self,
        shard_id: int,
        starting_hash: int,
        ending_hash: int,
        parent: str | None = None,
        adjacent_parent: str | None = None,
    ) -> None:
        super().__init__(shard_id, starting_hash, ending_hash, parent, adjacent_parent)
        # ``self.records`` stays empty: it is what moto moves when it splits or merges.
        self.lock = threading.Lock()
        self.limiter = ShardLimiter()
        self._name = f"shardId-{shard_id:012d}"
        self._prefix = f"49{int(time.time() * 1000):013d}{shard_id:012d}"
        self._base = int(self._prefix) * 10**_ORDINAL_DIGITS
        self._trimmed = 0
        self._keys: list[str] = []
        self._data: list[bytes] = []
        self._arrivals: list[float] = []

    def __getstate__(self) -> dict[str, Any]:
        """The columns as few large objects: saving them one by one takes seconds."""
        columns = {
            "_keys": json.dumps(self._keys),
            "_data": (b"".join(self._data), array("L", map(len, self._data))),
            "_arrivals": array("d", self._arrivals),
        }
        return {**vars(self), **columns}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._keys = json.loads(state["_keys"])
        self._arrivals = state["_arrivals"].tolist()
        joined, lengths = state["_data"]
        ends = list(accumulate(lengths))
        self._data = [joined[end - length : end] for end, length in zip(ends, lengths, strict=True)]

    @property
    def shard_id(self) -> str:
        """``shardId-`` and twelve digits."""
        return self._name

    @property
    def uid(self) -> str:
        """What tells the shard from all others of its stream and of later streams of the same name."""
        return self._prefix

    @property
    def last_ordinal(self) -> int:
        """Ordinal of the newest record, 0 if there was none yet."""
        return self._trimmed + len(self._data)

    def sequence_number(self, ordinal: int) -> str:
        """Sequence number of the record with this ordinal."""
        return f"{self._prefix}{ordinal:0{_ORDINAL_DIGITS}d}"

    def append(self, partition_key: str, data: bytes) -> str:
        """Add a record and return its sequence number. The caller holds ``lock``."""
        now = time.time()
        if self._arrivals and self._arrivals[-1] > now:
            now = self._arrivals[-1]  # the clock went back: arrivals never do
        self._keys.append(partition_key)
        self._data.append(data)
        self._arrivals.append(now)
        return self.sequence_number(self._trimmed + len(self._data))

    def read(self, after: int, limit: int) -> LogSlice:
        """At most ``limit`` retained records whose ordinals follow ``after``."""
        with self.lock:
            start = max(0, after - self._trimmed)
            chosen = slice(start, start + limit)
            return LogSlice(
                self._trimmed + start + 1, self._keys[chosen], self._data[chosen], self._arrivals[chosen]
            )

    def get_records(
        self, last_sequence_id: int | str, limit: int | None = None
    ) -> tuple[list[StoredRecord], int, int]:
        """Records after a sequence number, the last one's number, and how far behind it is in ms.

        At most ``limit`` (10,000) records or 10 MiB, but always one if there is one.
        """
        found = self.read(int(last_sequence_id) - self._base, min(limit or MAX_GET_RECORDS, MAX_GET_RECORDS))
        if not found.data:
            return [], int(last_sequence_id), 0
        sizes = accumulate(map(len, found.data))
        count = max(1, sum(size <= MAX_GET_BYTES for size in sizes))
        records = [
            StoredRecord(key, data, self.sequence_number(ordinal), arrival)
            for ordinal, key, data, arrival in zip(
                range(found.first, found.first + count),
                found.partition_keys,
                found.data,
                found.arrivals,
                strict=False,
            )
        ]
        with self.lock:
            behind = self._arrivals[-1] - records[-1].arrival if self._arrivals else 0.0
        return records, self._base + found.first + count - 1, int(behind * 1000)

    def is_read_to_end(self, last_sequence_id: int) -> bool:
        """Whether the shard is closed and nothing follows this sequence number."""
        return not self.is_open and last_sequence_id >= self.get_max_sequence_number()

    def get_min_sequence_number(self) -> int:
        """The first sequence number of the shard, whether given yet or not."""
        return self._base + 1

    def get_max_sequence_number(self) -> int:
        """The newest record's sequence number; just below the first one if there is none."""
        return self._base + self.last_ordinal

    def get_sequence_number_at(self, at_timestamp: float) -> int:
        """The sequence number before the first record that arrived at or after epoch seconds."""
        return self._base + self.ordinal_before(at_timestamp)

    def ordinal_before(self, at_timestamp: float) -> int:
        """The ordinal before the first record that arrived at or after epoch seconds."""
        with self.lock:
            return self._trimmed + bisect_left(self._arrivals, at_timestamp)

    def discard(self, through: int) -> None:
        """Drop the records up to an ordinal."""
        with self.lock:
            self._drop(max(0, through - self._trimmed))

    def trim(self, before: float) -> int:
        """Drop the records that arrived before epoch seconds; returns how many."""
        with self.lock:
            expired = bisect_left(self._arrivals, before)
            self._drop(expired)
            return expired

    def _drop(self, count: int) -> None:
        count = min(count, len(self._data))
        for column in (self._keys, self._data, self._arrivals):
            del column[:count]
        self._trimmed += count
