"""Where every event ended up: acknowledged, delivered, valid, counted.

    python -m ops.reconcile                      the whole account, from the stream to the KPI tables
    python -m ops.reconcile --wait-for-delivery  wait until Firehose has delivered what was acknowledged

Three equations must hold: acknowledged = bronze rows + failed conversions (what no manifest attests
comes on top and is shown); bronze rows = valid + invalid + duplicate; valid = events in the KPI
table. A difference is named, and the exit code is 1. Settings come from the environment and .env.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from dotenv import find_dotenv, load_dotenv
from rich.console import Console
from rich.table import Table

from config.project_config import ConfigError, Settings
from config.tables import BRONZE, EVENT_GEO_KPIS_EVENTS
from kinesis.manifest import count_acked, find_runs
from ops.athena import QueryError, run_query
from ops.bronze_sql import account_query

DELIVERY_TIMEOUT_SECONDS = 300
SECONDS_BETWEEN_LOOKS = 1.0


@dataclass(frozen=True)
class Attested:
    """What the producers' manifests say, in records.

    ``given_up`` were not acknowledged (the manifests keep them); ``unknown_outcomes`` may lie on the
    stream once more than they were acknowledged.
    """

    acked: int
    given_up: int
    unknown_outcomes: int


@dataclass(frozen=True)
class Delivery:
    """Records acknowledged by the stream, and where Firehose put them."""

    attested: Attested
    bronze: int
    failed: int

    @property
    def undelivered(self) -> int:
        """Acknowledged records that are nowhere yet."""
        return max(0, self.attested.acked - self.bronze - self.failed)

    @property
    def unattested(self) -> int:
        """Delivered records that no manifest names: of other producers, of one that was killed, second
        copies of records whose call ended unknown."""
        return max(0, self.bronze + self.failed - self.attested.acked)


@dataclass(frozen=True)
class Account:
    """Everything that was delivered, and what became of it. Counts are of records."""

    delivery: Delivery
    valid: int
    invalid: int
    duplicate: int
    counted: int
    """Events in the KPI table: the sum of event_count."""

    @property
    def differences(self) -> list[str]:
        """What does not add up, in words; empty if all does."""
        found = []
        if self.delivery.undelivered:
            found.append(
                f"{self.delivery.undelivered:,} acknowledged records are not delivered: "
                "wait for Firehose (--wait-for-delivery), then see its CloudWatch log for errors"
            )
        if self.delivery.bronze != self.valid + self.invalid + self.duplicate:
            found.append(f"{self.delivery.bronze:,} bronze rows are not valid + invalid + duplicate")
        if self.valid != self.counted:
            found.append(
                f"{self.valid:,} valid events, but {self.counted:,} in {EVENT_GEO_KPIS_EVENTS.name}: "
                "run the DAG if events have arrived since its last run"
            )
        return found


# Names in the statements come from config, not from outside.
BRONZE_COUNT = f"SELECT count(*) AS n FROM {BRONZE.name}"  # noqa: S608
COUNTED = f"SELECT coalesce(sum(event_count), 0) AS n FROM {EVENT_GEO_KPIS_EVENTS.name}"  # noqa: S608


class Reconciliation:
    """Counts through Athena and S3, with the clients of one session.

    What it asks may raise QueryError (Athena cannot read a table) and botocore's errors (S3).
    """

    def __init__(self, session: boto3.session.Session, settings: Settings) -> None:
        self._s3: Any = session.client("s3", region_name=settings.aws_region)
        self._athena: Any = session.client("athena", region_name=settings.aws_region)
        self._settings = settings
        self._failed_by_key: dict[str, int] = {}

    def account(self) -> Account:
        """The whole account."""
        return Account(
            delivery=self._delivery(self._attested()),
            **self._query(account_query()),
            counted=self._query(COUNTED)["n"],
        )

    def wait_for_delivery(self, timeout_seconds: float = DELIVERY_TIMEOUT_SECONDS) -> Delivery:
        """Wait until nothing acknowledged is undelivered; returns what there is then, or at the timeout."""
        attested = self._attested()
        deadline = time.monotonic() + timeout_seconds
        while (delivery := self._delivery(attested)).undelivered and time.monotonic() < deadline:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return delivery

    def _attested(self) -> Attested:
        runs = list(find_runs(self._s3, self._settings.bronze_bucket))
        manifests = [run.manifest for run in runs if run.manifest]
        return Attested(
            acked=sum(count_acked(self._s3, run) for run in runs),
            given_up=sum(manifest.given_up for manifest in manifests),
            unknown_outcomes=sum(manifest.unknown_outcomes for manifest in manifests),
        )

    def _delivery(self, attested: Attested) -> Delivery:
        return Delivery(attested, bronze=self._query(BRONZE_COUNT)["n"], failed=self._count_failed())

    def _query(self, sql: str) -> dict[str, Any]:
        return run_query(self._athena, sql, database=self._settings.glue_database).one()

    def _count_failed(self) -> int:
        """Documents of records that Firehose could not convert, one a line; an object is read once."""
        bucket = self._settings.bronze_bucket
        prefix = self._settings.conversion_errors_path.removeprefix(f"s3://{bucket}/")
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                if entry["Key"] not in self._failed_by_key:
                    body = self._s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"]
                    self._failed_by_key[entry["Key"]] = sum(1 for line in body.iter_lines() if line)
        return sum(self._failed_by_key.values())


def show(console: Console, account: Account) -> None:
    """Print the account as a table, with its three equations."""
    delivery = account.delivery
    table = Table(title="Reconciliation", title_justify="left")
    table.add_column("records")
    table.add_column("count", justify="right")
    table.add_column("")
    lines = [
        ("acknowledged by the stream", delivery.attested.acked, ""),
        ("  bronze rows", delivery.bronze, ""),
        ("  failed conversions", delivery.failed, ""),
        ("  not delivered", delivery.undelivered, _verdict(delivery.undelivered == 0)),
        ("  unattested, on top", delivery.unattested, ""),
        ("given up by producers", delivery.attested.given_up, ""),
        ("sent with unknown outcome", delivery.attested.unknown_outcomes, ""),
        ("bronze rows", delivery.bronze, ""),
        ("  valid", account.valid, ""),
        ("  invalid", account.invalid, ""),
        (
            "  duplicate",
            account.duplicate,
            _verdict(delivery.bronze == account.valid + account.invalid + account.duplicate),
        ),
        ("valid", account.valid, ""),
        ("  in the KPI table", account.counted, _verdict(account.valid == account.counted)),
    ]
    for name, count, verdict in lines:
        table.add_row(name, f"{count:,}", verdict)
    console.print(table)


def _verdict(right: bool) -> str:
    return "[green]agrees[/green]" if right else "[red]DIFFERS[/red]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 if every figure agrees."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.reconcile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--wait-for-delivery", action="store_true", help="only wait for Firehose, then exit")
    options = parser.parse_args(arguments)
    load_dotenv(find_dotenv(usecwd=True))
    console, errors = Console(), Console(stderr=True)
    try:
        reconciliation = Reconciliation(boto3.session.Session(), Settings.from_mapping(os.environ))
        if options.wait_for_delivery:
            delivery = reconciliation.wait_for_delivery()
            console.print(f"{delivery.bronze:,} bronze rows, {delivery.failed:,} failed conversions")
            differences = (
                [f"{delivery.undelivered:,} records are not delivered"] if delivery.undelivered else []
            )
        else:
            account = reconciliation.account()
            show(console, account)
            differences = account.differences
    except (ConfigError, QueryError, BotoCoreError, ClientError) as error:
        errors.print(str(error), style="red", markup=False)
        return 1
    for difference in differences:
        errors.print(difference, style="red", markup=False)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
