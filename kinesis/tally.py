"""Running counts of one producer run, shared by its threads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kinesis.records import Record


@dataclass
class Tally:
    """What happened to the records so far. ``taken = acked + given_up`` once nothing is in flight.

    ``resent``: records sent again, once for each time. ``throttled``: refusals because a shard had
    no room. ``failed_calls``: calls without an answer that counts. ``unknown_outcomes``: records in
    those of them that may have been stored all the same; each may be on the stream once more than
    the manifest says. ``disorder``: records taken, by what is wrong with them.
    """

    taken: int = 0
    taken_bytes: int = 0
    acked: int = 0
    given_up: int = 0
    calls: int = 0
    failed_calls: int = 0
    resent: int = 0
    throttled: int = 0
    unknown_outcomes: int = 0
    acked_per_shard: Counter[str] = field(default_factory=Counter)
    disorder: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def in_flight(self) -> int:
        """Records taken whose fate is open."""
        return self.taken - self.acked - self.given_up

    def take(self, records: Sequence[Record]) -> None:
        """Records come in to be delivered."""
        with self._lock:
            self.taken += len(records)
            self.taken_bytes += sum(len(record.data) for record in records)
            self.disorder.update(record.disorder for record in records if record.disorder is not None)

    def call(self, records: int, *, again: bool) -> None:
        """A call with so many records begins."""
        with self._lock:
            self.calls += 1
            self.resent += records if again else 0

    def ack(self, shards: Iterable[str]) -> None:
        """Records were stored, each on the shard listed for it."""
        counts = Counter(shards)
        with self._lock:
            self.acked += counts.total()
            self.acked_per_shard.update(counts)

    def throttle(self, records: int) -> None:
        """Records were refused for lack of room."""
        with self._lock:
            self.throttled += records

    def fail_call(self, unknown_outcomes: int) -> None:
        """A whole call failed; so many of its records may have been stored or not."""
        with self._lock:
            self.failed_calls += 1
            self.unknown_outcomes += unknown_outcomes

    def give_up(self, records: int) -> None:
        """Records will not be sent again."""
        with self._lock:
            self.given_up += records
