"""A lake with producers' manifests: records sent, delivered or not, ingested, counted and reconciled."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emr_jobs import ingest_events, reconcile
from emr_jobs.edge.kpi import parse_arguments
from emr_jobs.edge.kpi import run as run_kpi
from emr_jobs.kpi_event_geo import KPI as EVENT_GEO
from emr_jobs.kpi_sensor_health import KPI as SENSOR_HEALTH
from emr_jobs.lake import publish as publishing
from emr_jobs.lake.ingest import IngestReport
from kinesis.manifest import ACKED_SCHEMA
from kinesis.records import describe
from tests.support.lake import Lake

NOW = datetime(2026, 6, 2, 3, tzinfo=UTC)
HOUR = "dt=2026-06-01/hour=12"
SILVER, QUARANTINE = "clickstream_events", "clickstream_quarantine"


class Killed(BaseException):
    """As a kill: nothing handles it."""


@contextmanager
def killed_at(point: str) -> Iterator[None]:
    """The job in the block is killed at the first commit point whose name ends so."""

    def kill(passed: str) -> None:
        if passed.endswith(point):
            raise Killed(passed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publishing, "commit_point", kill)
        try:
            yield
        except Killed:
            return
    pytest.fail(f"it never came to {point}")


@contextmanager
def overtaken_while_settling(lake: Lake, meanwhile: Callable[[], object] = lambda: None) -> Iterator[None]:
    """When the job in the block has published silver, quarantine is compacted before entries are marked."""
    waiting = [f"{SILVER}: published", f"{QUARANTINE}: publish the branch"]
    catalog, _, table = lake.name(QUARANTINE).partition(".")

    def compact(passed: str) -> None:
        if waiting and passed.endswith(waiting[0]):
            waiting.pop(0)
            if not waiting:
                options = "map('rewrite-all', 'true')"
                lake.spark.sql(
                    f"CALL {catalog}.system.rewrite_data_files(table => '{table}', options => {options})"
                )
                meanwhile()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publishing, "commit_point", compact)
        yield
    assert not waiting


@dataclass
class AttestedLake:
    """Bronze, failed conversions and manifests in folders beside each other."""

    lake: Lake
    sequence: int = 0
    ingests: int = 0
    parts: list[Path] = field(default_factory=list)

    @property
    def errors(self) -> Path:
        """Folder of the failed conversions."""
        return self.lake.bronze.parent / "errors"

    @property
    def manifests(self) -> Path:
        """Folder of the manifests."""
        return self.lake.bronze.parent / "manifests"

    def attest(self, *payloads: bytes | dict[str, Any], run: str = "r1") -> list[str]:
        """Write a part of a manifest for these payloads; returns their sequence numbers."""
        numbers, rows = [], []
        for payload in payloads:
            data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
            record = describe(data)
            self.sequence += 1
            numbers.append(f"{self.sequence:056d}")
            rows.append(
                {
                    "uuid": record.uuid,
                    "timestamp": record.timestamp,
                    "shard_id": "shardId-000000000000",
                    "sequence_number": numbers[-1],
                    "content_hash": record.content_hash,
                    "size": record.size,
                    "disorder": None,
                    "possible_duplicate": False,
                }
            )
        folder = self.manifests / "dt=2026-06-01" / f"run={run}"
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"part-{len(self.parts):05d}.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema=ACKED_SCHEMA), part)
        self.parts.append(part)
        return numbers

    def send(self, name: str, *events: dict[str, Any], run: str = "r1") -> Path:
        """Attest events and deliver them."""
        self.attest(*events, run=run)
        return self.lake.deliver(f"{HOUR}/{name}.parquet", *events)

    def fail(self, name: str, *payloads: bytes) -> Path:
        """Attest payloads and deliver them as failed conversions."""
        documents = [
            {
                "lastErrorCode": "DataFormatConversion.ParseError",
                "rawData": base64.b64encode(payload).decode(),
                "sequenceNumber": number,
            }
            for payload, number in zip(payloads, self.attest(*payloads), strict=True)
        ]
        file = self.errors / "format-conversion-failed" / HOUR / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{json.dumps(document)}\n" for document in documents))
        return file

    def ingest(self, now: datetime = NOW) -> IngestReport:
        """Run the job of the first step, each time a second later."""
        self.ingests += 1
        now += timedelta(seconds=self.ingests)
        options = [*self.lake.arguments(SILVER), "--conversion-errors", str(self.errors)]
        return ingest_events.run(self.lake.spark, ingest_events.build_parser().parse_args(options), now)

    def count(self) -> None:
        """Run the KPI jobs whose tables count every event."""
        for kpi in (SENSOR_HEALTH, EVENT_GEO):
            arguments = parse_arguments(kpi, self.lake.arguments(kpi.job.table, SILVER))
            run_kpi(self.lake.spark, kpi, arguments)

    def reconcile(self, *options: str, now: datetime | None = None) -> reconcile.Result:
        """Run the job of the last step; what is missing counts as lost at once."""
        arguments = [
            *self.lake.arguments(SILVER),
            *("--conversion-errors", str(self.errors)),
            *("--manifests", str(self.manifests)),
            *("--run-id", "a-run", "--delivery-minutes", "0"),
            *options,
        ]
        parsed = reconcile.build_parser().parse_args(arguments)
        return reconcile.run(self.lake.spark, parsed, now or datetime.now(UTC))

    def metrics(self) -> dict[str, tuple[float, str]]:
        """Value and verdict of each metric of the reconciliation."""
        rows: Sequence[dict[str, Any]] = self.lake.rows("data_quality_metrics")
        return {row["metric"].removeprefix("reconcile_"): (row["value"], row["verdict"]) for row in rows}
