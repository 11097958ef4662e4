"""Where every event ended up: acknowledged, delivered, an event, in quarantine, counted.

    python -m ops.reconcile                      the whole account, from the stream to the KPI tables
    python -m ops.reconcile --wait-for-delivery  wait until Firehose has delivered what was acknowledged

The equations are those of the EMR step ``reconcile`` (config/reconciliation.py), over all that is retained.
Manifests are compared by their totals: event by event the step does it, and its last verdict counts here
too. A difference is named, and the exit code is 1. Settings come from the environment and .env.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import boto3
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from config.jobs import RECONCILE_JOB
from config.project_config import Settings
from config.reconciliation import Account, Check, KpiTotal, Retained
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
        properties = self._properties(SILVER.name)
        ledger = Ledger.from_json(properties.get(LEDGER_PROPERTY))
        retained = Retained.of(properties, self._properties(QUARANTINE.name))
        producers = self._producers()
        in_bronze = f"dt >= '{retained.since}'"
        in_tables = f"arrival_hour >= TIMESTAMP '{retained.since or EPOCH} 00:00:00'"
        # Names and limits come from config and from checked dates, not from outside.
        bronze = self._count(f"SELECT count(*) AS n FROM {BRONZE.name} WHERE {in_bronze}")  # noqa: S608
        silver = self._count(f"SELECT count(*) AS n FROM {SILVER.name} WHERE {in_tables}")  # noqa: S608
        quarantined = self._count(
            f"SELECT count(*) AS n FROM {QUARANTINE.name} WHERE state = 'open' AND {in_tables}"  # noqa: S608
        )
        failed = self._count_failed(retained.since)
        account = Account(
            acked=producers.acked,
            undelivered=max(0, producers.acked - bronze - failed - retained.expired),
            bronze=bronze,
            failed=failed,
            awaiting=self._count_awaiting(ledger),
            expired=retained.expired,
            silver=silver,
            quarantined=quarantined,
            duplicates=sum(count for day, count in ledger.duplicates.items() if day >= retained.since),
            erased=sum(count for day, count in ledger.erased.items() if day >= retained.since),
            kpis=tuple(self._kpi_total(spec.name, column, silver) for spec, column in COUNTS.items()),
        )
        return account, producers

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
        producers = self._producers()
        deadline = time.monotonic() + timeout_seconds
        while (delivery := self._delivery(producers)).undelivered and time.monotonic() < deadline:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return delivery

    def _delivery(self, producers: Producers) -> Account:
        """The account as far as Firehose."""
        bronze = self._count(f"SELECT count(*) AS n FROM {BRONZE.name}")  # noqa: S608
        failed = self._count_failed("")
        undelivered = max(0, producers.acked - bronze - failed)
        return Account(acked=producers.acked, undelivered=undelivered, bronze=bronze, failed=failed)

    def _producers(self) -> Producers:
        runs = list(find_runs(self._s3, self._settings.bronze_bucket))
        manifests = [run.manifest for run in runs if run.manifest]
        return Producers(
            acked=sum(count_acked(self._s3, run) for run in runs),
            given_up=sum(manifest.given_up for manifest in manifests),
            unknown_outcomes=sum(manifest.unknown_outcomes for manifest in manifests),
        )

    def _kpi_total(self, table: str, column: str, expected: int) -> KpiTotal:
        return KpiTotal(table, self._count(f"SELECT coalesce(sum({column}), 0) AS n FROM {table}"), expected)  # noqa: S608

    def _count(self, sql: str) -> int:
        return int(run_query(self._athena, sql, database=self._settings.glue_database).one()["n"])

    def _exists(self, table: str) -> bool:
        try:
            self._glue.get_table(DatabaseName=self._settings.glue_database, Name=table)
        except self._glue.exceptions.EntityNotFoundException:
            return False
        return True

    def _properties(self, table: str) -> dict[str, str]:
        """The properties of an Iceberg table, from the metadata that Glue names; none if it is not there."""
        metadata = read_metadata(self._glue, self._s3, self._settings.glue_database, table)
        properties: dict[str, str] = metadata.get("properties", {})
        return properties

    def _keys(self, path: str) -> list[str]:
        bucket = self._settings.bronze_bucket
        prefix = path.removeprefix(f"s3://{bucket}/")
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def _body(self, key: str) -> bytes:
        body: bytes = self._s3.get_object(Bucket=self._settings.bronze_bucket, Key=key)["Body"].read()
        return body

    def _count_failed(self, since: str) -> int:
        """Documents of records that Firehose could not convert, one a line; an object is read once."""
        keys = [key for key in self._keys(self._settings.conversion_errors_path) if _day(key) >= since]
        return sum(self._documents(key) for key in keys)

    def _documents(self, key: str) -> int:
        if key not in self._failed_by_key:
            self._failed_by_key[key] = sum(1 for line in self._body(key).splitlines() if line)
        return self._failed_by_key[key]

    def _count_awaiting(self, ledger: Ledger) -> int:
        """Records that were delivered after the last ingest looked."""
        root = f"s3://{self._settings.bronze_bucket}/"
        bronze = {root + key: key for key in self._keys(self._settings.bronze_path)}
        failures = {root + key: key for key in self._keys(self._settings.conversion_errors_path)}
        awaiting = ledger.new_files([uri for uri in [*bronze, *failures] if hour_of(uri)])
        rows = (
            pq.read_metadata(io.BytesIO(self._body(bronze[uri]))).num_rows
            for uri in awaiting
            if uri in bronze
        )
        return sum(rows) + sum(self._documents(failures[uri]) for uri in awaiting if uri in failures)


def _day(key: str) -> str:
    return (hour_of(f"s3://bucket/{key}") or "")[:10]


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
    differences = [*map(str, account.differences), *reconciliation.verdicts()]
    if differences:
        differences.append("If events have arrived since the last run of the DAG, run it, then look again")
    return differences


if __name__ == "__main__":
    sys.exit(main())
