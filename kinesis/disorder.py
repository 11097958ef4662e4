"""Deliberate disorder: late, duplicated, conflicting and corrupt records among good ones.

Shares are of all records sent. Seed and clock alone decide what happens.
"""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass

from faker import Factory
from faker.generator import Generator

from kinesis.corruption import CORRUPTIONS, dump
from kinesis.fleet import Fleet
from kinesis.records import Disorder, Record, describe

CONFLICT_SHARE = 0.05
"""Of the duplicates, this share says something else than the first did."""

LATE_SECONDS = (3600, 7 * 86_400)
"""A late event is from an hour to a week old."""

_REMEMBERED = 1000
_KINDS = tuple(CORRUPTIONS)


@dataclass(frozen=True)
class Shares:
    """How much disorder: each a share of all records, 0 to 1.

    Raises:
        ValueError: a share is outside 0..1, or together they exceed 1.
    """

    late: float = 0.0
    duplicates: float = 0.0
    corrupt: float = 0.0

    def __post_init__(self) -> None:
        for name, share in vars(self).items():
            if not 0 <= share <= 1:
                raise ValueError(f"--{name} is a share from 0 to 1, not {share}")
        if math.fsum(vars(self).values()) > 1:
            raise ValueError("--late, --duplicates and --corrupt together exceed 1")


class DisorderedFleet:
    """A fleet whose records are partly late, sent twice or corrupt."""

    def __init__(self, fleet: Fleet, shares: Shares, seed: int) -> None:
        self._fleet = fleet
        self._faker: Generator = Factory.create("en_US", providers=["faker.providers.lorem"])
        self._faker.seed_instance(f"disorder {seed}")
        self._random: random.Random = self._faker.random
        self._corrupt_below = shares.corrupt
        self._duplicate_below = shares.corrupt + shares.duplicates
        self._late_below = shares.corrupt + shares.duplicates + shares.late
        self._recent: list[Record] = []

    def record(self, timestamp: int) -> Record:
        """The next record, sent at ``timestamp`` (epoch seconds)."""
        draw = self._random.random()
        if draw < self._corrupt_below:
            return self._corrupt(timestamp)
        if draw < self._duplicate_below:
            return self._again() if self._recent else self._remembered(self._fleet.record(timestamp))
        if draw < self._late_below:
            return self._remembered(self._fleet.record(timestamp - self._delay(), Disorder.LATE))
        return self._remembered(self._fleet.record(timestamp))

    def _delay(self) -> int:
        """Seconds of lateness; short delays are more common."""
        shortest, longest = LATE_SECONDS
        return int(shortest * (longest / shortest) ** self._random.random())

    def _remembered(self, record: Record) -> Record:
        """Keep a sample of what was sent, to be sent again."""
        if self._duplicate_below > self._corrupt_below:
            if len(self._recent) < _REMEMBERED:
                self._recent.append(record)
            else:
                self._recent[self._random.randrange(_REMEMBERED)] = record
        return record

    def _again(self) -> Record:
        record = self._random.choice(self._recent)
        if self._random.random() >= CONFLICT_SHARE:
            return record._replace(disorder=Disorder.DUPLICATE)
        event = json.loads(record.data)
        event["temperature"] = round((event["temperature"] or 0.0) + self._random.uniform(0.5, 5), 2)
        return describe(dump(event), record.partition_key, Disorder.UUID_CONFLICT)

    def _corrupt(self, timestamp: int) -> Record:
        kind = self._random.choice(_KINDS)
        good = self._fleet.record(timestamp)
        return describe(CORRUPTIONS[kind](good.data, self._faker), good.partition_key, kind)
