"""Which shard a partition key goes to."""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_right
from typing import Any

_MOST_CACHED_KEYS = 100_000


class ShardMap:
    """The open shards of a stream, by the range of hash keys that each takes. Thread-safe."""

    def __init__(self, client: Any, stream: str) -> None:
        self._client = client
        self._stream = stream
        self._lock = threading.Lock()
        self.refresh()

    def refresh(self) -> None:
        """Read the open shards again (after resharding).

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: the stream cannot be listed.
        """
        ranges: list[tuple[int, str]] = []
        token: str | None = None
        while True:
            page = (
                self._client.list_shards(NextToken=token)
                if token
                else self._client.list_shards(StreamName=self._stream)
            )
            ranges += [
                (int(shard["HashKeyRange"]["StartingHashKey"]), shard["ShardId"])
                for shard in page["Shards"]
                if "EndingSequenceNumber" not in shard["SequenceNumberRange"]
            ]
            token = page.get("NextToken")
            if not token:
                break
        ranges.sort()
        with self._lock:
            self._starts = [start for start, _ in ranges]
            self._ids = [shard_id for _, shard_id in ranges]
            self._cache: dict[str, str] = {}

    @property
    def shard_ids(self) -> tuple[str, ...]:
        """The open shards, in order of their hash keys."""
        return tuple(self._ids)

    def shard_of(self, partition_key: str) -> str:
        """The shard whose range holds the key's MD5."""
        cached = self._cache.get(partition_key)
        if cached is not None:
            return cached
        with self._lock:
            digest = hashlib.md5(partition_key.encode(), usedforsecurity=False).digest()
            shard = self._ids[bisect_right(self._starts, int.from_bytes(digest, "big")) - 1]
            if len(self._cache) >= _MOST_CACHED_KEYS:
                self._cache.clear()
            self._cache[partition_key] = shard
            return shard
