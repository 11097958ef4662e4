"""What a commit to silver says of itself, in properties of its snapshot: enough to take it back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

FILES_PROPERTY = "lakehouse.files"
"""The files that the commit took in, as folders with names, JSON."""

DUPLICATES_PROPERTY = "lakehouse.duplicates"
"""The duplicates that it found, by arrival day, JSON."""

ERASED_PROPERTY = "lakehouse.erased"
"""The rows of erased sensors that it found, by arrival day, JSON."""

RETIRED_PROPERTY = "lakehouse.retired"
"""The entries of quarantine that it superseded, JSON."""

REPLAYED_PROPERTY = "lakehouse.replayed"
"""The entries of quarantine that it replayed, JSON."""

FINAL_PROPERTY = "lakehouse.final"
"""Why the commit cannot be taken back, if it cannot."""

Position = tuple[str, int]
"""Of a row: its file's URI and its number there."""


@dataclass(frozen=True)
class Commit:
    """What one commit did, beside the rows of silver. ``final`` says why it cannot be taken back, if so."""

    files: frozenset[str] = frozenset()
    duplicates: Mapping[str, int] = field(default_factory=dict)
    erased: Mapping[str, int] = field(default_factory=dict)
    retired: frozenset[Position] = frozenset()
    replayed: frozenset[Position] = frozenset()
    final: str = ""

    def as_properties(self) -> dict[str, str]:
        """The properties of its snapshot."""
        said = {
            FILES_PROPERTY: by_folder(self.files),
            DUPLICATES_PROPERTY: dict(sorted(self.duplicates.items())),
            ERASED_PROPERTY: dict(sorted(self.erased.items())),
            RETIRED_PROPERTY: sorted(self.retired),
            REPLAYED_PROPERTY: sorted(self.replayed),
            FINAL_PROPERTY: self.final,
        }
        return {key: json.dumps(value, separators=(",", ":")) for key, value in said.items() if value}

    @classmethod
    def from_properties(cls, properties: Mapping[str, str]) -> Commit:
        """Read :meth:`as_properties` from a snapshot's summary; one that says nothing did nothing else."""
        said = {key: json.loads(text) for key, text in properties.items() if key.startswith("lakehouse.")}
        return cls(
            files=frozenset(from_folders(said.get(FILES_PROPERTY, {}))),
            duplicates=said.get(DUPLICATES_PROPERTY, {}),
            erased=said.get(ERASED_PROPERTY, {}),
            retired=frozenset((file, row) for file, row in said.get(RETIRED_PROPERTY, ())),
            replayed=frozenset((file, row) for file, row in said.get(REPLAYED_PROPERTY, ())),
            final=said.get(FINAL_PROPERTY, ""),
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
