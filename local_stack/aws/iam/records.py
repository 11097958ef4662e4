"""A record of what roles asked for and were answered: what least privilege is measured by.

Lines of JSON, each distinct request once, in the order in which they first came:
``{"role": ..., "action": ..., "resource": ..., "context": {...}, "decision": ...}``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local_stack.aws.iam.policies import Access, Decision

FILE_NAME = "authorizations.jsonl"


@dataclass(frozen=True)
class Record:
    """One request of a role (an ARN), and the answer."""

    role: str
    access: Access
    decision: Decision

    def line(self) -> str:
        """The record as a line of JSON."""
        return json.dumps(
            {
                "role": self.role,
                "action": self.access.action,
                "resource": self.access.resource,
                "context": dict(self.access.context),
                "decision": self.decision.value,
            }
        )


def read_records(file: Path) -> Iterator[Record]:
    """The records of a file; none if it is not there."""
    if not file.exists():
        return
    for line in file.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        access = Access(entry["action"], entry["resource"], tuple(entry["context"].items()))
        yield Record(entry["role"], access, Decision(entry["decision"]))


class Recorder:
    """Appends what is new to a file."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._seen = set(read_records(file))
        self._stream = file.open("a", encoding="utf-8", buffering=1)

    def note(self, record: Record) -> None:
        """Take a record, unless it is known."""
        if record in self._seen:
            return
        with self._lock:
            if record not in self._seen:
                self._seen.add(record)
                self._stream.write(record.line() + "\n")


_recorders: list[Recorder] = []


def install(state_dir: Path) -> None:
    """Record from now on, below the state folder."""
    _recorders[:] = [Recorder(state_dir / FILE_NAME)]


def note(role_arn: str, access: Access, decision: Decision) -> None:
    """Record a request, if anybody records."""
    for recorder in _recorders:
        recorder.note(Record(role_arn, access, decision))
