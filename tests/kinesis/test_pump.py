"""The loop of a run ends for the right reason, with the right number of records."""

from __future__ import annotations

import math
import threading

import pytest

from kinesis.delivery import DeliveryError
from kinesis.disorder import DisorderedFleet, Shares
from kinesis.fleet import Fleet
from kinesis.pacing import Schedule
from kinesis.pump import EndedBy, FleetSource, Limits, pump
from kinesis.records import Record

RECORD = Record(b"{}", "1", None, None, "")


class Clock(threading.Event):
    """Time that passes only by waiting; as an event it is what ``pump`` waits on."""

    def __init__(self, stop_after: float = math.inf) -> None:
        super().__init__()
        self.now = 0.0
        self._stop_after = stop_after

    def __call__(self) -> float:
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        self.now += timeout or 0.0
        if self.now >= self._stop_after:
            self.set()
        return self.is_set()


class Delivered:
    """What was handed over; interrupts the run, or fails, at a given batch."""

    def __init__(self, clock: Clock, *, stop_at: int = 0, fail_at: int = 0) -> None:
        self.batches: list[int] = []
        self._clock = clock
        self._stop_at = stop_at
        self._fail_at = fail_at

    def send(self, records: list[Record]) -> None:
        self.batches.append(len(records))
        if len(self.batches) == self._stop_at:
            self._clock.set()
        if len(self.batches) == self._fail_at:
            raise DeliveryError("broken")


class Source:
    """Gives what it is told to, then ends."""

    def __init__(self, *gives: int) -> None:
        self._gives = list(gives)

    def take(self, most: int) -> list[Record] | None:
        return [RECORD] * min(self._gives.pop(0), most) if self._gives else None


def run(
    source: Source,
    limits: Limits,
    rate: float | None = None,
    *,
    stop_after: float = math.inf,
    stop_at: int = 0,
    fail_at: int = 0,
) -> tuple[EndedBy, list[int], float]:
    """Why it ended, the batches, and how long it took."""
    clock = Clock(stop_after)
    delivered = Delivered(clock, stop_at=stop_at, fail_at=fail_at)
    ended_by = pump(source, delivered, Schedule(rate, 500, clock), limits, clock, clock)  # type: ignore[arg-type]
    return ended_by, delivered.batches, clock.now


ENDLESS = (500,) * 1000


def test_a_count_is_exact() -> None:
    assert run(Source(*ENDLESS), Limits(records=1201)) == (EndedBy.COUNT, [500, 500, 201], 0)


def test_a_duration_at_a_rate() -> None:
    assert run(Source(*ENDLESS), Limits(seconds=3), 200) == (EndedBy.DURATION, [200, 200, 200], 3)


def test_a_duration_shorter_than_a_batch_is_kept() -> None:
    assert run(Source(*ENDLESS), Limits(seconds=0.3), 0.1) == (EndedBy.DURATION, [1], 0.3)


def test_the_end_of_input_and_moments_without_any() -> None:
    assert run(Source(3, 0, 0, 4), Limits()) == (EndedBy.END_OF_INPUT, [3, 4], 0)


def test_a_stop_is_noticed_while_waiting() -> None:
    ended = run(Source(*ENDLESS), Limits(seconds=60), 100, stop_after=2)
    assert ended == (EndedBy.INTERRUPTED, [100, 100], 2)


def test_a_stop_is_noticed_without_waiting() -> None:
    assert run(Source(*ENDLESS), Limits(), stop_at=3) == (EndedBy.INTERRUPTED, [500] * 3, 0)


def test_a_broken_delivery_ends_it() -> None:
    with pytest.raises(DeliveryError, match="broken"):
        run(Source(*ENDLESS), Limits(), fail_at=2)


def test_the_fleet_measures_now() -> None:
    clock = Clock()
    source = FleetSource(DisorderedFleet(Fleet(1), Shares(), 1), clock)
    clock.now = 1_700_000_000.9
    assert {record.timestamp for record in source.take(150)} == {1_700_000_000}
    assert len(source.take(7)) == 7
