"""What a job says about itself when it is done: one JSON line on stdout."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class PublishedTable:
    """A table as the run left it: its rows, and the snapshot that holds them."""

    rows: int
    snapshot_id: int | None


@dataclass(frozen=True)
class RunReport:
    """Rows of one run: ``input_rows`` is the sum of ``unique_rows``, ``duplicates`` and all of ``rejected``.

    ``rejected`` has the reasons that occurred; ``published`` is empty when there was nothing to read.
    """

    job: str
    source: str
    input_rows: int = 0
    unique_rows: int = 0
    duplicates: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    published: dict[str, PublishedTable] = field(default_factory=dict)

    def to_json_line(self) -> str:
        """The report as JSON without line breaks."""
        return json.dumps(asdict(self), sort_keys=True)
