"""One query execution: what was asked, how it stands, where its result is."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from local_stack.aws.athena.engine.interface import StatementKind


class State(StrEnum):
    """States of a query execution."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@dataclass
class QueryExecution:
    """A query execution. It lives among moto's, so that it is saved with them. Times are epoch seconds.

    ``result_uri`` is the file with the rows; ``columns`` describe it as ColumnInfo does.
    """

    id: str
    query: str
    kind: StatementKind
    database: str
    catalog: str
    work_group: str
    result_uri: str
    result_configuration: dict[str, Any]
    parameters: tuple[str, ...] = ()
    scan_limit: int | None = None
    client_token: str | None = None
    state: State = State.QUEUED
    reason: str | None = None
    error: dict[str, Any] | None = None
    submitted: float = field(default_factory=time.time)
    started: float | None = None
    completed: float | None = None
    scanned_bytes: int = 0
    update_count: int | None = None
    output_rows: int = 0
    output_bytes: int = 0
    manifest_uri: str | None = None
    columns: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in (State.SUCCEEDED, State.FAILED, State.CANCELLED)

    def end(self, state: State, reason: str | None = None, error: dict[str, Any] | None = None) -> None:
        """Put it into its last state, unless it is in one."""
        if not self.is_over:
            self.reason, self.error, self.completed = reason, error, time.time()
            self.state = state

    def describe(self) -> dict[str, Any]:
        """The QueryExecution structure of the API."""
        status = {
            "State": self.state.value,
            "StateChangeReason": self.reason,
            "SubmissionDateTime": self.submitted,
            "CompletionDateTime": self.completed,
            "AthenaError": self.error,
        }
        context = {"Database": self.database, "Catalog": self.catalog}
        described: dict[str, Any] = {
            "QueryExecutionId": self.id,
            "Query": self.query,
            "StatementType": self.kind.statement_type,
            "SubstatementType": self.kind.substatement_type,
            "ResultConfiguration": {**self.result_configuration, "OutputLocation": self.result_uri},
            "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": False}},
            "QueryExecutionContext": {name: value for name, value in context.items() if value},
            "Status": {name: value for name, value in status.items() if value is not None},
            "Statistics": self._statistics(),
            "WorkGroup": self.work_group,
            "EngineVersion": {
                "SelectedEngineVersion": "AUTO",
                "EffectiveEngineVersion": "Athena engine version 3",
            },
        }
        if self.parameters:
            described["ExecutionParameters"] = list(self.parameters)
        return described

    @property
    def timeline(self) -> dict[str, int]:
        """Milliseconds spent, by Athena's names."""
        now = time.time()
        end = self.completed or now
        started = self.started or end
        return {
            "QueryQueueTimeInMillis": _millis(started - self.submitted),
            "QueryPlanningTimeInMillis": 0,
            "EngineExecutionTimeInMillis": _millis(end - started),
            "ServiceProcessingTimeInMillis": 0,
            "TotalExecutionTimeInMillis": _millis(end - self.submitted),
        }

    def _statistics(self) -> dict[str, Any]:
        statistics: dict[str, Any] = {
            **self.timeline,
            "DataScannedInBytes": self.scanned_bytes,
            "ServicePreProcessingTimeInMillis": 0,
            "ResultReuseInformation": {"ReusedPreviousResult": False},
        }
        if self.manifest_uri:
            statistics["DataManifestLocation"] = self.manifest_uri
        return statistics


def _millis(seconds: float) -> int:
    return max(0, round(seconds * 1000))
