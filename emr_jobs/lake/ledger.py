"""Which delivered files silver holds: pure bookkeeping, kept as one property of the silver table.

Delivered files lie in folders of their arrival hour (``dt=YYYY-MM-DD/hour=HH/``). No file comes into an hour
that is over for longer than the open window: such hours are closed, and their files are forgotten.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

PROPERTY = "lakehouse.ledger"
"""Property of the silver table; set in the commit that publishes the rows."""

FILES_PROPERTY = "lakehouse.files"
"""Property of a silver snapshot: the files that its commit took in, as folders with names, JSON."""

DUPLICATES_PROPERTY = "lakehouse.duplicates"
"""Property of a silver snapshot: the duplicates that its commit found, by arrival day, JSON."""

_FILE = re.compile(r".*/dt=(\d{4}-\d\d-\d\d)/hour=(\d\d)/[^/]+", re.DOTALL)

Position = tuple[str, int]
"""Of a row: its file's URI and its number there."""


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
    are in. ``owed`` are files that a rollback took out again, whatever their hour. ``duplicates`` counts
    further copies by the UTC date of their arrival. ``retired`` are entries of quarantine, superseded by this
    ledger's commit, that are still to be removed there; ``replayed`` those that are still to be marked so.
    """

    closed: str = ""
    taken: frozenset[str] = frozenset()
    owed: frozenset[str] = frozenset()
    duplicates: Mapping[str, int] = field(default_factory=dict)
    retired: frozenset[Position] = frozenset()
    replayed: frozenset[Position] = frozenset()

    def new_files(self, listed: Iterable[str]) -> list[str]:
        """What of the files that are there is still to be taken in, in order."""
        new = {file for file in listed if self._is_open(file) and file not in self.taken}
        return sorted(new | self.owed)

    def after(
        self,
        files: Iterable[str],
        duplicates: Mapping[str, int],
        retired: Iterable[Position],
        now: datetime,
        open_hours: int,
    ) -> Ledger:
        """The ledger once ``files`` are in, all listed at ``now``, with what they added to the counts.

        ``open_hours`` is how long after its end an hour may still get files.
        """
        closed = max(self.closed, f"{now.astimezone(UTC) - timedelta(hours=open_hours):%Y-%m-%dT%H}")
        taken_in = frozenset(files)
        kept = (file for file in self.taken | taken_in if (hour_of(file) or "") >= closed)
        total = {
            day: self.duplicates.get(day, 0) + duplicates.get(day, 0)
            for day in self.duplicates.keys() | duplicates.keys()
        }
        return Ledger(
            closed=closed,
            taken=frozenset(kept),
            owed=self.owed - taken_in,
            duplicates={day: count for day, count in sorted(total.items()) if count},
            retired=self.retired | frozenset(retired),
            replayed=self.replayed,
        )

    def replaying(
        self, entries: Iterable[Position], duplicates: Mapping[str, int], retired: Iterable[Position]
    ) -> Ledger:
        """The ledger of a commit that replays entries of quarantine, with what they added to the counts.

        No hour is closed: nothing was listed.
        """
        return replace(
            self,
            duplicates=dict(sorted((Counter(self.duplicates) + Counter(duplicates)).items())),
            retired=self.retired | frozenset(retired),
            replayed=frozenset(entries),
        )

    def without_replayed(self) -> Ledger:
        """The ledger once quarantine says of all entries that they were replayed."""
        return replace(self, replayed=frozenset())

    def without_retired(self) -> Ledger:
        """The ledger once quarantine is rid of the superseded entries."""
        return replace(self, retired=frozenset())

    def reopened(self, files: Iterable[str], duplicates: Mapping[str, int]) -> Ledger:
        """The ledger after a rollback of the commits that took in ``files`` and counted ``duplicates``."""
        back = frozenset(files)
        total = {day: count - duplicates.get(day, 0) for day, count in self.duplicates.items()}
        return replace(
            self,
            taken=self.taken - back,
            owed=self.owed | back,
            duplicates={day: count for day, count in total.items() if count},
        )

    def _is_open(self, file: str) -> bool:
        hour = hour_of(file)
        return hour is not None and hour >= self.closed

    def to_json(self) -> str:
        """As the table's property holds it."""
        return json.dumps(
            {
                "closed": self.closed,
                "taken": by_folder(self.taken),
                "owed": by_folder(self.owed),
                "duplicates": dict(sorted(self.duplicates.items())),
                "retired": sorted(self.retired),
                "replayed": sorted(self.replayed),
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str | None) -> Ledger:
        """Read :meth:`to_json`; without text, nothing was taken in yet."""
        if not text:
            return cls()
        known = json.loads(text)
        return cls(
            closed=known["closed"],
            taken=frozenset(from_folders(known["taken"])),
            owed=frozenset(from_folders(known["owed"])),
            duplicates=known["duplicates"],
            retired=frozenset((file, row) for file, row in known["retired"]),
            replayed=frozenset((file, row) for file, row in known.get("replayed", ())),
        )


def by_folder(files: Iterable[str]) -> dict[str, list[str]]:
    """Names by folder: shorter than URIs.

    >>> by_folder(["s3://b/x/2", "s3://b/x/1"])
    {'s3://b/x/': ['1', '2']}
    """
    folders: dict[str, list[str]] = {}
    for file in sorted(files):
        folder, slash, name = file.rpartition("/")
        folders.setdefault(folder + slash, []).append(name)
    return folders


def from_folders(folders: Mapping[str, Iterable[str]]) -> list[str]:
    """The files of :func:`by_folder`."""
    return [folder + name for folder, names in folders.items() for name in names]
