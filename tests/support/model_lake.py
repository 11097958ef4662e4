"""A lake in memory for the code that orders an ingest and keeps its ledger: many histories a second.

Rows are tuples; a kill or a rival run comes at any point where the real lake commits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from emr_jobs.lake.commits import Commit, Position
from emr_jobs.lake.errors import ConcurrentPublishError
from emr_jobs.lake.ledger import Ledger


@dataclass(frozen=True)
class ModelRow:
    """A delivered row: its identity, what it says, and whether it is valid."""

    identity: str
    content: str
    is_valid: bool


@dataclass
class World:
    """What outlives a run: files, the state of both tables with a version each, and silver's commits.

    Each commit has the rows that were there before it.
    """

    bronze: dict[str, list[ModelRow]] = field(default_factory=dict)
    silver: dict[Position, ModelRow] = field(default_factory=dict)
    quarantine: dict[Position, ModelRow] = field(default_factory=dict)
    superseded: dict[Position, ModelRow] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    commits: list[tuple[dict[Position, ModelRow], Commit]] = field(default_factory=list)
    silver_version: int = 0
    quarantine_version: int = 0
    commit_point: Callable[[str], None] = lambda point: None


@dataclass(frozen=True)
class ModelFindings:
    """What became of rows, as sets of positions."""

    rows: int
    events: int
    quarantined: Mapping[str, int]
    duplicates: Mapping[str, int]
    retired: Sequence[Position]
    entries: Mapping[Position, ModelRow]
    gained: Mapping[Position, ModelRow]
    lost: frozenset[Position]
    erased: Mapping[str, int] = field(default_factory=dict)

    def commit_of(self, files: Sequence[str]) -> Commit:
        return Commit(frozenset(files), self.duplicates, retired=frozenset(self.retired))


class ModelLake:
    """The tables of a :class:`World`, as one run sees them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.silver_base = -1
        self.quarantine_base = -1

    def look(self) -> Ledger:
        self.silver_base, self.quarantine_base = self.world.silver_version, self.world.quarantine_version
        return self.world.ledger

    def list_delivered(self, ledger: Ledger) -> list[str]:
        return list(self.world.bronze)

    @contextmanager
    def judge(self, files: Sequence[str]) -> Iterator[ModelFindings]:
        new = {(file, row): each for file in files for row, each in enumerate(self.world.bronze[file])}
        yield self.findings(new)

    def findings(self, new: Mapping[Position, ModelRow]) -> ModelFindings:
        """Judge new rows together with the known copies of the same identities."""
        valid = {position: row for position, row in new.items() if row.is_valid}
        touched = {row.identity for row in valid.values()}
        known = {place: row for place, row in self.world.silver.items() if row.identity in touched}
        conflicts = {
            place: row
            for place, row in self.world.quarantine.items()
            if row.is_valid and row.identity in touched and self.world.ledger.has_taken(place[0])
        }
        copies = {**conflicts, **known, **valid}
        events, standing = self.winners(copies, known)
        duplicates = [place for place in copies if place not in events and place not in standing]
        rejected = {place: row for place, row in new.items() if not row.is_valid}
        return ModelFindings(
            rows=len(new),
            events=len(events) - len(known),
            quarantined={"any": len(rejected) + len(standing.keys() - conflicts.keys())},
            duplicates=Counter(day_of(file) for file, _ in duplicates),
            retired=sorted(place for place in conflicts if place not in standing),
            entries={**rejected, **standing},
            gained={place: row for place, row in events.items() if place not in known},
            lost=frozenset(known.keys() - events.keys()),
        )

    def winners(
        self, copies: Mapping[Position, ModelRow], known: Mapping[Position, ModelRow]
    ) -> tuple[dict[Position, ModelRow], dict[Position, ModelRow]]:
        """The events among copies, and the conflicts: each content's smallest position stands for it."""
        events: dict[Position, ModelRow] = {}
        conflicts: dict[Position, ModelRow] = {}
        seen: set[str] = set()
        contents: set[ModelRow] = set()
        for position, row in sorted(copies.items()):
            if row.identity not in seen:
                events[position] = row
            elif row not in contents:
                conflicts[position] = row
            seen.add(row.identity)
            contents.add(row)
        return events, conflicts

    def add_to_quarantine(self, findings: ModelFindings, files: Sequence[str]) -> list[Position]:
        self.world.commit_point("quarantine: before")
        self._require(self.quarantine_base == self.world.quarantine_version)
        left = [position for position in self.world.quarantine if position[0] in files]
        self.world.quarantine |= findings.entries
        self._quarantine_published()
        return [position for position in left if position not in findings.entries]

    def publish(self, findings: ModelFindings, commit: Commit, ledger: Ledger) -> None:
        self.world.commit_point("silver: before")
        self._require(self.silver_base == self.world.silver_version)
        self.world.commits.append((dict(self.world.silver), commit))
        for position in findings.lost:
            del self.world.silver[position]
        self.world.silver |= findings.gained
        self._publish_ledger(ledger)

    def settle(self, ledger: Ledger) -> Ledger:
        if ledger.is_settled:
            return ledger
        self.world.commit_point("settle: before")
        self._require(self.quarantine_base == self.world.quarantine_version)
        for position in self.reopened(ledger):
            if position in self.world.superseded:
                self.world.quarantine[position] = self.world.superseded.pop(position)
        returned = [position for position in self.world.quarantine if position[0] in ledger.returned]
        for position in [*ledger.retired, *returned]:
            if position in self.world.quarantine:
                self.world.superseded[position] = self.world.quarantine.pop(position)
        self._quarantine_published()
        self._publish_ledger(ledger.settled())
        return self.look()

    def reopened(self, ledger: Ledger) -> frozenset[Position]:
        """The entries to make open again."""
        return ledger.reopened

    def roll_back(self, commits: int) -> None:
        """Take back the last commits to silver, as the job of that name does."""
        undone = self.world.commits[-commits:]
        self._require(self.silver_base == self.world.silver_version)
        self.world.silver = dict(undone[0][0])
        del self.world.commits[-commits:]
        ledger = self.world.ledger.without(commit for _, commit in undone)
        stale = self.world.quarantine.keys() & self.world.silver.keys()
        self._publish_ledger(replace(ledger, retired=ledger.retired | stale))
        self.settle(self.look())

    def _publish_ledger(self, ledger: Ledger) -> None:
        self._require(self.silver_base == self.world.silver_version)
        self.world.ledger = Ledger.from_json(ledger.to_json())
        self.world.silver_version += 1
        self.silver_base = self.world.silver_version
        self.world.commit_point("silver: published")

    def _quarantine_published(self) -> None:
        self.world.quarantine_version += 1
        self.quarantine_base = self.world.quarantine_version
        self.world.commit_point("quarantine: published")

    def _require(self, as_looked_at: bool) -> None:
        if not as_looked_at:
            raise ConcurrentPublishError("it changed since this run looked at it")


def day_of(file: str) -> str:
    """The arrival day in a file's path."""
    return file.partition("dt=")[2][:10]
