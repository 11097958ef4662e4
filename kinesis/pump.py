"""From a source to the stream: the loop of a producer run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from kinesis.delivery import Delivery
from kinesis.disorder import DisorderedFleet
from kinesis.pacing import Schedule
from kinesis.records import Record


class EndedBy(StrEnum):
    """Why a run took no more records."""

    DURATION = "duration"
    COUNT = "count"
    END_OF_INPUT = "end of input"
    INTERRUPTED = "interrupted"
    ERROR = "error"


class Source(Protocol):
    """Where records come from."""

    def take(self, most: int) -> list[Record] | None:
        """Up to ``most`` records, few enough for one call; perhaps none yet; None when it has ended."""


@dataclass(frozen=True)
class FleetSource:
    """Reports of the simulated fleet, measured now."""

    fleet: DisorderedFleet
    clock: Callable[[], float] = time.time

    def take(self, most: int) -> list[Record]:
        """Exactly ``most`` records."""
        now = int(self.clock())
        return [self.fleet.record(now) for _ in range(most)]


@dataclass(frozen=True)
class Limits:
    """When to stop: after so many seconds, after so many records; None is no limit."""

    seconds: float | None = None
    records: int | None = None


def pump(
    source: Source,
    delivery: Delivery,
    schedule: Schedule,
    limits: Limits,
    stop: threading.Event,
    clock: Callable[[], float] = time.monotonic,
) -> EndedBy:
    """Hand the source's records to the delivery as they are due, until a limit, the end, or ``stop``.

    Raises:
        DeliveryError: delivery cannot go on.
    """
    ends = None if limits.seconds is None else clock() + limits.seconds
    taken = 0
    while not stop.is_set():
        delay = schedule.delay()
        if ends is not None and clock() + delay >= ends:
            stop.wait(ends - clock())
            return EndedBy.INTERRUPTED if stop.is_set() else EndedBy.DURATION
        if delay and stop.wait(delay):
            break
        most = schedule.batch_size
        if limits.records is not None:
            most = min(most, limits.records - taken)
        records = source.take(most)
        if records is None:
            return EndedBy.END_OF_INPUT
        if not records:
            continue
        delivery.send(records)
        schedule.took(len(records))
        taken += len(records)
        if taken == limits.records:
            return EndedBy.COUNT
    return EndedBy.INTERRUPTED
