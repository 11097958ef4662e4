"""Which delivered files silver holds: pure bookkeeping, kept as one property of the silver table.

Delivered files lie in folders of their arrival hour (``dt=YYYY-MM-DD/hour=HH/``). No file comes into an hour
that is over for longer than the open window: such hours are closed, and their files are forgotten.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from config.events import EntryState
from emr_jobs.lake.commits import Commit, Position, by_folder, from_folders

PROPERTY = "lakehouse.ledger"
"""Property of the silver table; set in the commit that publishes the rows."""

_FILE = re.compile(r".*/dt=(\d{4}-\d\d-\d\d)/hour=(\d\d)/[^/]+", re.DOTALL)


def hour_of(file: str) -> str | None:
    """The arrival hour of a delivered file as ``YYYY-MM-DDTHH``, or None where the folder says none.

    >>> hour_of("s3://bronze/clickstream/dt=2026-06-01/hour=12/a.parquet")
    '2026-06-01T12'
    """
    match = _FILE.fullmatch(file)
    return f"{match[1]}T{match[2]}" if match else None


@dataclass(frozen=True)
class Ledger:
    """What was taken in.

    All hours before ``closed`` (``YYYY-MM-DDTHH``) are done with; of later ones, ``taken`` has the files that
    are in. ``owed`` are files that a rollback took out again, whatever their hour; some may be gone since.
    ``duplicates`` counts further copies by the UTC date of their arrival, ``erased`` the rows of erased
    sensors. Of a sensor in ``erased_sensors``, nothing stays that was measured or arrived until that time
    (epoch seconds).

    The other fields announce what is still to be done in quarantine: entries become superseded
    (``retired``), replayed, or open again (``reopened``); those of the files ``returned`` are superseded, and
    those of the sensors ``erasing`` deleted.
    """

    closed: str = ""
    taken: frozenset[str] = frozenset()
    owed: frozenset[str] = frozenset()
    duplicates: Mapping[str, int] = field(default_factory=dict)
    erased: Mapping[str, int] = field(default_factory=dict)
    erased_sensors: Mapping[int, int] = field(default_factory=dict)
    retired: frozenset[Position] = frozenset()
    replayed: frozenset[Position] = frozenset()
    reopened: frozenset[Position] = frozenset()
    returned: frozenset[str] = frozenset()
    erasing: frozenset[int] = frozenset()

    @property
    def is_settled(self) -> bool:
        """Whether quarantine is as the ledger says."""
        return self == self.settled()

    @property
    def announced(self) -> list[tuple[str, int, str]]:
        """Positions of entries, and the state that each is to get."""
        states = {
            EntryState.OPEN: self.reopened,
            EntryState.SUPERSEDED: self.retired,
            EntryState.REPLAYED: self.replayed,
        }
        return sorted((*position, state.value) for state, entries in states.items() for position in entries)

    @property
    def erasing_until(self) -> dict[int, int]:
        """The sensors whose entries are to be deleted, and until when they are erased."""
        return {sensor: self.erased_sensors[sensor] for sensor in self.erasing}

    def settled(self) -> Ledger:
        """The ledger once quarantine has all that was announced."""
        nothing: frozenset[Position] = frozenset()
        return replace(
            self,
            retired=nothing,
            replayed=nothing,
            reopened=nothing,
            returned=frozenset(),
            erasing=frozenset(),
        )

    def new_files(self, listed: Iterable[str]) -> list[str]:
        """What of the files that are there is still to be taken in, in order."""
        return sorted({file for file in listed if file in self.owed or self._is_new(file)})

    def has_taken(self, file: str) -> bool:
        """Whether a delivered file is in: entries of any other are those of an ingest that did not finish."""
        is_closed = (hour_of(file) or self.closed) < self.closed
        return file not in self.owed and (file in self.taken or is_closed)

    def noting(self, commit: Commit) -> Ledger:
        """The ledger once a commit is published."""
        return replace(
            self,
            taken=self.taken | commit.files,
            owed=self.owed - commit.files,
            duplicates=_sum(self.duplicates, commit.duplicates),
            erased=_sum(self.erased, commit.erased),
            retired=self.retired | commit.retired,
            replayed=self.replayed | commit.replayed,
        )

    def closing(self, now: datetime, open_hours: int) -> Ledger:
        """The ledger once all is in that was listed at ``now``.

        ``open_hours`` is how long after its end an hour may still get files. Seen from the newest file where
        that is earlier: a cluster's clock that is ahead must not close an hour that still gets files.
        """
        newest = max((hour_of(file) or "" for file in self.taken), default="")
        if not newest:
            return self
        seen = min(now.astimezone(UTC), datetime.fromisoformat(f"{newest}:00+00:00"))
        closed = max(self.closed, f"{seen - timedelta(hours=open_hours):%Y-%m-%dT%H}")
        kept = frozenset(file for file in self.taken if (hour_of(file) or "") >= closed)
        return replace(self, closed=closed, taken=kept)

    def without(self, commits: Iterable[Commit]) -> Ledger:
        """The ledger after a rollback of some commits, whose files are to be taken in once more."""
        ledger = self
        for commit in commits:
            ledger = replace(
                ledger,
                taken=ledger.taken - commit.files,
                owed=ledger.owed | commit.files,
                returned=ledger.returned | commit.files,
                duplicates=_sum(ledger.duplicates, commit.duplicates, -1),
                erased=_sum(ledger.erased, commit.erased, -1),
                retired=ledger.retired - commit.retired,
                replayed=ledger.replayed - commit.replayed,
                reopened=ledger.reopened | commit.retired | commit.replayed,
            )
        return ledger

    def _is_new(self, file: str) -> bool:
        hour = hour_of(file)
        return hour is not None and hour >= self.closed and file not in self.taken

    def to_json(self) -> str:
        """As the table's property holds it."""
        return json.dumps(
            {
                "closed": self.closed,
                "taken": by_folder(self.taken),
                "owed": by_folder(self.owed),
                "duplicates": dict(sorted(self.duplicates.items())),
                "erased": dict(sorted(self.erased.items())),
                "erased_sensors": {str(sensor): until for sensor, until in self.erased_sensors.items()},
                "retired": sorted(self.retired),
                "replayed": sorted(self.replayed),
                "reopened": sorted(self.reopened),
                "returned": by_folder(self.returned),
                "erasing": sorted(self.erasing),
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str | None) -> Ledger:
        """Read :meth:`to_json`; without text, nothing was taken in yet."""
        if not text:
            return cls()
        known = {**json.loads(cls().to_json()), **json.loads(text)}  # an older one says less
        return cls(
            closed=known["closed"],
            taken=frozenset(from_folders(known["taken"])),
            owed=frozenset(from_folders(known["owed"])),
            duplicates=known["duplicates"],
            erased=known["erased"],
            erased_sensors={int(sensor): until for sensor, until in known["erased_sensors"].items()},
            retired=_positions(known["retired"]),
            replayed=_positions(known["replayed"]),
            reopened=_positions(known["reopened"]),
            returned=frozenset(from_folders(known["returned"])),
            erasing=frozenset(known["erasing"]),
        )


def _positions(listed: Iterable[tuple[str, int]]) -> frozenset[Position]:
    return frozenset((file, row) for file, row in listed)


def _sum(counts: Mapping[str, int], more: Mapping[str, int], sign: int = 1) -> dict[str, int]:
    """Counts by day added up, in order and without zeros."""
    total = {day: counts.get(day, 0) + sign * more.get(day, 0) for day in counts.keys() | more.keys()}
    return {day: count for day, count in sorted(total.items()) if count}
