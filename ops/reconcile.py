"""Where every event ended up: acknowledged, delivered, an event, in quarantine, counted.

    python -m ops.reconcile                      the whole account, from the stream to the KPI tables
    python -m ops.reconcile --wait-for-delivery  wait until Firehose has delivered what was acknowledged

The equations are those of the EMR step ``reconcile`` (config/reconciliation.py), over all that is retained.
Manifests of producers that started on retained days are compared, by their totals: event by event the step
does it, and its last verdict counts here too. A difference is named, and the exit code is 1. Settings come
from the environment and .env.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import boto3
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from config.events import UUID_CONFLICT, EntryState
from config.jobs import RECONCILE_JOB
from config.project_config import Settings
from config.reconciliation import REFLECTION_PROPERTY, Account, Check, KpiTotal, Retained
from config.tables import BRONZE, EVENT_GEO_KPIS_EVENTS, QUARANTINE, SENSOR_HEALTH, SILVER
from emr_jobs.lake.ledger import PROPERTY as LEDGER_PROPERTY
from emr_jobs.lake.ledger import Ledger, hour_of
from kinesis.manifest import count_acked, find_runs
from lakehouse.table_state import read_metadata
from ops.athena import run_query
from ops.terminal import command_parser, complain, read_settings, tells_errors

DELIVERY_TIMEOUT_SECONDS = 300
SECONDS_BETWEEN_LOOKS = 1.0

EPOCH = "1970-01-01"

COUNTS = {SENSOR_HEALTH: "total_count", EVENT_GEO_KPIS_EVENTS: "event_count"}
"""KPI tables in which every event counts once, and the column that counts it."""

_SAME_ROW = (
    f"SELECT 1 FROM {SILVER.name} AS event "  # noqa: S608
    "WHERE event.source_file = entry.source_file AND event.source_row = entry.source_row"
)


@dataclass(frozen=True)
class Producers:
    """What the producers' manifests say, in records.

    ``given_up`` were not acknowledged (the manifests keep them); ``unknown_outcomes`` may lie on the
    stream once more than they were acknowledged.
    """

    acked: int
    given_up: int
    unknown_outcomes: int


class Reconciliation:
    """Counts through Athena, Glue and S3, with the clients of one session.

    What it asks may raise QueryError (Athena cannot read a table) and botocore's errors (S3, Glue).
    """

    def __init__(self, session: boto3.session.Session, settings: Settings) -> None:
        self._s3: Any = session.client("s3", region_name=settings.aws_region)
        self._glue: Any = session.client("glue", region_name=settings.aws_region)
        self._athena: Any = session.client("athena", region_name=settings.aws_region)
        self._settings = settings
        self._failed_by_key: dict[str, int] = {}

    def account(self) -> tuple[Account, Producers]:
        """The whole account, and what the producers say of themselves."""
        silver = self._metadata(SILVER.name)
        ledger = Ledger.from_json(_properties(silver).get(LEDGER_PROPERTY))
        retained = self._retained()
        producers = self._producers(retained)
        delivery = self._delivery(producers, retained)
        awaiting = self._awaiting(ledger, retained)
        arrived = f"arrival_hour >= TIMESTAMP '{retained.since or EPOCH} 00:00:00'"
        account = replace(
            delivery,
            awaiting=sum(awaiting.values()),
            expired=retained.expired,
            # Names and limits come from config and from checked dates, not from outside.
            silver=self._count(f"SELECT count(*) AS n FROM {SILVER.name} WHERE {arrived}"),  # noqa: S608
            quarantined=self._count_open(ledger, arrived, is_any_awaiting=bool(awaiting)),
            duplicates=_since(retained.since, ledger.duplicates),
            erased=_since(retained.since, ledger.erased),
            kpis=tuple(self._kpi_total(spec.name, column, silver) for spec, column in COUNTS.items()),
        )
        return account, producers

    def unfinished(self) -> list[str]:
        """Erasures that have not reached quarantine, in words: till then their entries are counted twice."""
        ledger = Ledger.from_json(_properties(self._metadata(SILVER.name)).get(LEDGER_PROPERTY))
        return [
            f"the erasure of sensor {sensor} has not reached {QUARANTINE.name}: the next ingest completes it"
            for sensor in sorted(ledger.erasing)
        ]

    def verdicts(self) -> list[str]:
        """What the last run of the EMR step has found to differ, in words; nothing before its first run."""
        if not self._exists("data_quality_metrics"):
            return []
        # The names come from config.
        last = "SELECT max(measured_at) FROM data_quality_metrics WHERE metric LIKE 'reconcile_%'"
        sql = (
            "SELECT run_id, metric, value FROM data_quality_metrics WHERE metric LIKE 'reconcile_%' "  # noqa: S608
            f"AND table_name = '{RECONCILE_JOB.table}' AND verdict = 'fail' AND measured_at = ({last})"
        )
        rows = run_query(self._athena, sql, database=self._settings.glue_database).rows
        return [
            f"{RECONCILE_JOB.name} in run {run}: {metric} is {value:+,.0f}" for run, metric, value in rows
        ]

    def wait_for_delivery(self, timeout_seconds: float = DELIVERY_TIMEOUT_SECONDS) -> Account:
        """Wait until nothing acknowledged is undelivered; returns what there is then, or at the timeout."""
        retained = self._retained()
        producers = self._producers(retained)
        deadline = time.monotonic() + timeout_seconds
        while (delivery := self._delivery(producers, retained)).undelivered and time.monotonic() < deadline:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return delivery

    def _retained(self) -> Retained:
        return Retained.of(*(_properties(self._metadata(spec.name)) for spec in (SILVER, QUARANTINE)))

    def _producers(self, retained: Retained) -> Producers:
        """What those say that started on retained days: records of others may have expired."""
        found = find_runs(self._s3, self._settings.bronze_bucket)
        runs = [run for run in found if run.day >= retained.since]
        manifests = [run.manifest for run in runs if run.manifest]
        return Producers(
            acked=sum(count_acked(self._s3, run) for run in runs),
            given_up=sum(manifest.given_up for manifest in manifests),
            unknown_outcomes=sum(manifest.unknown_outcomes for manifest in manifests),
        )

    def _delivery(self, producers: Producers, retained: Retained) -> Account:
        """The account as far as Firehose."""
        first = retained.delivered_since
        bronze, failed = self._bronze_by_hour(first[:10]), self._failed_by_hour(first[:10])
        return Account(
            acked=producers.acked,
            undelivered=max(0, producers.acked - _since(first, bronze) - _since(first, failed)),
            bronze=_since(retained.since, bronze),
            failed=_since(retained.since, failed),
        )

    def _bronze_by_hour(self, first_day: str) -> Counter[str]:
        """Bronze rows by hour of arrival, ``YYYY-MM-DDTHH``."""
        rows = self._rows(
            f"SELECT dt, hour, count(*) AS n FROM {BRONZE.name} WHERE dt >= '{first_day}' GROUP BY dt, hour"  # noqa: S608
        )
        return Counter({f"{row['dt']}T{row['hour']}": row["n"] for row in rows})

    def _failed_by_hour(self, first_day: str) -> Counter[str]:
        """Failed conversions by hour of arrival."""
        failed: Counter[str] = Counter()
        for uri, key in self._delivered(self._settings.conversion_errors_path, first_day).items():
            failed[hour_of(uri) or ""] += self._documents(key)
        return failed

    def _awaiting(self, ledger: Ledger, retained: Retained) -> dict[str, int]:
        """Records by file that was delivered after the last ingest looked."""
        bronze = self._delivered(self._settings.bronze_path, retained.since)
        failures = self._delivered(self._settings.conversion_errors_path, retained.since)
        awaiting = set(ledger.new_files([*bronze, *failures]))
        rows = {uri: self._bronze_rows(key) for uri, key in bronze.items() if uri in awaiting}
        return rows | {uri: self._documents(key) for uri, key in failures.items() if uri in awaiting}

    def _count_open(self, ledger: Ledger, arrived: str, is_any_awaiting: bool) -> int:
        """Open entries of files that are in, in the state that silver's last commit has announced.

        All others are of an ingest that did not finish: its files await the next one. So is a conflict whose
        row is still the event.
        """
        announced = {(file, row): state for file, row, state in ledger.announced}
        columns = "source_file, source_row, state" if announced else "source_file, state"
        counts = f"reason <> '{UUID_CONFLICT}' OR NOT EXISTS ({_SAME_ROW})" if is_any_awaiting else "true"
        entries = self._rows(
            f"SELECT {columns}, count(*) AS n FROM {QUARANTINE.name} AS entry "  # noqa: S608
            f"WHERE {arrived} AND ({counts}) GROUP BY {columns}"
        )
        return sum(
            entry["n"]
            for entry in entries
            if announced.get((entry["source_file"], entry.get("source_row", 0)), entry["state"])
            == EntryState.OPEN
            and ledger.has_taken(entry["source_file"])
            and entry["source_file"] not in ledger.returned
        )

    def _kpi_total(self, table: str, column: str, silver: Mapping[str, Any]) -> KpiTotal:
        """Against the events of the snapshot that the table says it reflects, else of the current one."""
        rows = {
            snapshot["snapshot-id"]: int(snapshot["summary"]["total-records"])
            for snapshot in silver.get("snapshots", ())
        }
        current = rows.get(silver.get("current-snapshot-id"), 0)
        reflects = json.loads(_properties(self._metadata(table)).get(REFLECTION_PROPERTY) or "{}")
        counted = self._count(f"SELECT coalesce(sum({column}), 0) AS n FROM {table}")  # noqa: S608
        return KpiTotal(table, counted, rows.get(reflects.get("snapshot"), current))

    def _rows(self, sql: str) -> list[dict[str, Any]]:
        return run_query(self._athena, sql, database=self._settings.glue_database).records()

    def _count(self, sql: str) -> int:
        return int(run_query(self._athena, sql, database=self._settings.glue_database).one()["n"])

    def _exists(self, table: str) -> bool:
        try:
            self._glue.get_table(DatabaseName=self._settings.glue_database, Name=table)
        except self._glue.exceptions.EntityNotFoundException:
            return False
        return True

    def _metadata(self, table: str) -> dict[str, Any]:
        """The metadata of an Iceberg table, which Glue names; empty if it is not there."""
        return read_metadata(self._glue, self._s3, self._settings.glue_database, table)

    def _delivered(self, path: str, first_day: str) -> dict[str, str]:
        """The keys of what was delivered below ``path``, by URI; it arrived on ``first_day`` or later."""
        root = f"s3://{self._settings.bronze_bucket}/"
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._settings.bronze_bucket, Prefix=path.removeprefix(root)
        )
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        hours = {key: hour_of(root + key) for key in keys}
        return {root + key: key for key, hour in hours.items() if hour and hour >= first_day}

    def _body(self, key: str) -> bytes:
        body: bytes = self._s3.get_object(Bucket=self._settings.bronze_bucket, Key=key)["Body"].read()
        return body

    def _bronze_rows(self, key: str) -> int:
        rows: int = pq.read_metadata(io.BytesIO(self._body(key))).num_rows
        return rows

    def _documents(self, key: str) -> int:
        """Documents of records that Firehose could not convert, one a line; an object is read once."""
        if key not in self._failed_by_key:
            self._failed_by_key[key] = sum(1 for line in self._body(key).splitlines() if line)
        return self._failed_by_key[key]


def _properties(metadata: Mapping[str, Any]) -> Mapping[str, str]:
    properties: Mapping[str, str] = metadata.get("properties", {})
    return properties


def _since(first: str, counts: Mapping[str, int]) -> int:
    """The sum of counts by day or hour, from the ``first`` on."""
    return sum(count for time, count in counts.items() if time >= first)


def show(console: Console, account: Account, producers: Producers) -> None:
    """Print the account as a table, each equation beside the line that completes it."""
    table = Table(title="Reconciliation", title_justify="left")
    table.add_column("records")
    table.add_column("count", justify="right")
    table.add_column("")
    for name, count, check in account.lines:
        table.add_row(name, f"{count:,}", _verdict(check))
    table.add_row("given up by producers", f"{producers.given_up:,}", "")
    table.add_row("sent with unknown outcome", f"{producers.unknown_outcomes:,}", "")
    console.print(table)


def _verdict(check: Check | None) -> str:
    if check is None:
        return ""
    return "[red]DIFFERS[/red]" if check.difference else "[green]agrees[/green]"


@tells_errors()
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 if every figure agrees."""
    parser = command_parser("ops.reconcile", __doc__)
    parser.add_argument("--wait-for-delivery", action="store_true", help="only wait for Firehose, then exit")
    options = parser.parse_args(arguments)
    reconciliation = Reconciliation(boto3.session.Session(), read_settings())
    compare = _compare_delivery if options.wait_for_delivery else _compare_all
    differences = compare(reconciliation)
    for difference in differences:
        complain(difference)
    return 1 if differences else 0


def _compare_delivery(reconciliation: Reconciliation) -> list[str]:
    account = reconciliation.wait_for_delivery()
    Console().print(f"{account.bronze:,} bronze rows, {account.failed:,} failed conversions")
    return [f"{account.undelivered:,} records are not delivered"] if account.undelivered else []


def _compare_all(reconciliation: Reconciliation) -> list[str]:
    account, producers = reconciliation.account()
    show(Console(), account, producers)
    found = (map(str, account.differences), reconciliation.unfinished(), reconciliation.verdicts())
    differences = [sentence for sentences in found for sentence in sentences]
    if differences:
        differences.append("If events have arrived since the last run of the DAG, run it, then look again")
    return differences


if __name__ == "__main__":
    sys.exit(main())
