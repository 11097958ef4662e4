"""Ingest's order of work and its ledger under thousands of histories, on a lake in memory; and its mutants.

A history delivers files into hours that are still open, in any order of names, and ingests: undisturbed,
killed at some commit point, or with a rival run in between. What silver, quarantine and the ledger hold in
the end must follow from the files alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from emr_jobs.lake.ingest import IngestReport, ingest
from emr_jobs.lake.ledger import Ledger, Position
from tests.support.model_lake import ModelLake, ModelRow, World, day_of

START = datetime(2026, 6, 1, tzinfo=UTC)
OPEN_HOURS = 3


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
class Wait:
    """Hours go by."""

    hours: int


VALIDITY = st.sampled_from((True, True, True, False))
ROWS = st.builds(ModelRow, st.sampled_from("ab"), st.sampled_from("xyz"), VALIDITY)
STEPS = st.one_of(
    st.builds(Deliver, st.integers(0, OPEN_HOURS), st.integers(0, 30), st.lists(ROWS, max_size=3).map(tuple)),
    st.builds(Ingest, st.integers(0, 9), st.sampled_from(("none", "kill", "kill", "rival"))),
    st.builds(Wait, st.integers(1, 4)),
)
HISTORIES = st.lists(STEPS, min_size=1, max_size=14)


def play(history: Sequence[Deliver | Ingest | Wait], lake_of: type[ModelLake] = ModelLake) -> World:
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


def run(world: World, step: Ingest, now: datetime, lake_of: type[ModelLake]) -> None:
    """One ingest with its fault."""
    points = 0

    def at_point(point: str) -> None:
        nonlocal points
        points += 1
        if points != step.at + 1:
            return
        if step.fault == "kill":
            raise Killed(point)
        if step.fault == "rival":
            world.commit_point = lambda point: None
            ingest(lake_of(world), now, OPEN_HOURS)

    world.commit_point = at_point
    try:
        ingest(lake_of(world), now, OPEN_HOURS)
    except Killed:
        pass
    finally:
        world.commit_point = lambda point: None


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
    return found == truth(world.bronze) and not world.ledger.retired


@settings(max_examples=2000, deadline=None)
@given(HISTORIES)
def test_any_history_ends_in_the_truth(history: list[Deliver | Ingest | Wait]) -> None:
    world = play(history)

    assert is_true(world)
    assert ingest(ModelLake(world), START + timedelta(days=30), OPEN_HOURS) == IngestReport()


@settings(max_examples=300, deadline=None)
@given(HISTORIES, st.data())
def test_a_rollback_is_made_good(history: list[Deliver | Ingest | Wait], data: st.DataObject) -> None:
    """Rows of rolled-back files leave silver, and come back: the ledger owes the files, however old."""
    world = play(history)
    before = world.silver, world.quarantine, dict(world.ledger.duplicates)
    known = {row.identity for row in world.silver.values()}
    file = data.draw(st.sampled_from(sorted(world.bronze) or ["none"]))
    alone = {place for place in world.silver if place[0] == file}
    of_file = {row.identity for row in world.bronze.get(file, []) if row.is_valid}
    elsewhere = {row.identity for name, rows in world.bronze.items() if name != file for row in rows}
    if file == "none" or of_file & elsewhere or not known:
        return
    copies = Counter(row.identity for row in world.bronze[file] if row.is_valid)
    contents = {row for row in world.bronze[file] if row.is_valid}
    counted = {day_of(file): sum(copies.values()) - len(contents)}
    world.silver = {place: row for place, row in world.silver.items() if place not in alone}
    world.ledger = world.ledger.reopened([file], counted)

    ingest(ModelLake(world), START + timedelta(days=30), OPEN_HOURS)

    assert (world.silver, world.quarantine, dict(world.ledger.duplicates)) == before


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

    def add_to_quarantine(self, findings: Any) -> None:
        super().add_to_quarantine(findings)
        for position in findings.retired:
            self.world.quarantine.pop(position, None)


@pytest.mark.parametrize(
    "mutant",
    [WithoutDeduplication, WithoutLedger, FirstComeWins, WithoutMinimumPerContent, RetiresFirst],
    ids=lambda mutant: mutant.__name__,
)
def test_a_mutant_is_caught(mutant: type[ModelLake]) -> None:
    history = find(
        HISTORIES,
        lambda history: not is_true(play(history, mutant)),
        settings=settings(max_examples=10_000, deadline=None, database=None, phases=[Phase.generate]),
    )

    assert is_true(play(history))
