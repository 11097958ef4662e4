"""Ingest's order of work and its ledger under thousands of histories, on a lake in memory; and its mutants.

A history delivers files into hours that are still open, in any order of names, and ingests: undisturbed,
killed at some commit point, or with a rival run in between; and it takes commits back. What silver,
quarantine and the ledger hold in the end must follow from the files alone.
"""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Literal

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from emr_jobs.lake.commits import Position
from emr_jobs.lake.ingest import IngestReport, ingest
from emr_jobs.lake.ledger import Ledger
from tests.support.model_lake import ModelLake, ModelRow, World, day_of

START = datetime(2026, 6, 1, tzinfo=UTC)
OPEN_HOURS = 3
HISTORIES = int(os.environ.get("LAKE_MODEL_HISTORIES", "5000"))


class Killed(BaseException):
    """What a kill looks like from inside."""


@dataclass(frozen=True)
class Deliver:
    """A file in an hour so long ago, named so that names do not follow the order of arrival."""

    hours_ago: int
    name: int
    rows: tuple[ModelRow, ...]


@dataclass(frozen=True)
class Ingest:
    """A run; at its commit point ``at`` it is killed, or a rival runs from start to end."""

    at: int
    fault: Literal["none", "kill", "rival"]


@dataclass(frozen=True)
class RollBack:
    """The last commits are taken back; the job is killed at its commit point ``at``, if it comes so far."""

    commits: int
    at: int


@dataclass(frozen=True)
class Wait:
    """Hours go by."""

    hours: int


Step = Deliver | Ingest | RollBack | Wait
History = Sequence[Step]


def some_row(random: Random) -> ModelRow:
    """A row of few identities and contents."""
    return ModelRow(random.choice("ab"), random.choice("xyz"), random.random() < 0.8)


def some_step(random: Random) -> Step:
    """One step, more often a delivery or an ingest than anything else."""
    kind = random.choice(["deliver", "deliver", "ingest", "ingest", "roll back", "wait"])
    if kind == "deliver":
        rows = tuple(some_row(random) for _ in range(random.randint(0, 3)))
        return Deliver(random.randint(0, OPEN_HOURS), random.randint(0, 30), rows)
    if kind == "ingest":
        return Ingest(random.randint(0, 9), random.choice(("none", "none", "kill", "kill", "rival")))
    if kind == "roll back":
        return RollBack(random.randint(1, 3), random.randint(0, 3))
    return Wait(random.randint(1, 4))


def some_history(random: Random) -> list[Step]:
    """A history of up to 14 steps."""
    return [some_step(random) for _ in range(random.randint(1, 14))]


def play(history: History, lake_of: type[ModelLake] = ModelLake) -> World:
    """Live through a history, and ingest undisturbed in the end."""
    world = World()
    now = START
    for step in history:
        if isinstance(step, Wait):
            now += timedelta(hours=step.hours)
        elif isinstance(step, Deliver):
            hour = now - timedelta(hours=step.hours_ago)
            file = f"b/dt={hour:%Y-%m-%d}/hour={hour:%H}/{step.name:02d}"
            world.bronze.setdefault(file, list(step.rows))
        else:
            run(world, step, now, lake_of)
    ingest(lake_of(world), now, OPEN_HOURS)
    return world


def run(world: World, step: Ingest | RollBack, now: datetime, lake_of: type[ModelLake]) -> None:
    """One ingest, or rollback, with its fault."""
    points = 0

    def at_point(point: str) -> None:
        nonlocal points
        points += 1
        if points != step.at + 1:
            return
        if isinstance(step, RollBack) or step.fault == "kill":
            raise Killed(point)
        if step.fault == "rival":
            world.commit_point = lambda point: None
            ingest(lake_of(world), now, OPEN_HOURS)

    world.commit_point = at_point
    try:
        if isinstance(step, Ingest):
            ingest(lake_of(world), now, OPEN_HOURS)
        elif world.commits:
            roll_back(lake_of(world), step.commits)
    except Killed:
        pass
    finally:
        world.commit_point = lambda point: None


def roll_back(lake: ModelLake, commits: int) -> None:
    """As the job does: what an earlier commit has announced is done first."""
    lake.settle(lake.look())
    lake.roll_back(commits)


def truth(bronze: Mapping[str, Sequence[ModelRow]]) -> tuple[set[Position], set[Position], dict[str, int]]:
    """Positions in silver, positions in quarantine, duplicates by arrival day: from the files alone."""
    copies: dict[str, dict[str, list[Position]]] = defaultdict(lambda: defaultdict(list))
    quarantine: set[Position] = set()
    for file, rows in bronze.items():
        for number, row in enumerate(rows):
            if row.is_valid:
                copies[row.identity][row.content].append((file, number))
            else:
                quarantine.add((file, number))
    silver: set[Position] = set()
    duplicates: Counter[str] = Counter()
    for contents in copies.values():
        smallest = sorted(min(places) for places in contents.values())
        silver.add(smallest[0])
        quarantine.update(smallest[1:])
        duplicates.update(day_of(file) for places in contents.values() for file, _ in sorted(places)[1:])
    return silver, quarantine, dict(duplicates)


def is_true(world: World) -> bool:
    """Whether the tables hold what follows from the files, and nothing is owed."""
    found = set(world.silver), set(world.quarantine), dict(world.ledger.duplicates)
    return found == truth(world.bronze) and world.ledger.is_settled


@settings(max_examples=300, deadline=None)
@given(st.randoms(use_true_random=False))
def test_any_history_ends_in_the_truth(random: Random) -> None:
    """Few, but made small when they fail."""
    history = some_history(random)
    note(history)
    world = play(history)

    assert is_true(world)
    assert ingest(ModelLake(world), START + timedelta(days=30), OPEN_HOURS) == IngestReport()


def test_thousands_of_histories_end_in_the_truth() -> None:
    seed = int(os.environ.get("LAKE_SEED") or time.time())
    print(f"LAKE_SEED={seed}")
    random = Random(seed)
    for number in range(HISTORIES):
        history = some_history(random)
        assert is_true(play(history)), f"LAKE_SEED={seed}, history {number}: {history}"


class WithoutDeduplication(ModelLake):
    """Takes every valid copy for an event."""

    def winners(self, copies: Mapping[Position, ModelRow], known: Mapping[Position, ModelRow]) -> Any:
        return dict(copies), {}


class WithoutLedger(ModelLake):
    """Forgets what is in."""

    def look(self) -> Ledger:
        super().look()
        return Ledger(duplicates=self.world.ledger.duplicates)


class FirstComeWins(ModelLake):
    """Lets the copy that silver has stay, wherever others lie."""

    def winners(self, copies: Mapping[Position, ModelRow], known: Mapping[Position, ModelRow]) -> Any:
        kept = {row.identity for row in known.values()}
        others = {place: row for place, row in copies.items() if row.identity not in kept}
        events, conflicts = super().winners(others, {})
        said = set(known.values()) | set(conflicts.values())
        for place, row in sorted(copies.items()):
            if row.identity in kept and row not in said:
                conflicts[place] = row
                said.add(row)
        return {**events, **known}, conflicts


class WithoutMinimumPerContent(ModelLake):
    """Keeps the entry of a conflict where it came first."""

    def winners(self, copies: Mapping[Position, ModelRow], known: Mapping[Position, ModelRow]) -> Any:
        events, conflicts = super().winners(copies, known)
        there = {row: place for place, row in self.world.quarantine.items() if row.is_valid}
        return events, {there.get(row, place): row for place, row in conflicts.items()}


class RetiresFirst(ModelLake):
    """Removes superseded entries with the new ones, before silver is published."""

    def add_to_quarantine(self, findings: Any, files: Sequence[str]) -> list[Position]:
        left = super().add_to_quarantine(findings, files)
        for position in findings.retired:
            self.world.quarantine.pop(position, None)
        return left


class ForgetsSuperseded(ModelLake):
    """Leaves out, at a rollback, the entries that the commits had superseded."""

    def reopened(self, ledger: Ledger) -> frozenset[Position]:
        return frozenset()


@pytest.mark.parametrize(
    "mutant",
    [
        WithoutDeduplication,
        WithoutLedger,
        FirstComeWins,
        WithoutMinimumPerContent,
        RetiresFirst,
        ForgetsSuperseded,
    ],
    ids=lambda mutant: mutant.__name__,
)
def test_a_mutant_is_caught(mutant: type[ModelLake]) -> None:
    random = Random(5)
    histories = (some_history(random) for _ in range(HISTORIES))
    caught = next((history for history in histories if not is_true(play(history, mutant))), None)

    assert caught, "no history tells the mutant from the code"
    assert is_true(play(caught))
