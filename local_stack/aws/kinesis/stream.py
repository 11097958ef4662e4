"""A stream: routes records to its open shards, and splits and merges them while writers go on."""

from __future__ import annotations

import binascii
import hashlib
import threading
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, NamedTuple

from moto.kinesis.exceptions import InvalidArgumentError
from moto.kinesis.models import Stream

from local_stack.aws.errors import NotEmulatedError
from local_stack.aws.kinesis.limits import ENFORCE_TAG
from local_stack.aws.kinesis.shard import LogShard


class PutEntry(NamedTuple):
    """A record that a producer wants to write; ``hash_key`` overrides the partition key's.

    ``size`` is the bytes that count against the limits: data and partition key.
    """

    partition_key: str
    data: bytes
    size: int
    hash_key: int | None = None


class PutResult(NamedTuple):
    """Where a record went; ``sequence_number`` is None if its shard's rate was exceeded."""

    shard_id: str
    sequence_number: str | None


@dataclass(frozen=True)
class Routes:
    """The open shards in the order of their hash ranges."""

    starts: list[int]
    shards: list[LogShard]

    def shard(self, hash_key: int) -> LogShard:
        """The shard whose range holds a hash key."""
        return self.shards[bisect_right(self.starts, hash_key) - 1]


class LogStream(Stream):
    """moto's stream over ``LogShard``s."""

    shards: dict[str, LogShard]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._reshard_lock = threading.RLock()
        super().__init__(*args, **kwargs)

    def init_shards(self, shard_count: int) -> None:
        """Divide the hash range evenly."""
        super().init_shards(shard_count)
        self._rebuild_routes()

    def put(self, entry: PutEntry) -> PutResult:
        """Write one record to the shard of its key."""
        if self.lambda_event_source_mappings:
            raise NotEmulatedError("lambda", "EventSourceMapping of a Kinesis stream")
        hash_key = entry.hash_key
        if hash_key is None:
            digest = hashlib.md5(entry.partition_key.encode(), usedforsecurity=False).digest()
            hash_key = int.from_bytes(digest)
        enforced = self.tags.get(ENFORCE_TAG) == "true"
        while True:
            shard = self._routes.shard(hash_key)
            with shard.lock:
                if not shard.is_open:
                    continue  # split or merged meanwhile: the routes are new
                if enforced and not shard.limiter.admits(entry.size):
                    return PutResult(shard.shard_id, None)
                return PutResult(shard.shard_id, shard.append(entry.partition_key, entry.data))

    def put_record(self, partition_key: str, explicit_hash_key: str, data: str) -> tuple[str, str]:
        """What moto's other services (CloudWatch Logs) call; ``data`` is base64."""
        del explicit_hash_key
        decoded = binascii.a2b_base64(data)
        result = self.put(PutEntry(partition_key, decoded, len(decoded)))
        return str(result.sequence_number), result.shard_id

    def split_shard(self, shard_to_split: str, new_starting_hash_key: str) -> None:
        """Close a shard and open two in its place; its records stay readable in it."""
        with self._reshard_lock, self.shards[shard_to_split].lock:
            super().split_shard(shard_to_split, new_starting_hash_key)
            self._rebuild_routes()

    def merge_shards(self, shard_to_merge: str, adjacent_shard_to_merge: str) -> None:
        """Close two neighbours and open one in their place; their records stay readable in them."""
        with self._reshard_lock:
            pair = [self.shards[shard_to_merge], self.shards[adjacent_shard_to_merge]]
            lower, upper = sorted(pair, key=lambda shard: shard.starting_hash)
            for shard in pair:
                if not shard.is_open:
                    raise InvalidArgumentError(
                        f"Shard {shard.shard_id} in stream {self.stream_name} under account "
                        f"{self.account_id} has already been merged or split, and thus is not eligible "
                        "for merging or splitting."
                    )
            with lower.lock, upper.lock:
                super().merge_shards(lower.shard_id, upper.shard_id)
                self._rebuild_routes()

    def update_shard_count(self, target_shard_count: int) -> None:
        """Split and merge until there are so many open shards."""
        with self._reshard_lock:
            super().update_shard_count(target_shard_count)

    def _rebuild_routes(self) -> None:
        shards = sorted(
            (shard for shard in self.shards.values() if shard.is_open), key=lambda shard: shard.starting_hash
        )
        self._routes = Routes([shard.starting_hash for shard in shards], shards)
        self.shard_count = len(shards)
