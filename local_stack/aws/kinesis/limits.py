"""What Kinesis accepts: the limits of a request, of a record, and of a shard's rate.

Source: the Kinesis Data Streams quotas, https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
"""

from __future__ import annotations

import time
from dataclasses import dataclass

MAX_RECORDS_PER_PUT = 500
MAX_PUT_BYTES = 10 * 1024 * 1024
MAX_RECORD_BYTES = 1024 * 1024
MAX_PARTITION_KEY_LENGTH = 256
SHARD_RECORDS_PER_SECOND = 1000
SHARD_BYTES_PER_SECOND = 1024 * 1024

ENFORCE_TAG = "emulation:enforce-shard-limits"
"""A stream with this tag set to ``true`` throttles writers as AWS does; others take all they can."""


@dataclass
class ShardLimiter:
    """A token bucket of one second's worth of records and bytes."""

    records: float = SHARD_RECORDS_PER_SECOND
    bytes: float = SHARD_BYTES_PER_SECOND
    updated: float = 0.0

    def admits(self, size: int) -> bool:
        """Take a record of ``size`` bytes out of the bucket, if it still has that much."""
        now = time.time()
        elapsed = max(0.0, now - self.updated)
        self.updated = now
        self.records = min(SHARD_RECORDS_PER_SECOND, self.records + elapsed * SHARD_RECORDS_PER_SECOND)
        self.bytes = min(SHARD_BYTES_PER_SECOND, self.bytes + elapsed * SHARD_BYTES_PER_SECOND)
        if self.records < 1 or self.bytes < size:
            return False
        self.records -= 1
        self.bytes -= size
        return True
