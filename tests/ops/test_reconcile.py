"""The account from the stream to the KPI table: real events through Kinesis, Firehose and Athena."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path

import boto3
import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog, load_catalog

from config.project_config import Settings
from config.tables import EVENT_GEO_KPIS_EVENTS, KPI_TABLES, QUARANTINE, SENSOR_HEALTH, SILVER
from emr_jobs.lake.ledger import PROPERTY as LEDGER
from emr_jobs.lake.ledger import Ledger
from kinesis import producer
from ops import reconcile, show_tables
from ops.deploy import deploy_all
from ops.reconcile import Producers, Reconciliation
from tests.support.accounts import new_account
from tests.support.emulated_aws import EmulatedAws, lead_process_to

SENT = 1500

SAMPLES: dict[str, Callable[[int], tuple[list[object], pa.DataType]]] = {
    "bigint": lambda count: (list(range(count)), pa.int64()),
    "double": lambda count: ([n + 0.5 for n in range(count)], pa.float64()),
    "string": lambda count: ([f"text {n}" for n in range(count)], pa.string()),
    "date": lambda count: ([date(2026, 1, 1 + n) for n in range(count)], pa.date32()),
}
"""So many values of a column's type, rising."""


@pytest.fixture(scope="module")
def settings(emulated_aws: EmulatedAws) -> Iterator[Settings]:
    """The platform deployed in an account of its own, with events delivered; the process's own AWS."""
    with pytest.MonkeyPatch.context() as patch:
        account = new_account(emulated_aws)
        lead_process_to(account.environment, patch)
        deployed = deploy_all(account.session(), "dev", {"BufferIntervalSeconds": "1"})
        for name, value in deployed.items():
            patch.setenv(name, value)
        disorder = ["--late", "0.05", "--duplicates", "0.1", "--corrupt", "0.2", "--seed", "7"]
        assert producer.main(["--count", str(SENT), "--rate", "max", *disorder]) == 0
        yield Settings.from_mapping(deployed)


@pytest.fixture(scope="module")
def catalog(settings: Settings, emulated_aws: EmulatedAws) -> Catalog:
    endpoint = emulated_aws.endpoint
    return load_catalog("glue", type="glue", **{"glue.endpoint": endpoint, "s3.endpoint": endpoint})


def put(catalog: Catalog, settings: Settings, table: str, rows: pa.Table, **properties: str) -> None:
    """Make an Iceberg table hold these rows, and have these properties."""
    location = f"{settings.iceberg_warehouse}{table}"
    identifier = (settings.glue_database, table)
    made = catalog.create_table_if_not_exists(identifier, rows.schema, location)
    made.overwrite(rows)
    if properties:
        made.transaction().set_properties(properties).commit_transaction()


def put_counts(catalog: Catalog, settings: Settings, *counts: int) -> None:
    """Make the KPI tables say these event counts."""
    rows = pa.table(
        {
            "day": pa.array([date(2026, 1, 1 + n) for n in range(len(counts))], pa.date32()),
            "event_type": pa.array(["measurement"] * len(counts)),
            "event_count": pa.array(counts, pa.int64()),
        }
    )
    put(catalog, settings, EVENT_GEO_KPIS_EVENTS.name, rows)
    put(catalog, settings, SENSOR_HEALTH.name, pa.table({"total_count": pa.array(counts, pa.int64())}))


def put_lake(
    catalog: Catalog, settings: Settings, events: int, quarantined: int, files: list[str], **properties: str
) -> None:
    """Make silver hold so many events, quarantine so many open entries (and a replayed one), and three
    duplicates; ``files`` are taken in."""
    hours = pa.array([datetime(2026, 11, 22)] * events, pa.timestamp("us"))
    ledger = Ledger(taken=frozenset(files), duplicates={"2026-11-22": 3}).to_json()
    put(catalog, settings, SILVER.name, pa.table({"arrival_hour": hours}), **{LEDGER: ledger}, **properties)
    states = ["open"] * quarantined + ["replayed"]
    hours = pa.array([datetime(2026, 11, 22)] * len(states), pa.timestamp("us"))
    put(catalog, settings, QUARANTINE.name, pa.table({"state": states, "arrival_hour": hours}))


def put_metrics(catalog: Catalog, settings: Settings, verdict: str) -> None:
    """Make the last run of the step have this verdict."""
    rows = pa.table(
        {
            "run_id": ["a-run"],
            "table_name": [SILVER.name],
            "metric": ["reconcile_undelivered"],
            "value": pa.array([2.0]),
            "verdict": [verdict],
            "measured_at": pa.array([datetime(2026, 11, 22)], pa.timestamp("us")),
        }
    )
    put(catalog, settings, "data_quality_metrics", rows)


def delivered_files(settings: Settings) -> list[str]:
    """All delivered objects."""
    s3, bucket = boto3.client("s3"), settings.bronze_bucket
    listed = [
        s3.list_objects_v2(Bucket=bucket, Prefix=f"{part}/") for part in ("clickstream", "clickstream-errors")
    ]
    return [f"s3://{bucket}/{entry['Key']}" for page in listed for entry in page["Contents"]]


@pytest.mark.aws
class TestLive:
    """In the order of a platform's first day."""

    def test_waiting_ends_when_everything_is_delivered(
        self, settings: Settings, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert reconcile.main(["--wait-for-delivery"]) == 0
        delivery = Reconciliation(boto3.session.Session(), settings).wait_for_delivery(timeout_seconds=0)
        assert delivery.acked == delivery.bronze + delivery.failed == SENT
        assert (delivery.undelivered, delivery.unattested) == (0, 0)
        assert delivery.failed > 0
        assert f"{delivery.bronze:,} bronze rows, {delivery.failed:,} failed" in capfd.readouterr().out

    def test_a_missing_table_is_named(self, settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
        assert reconcile.main([]) == 1
        assert SILVER.name in capfd.readouterr().err

    def test_everything_adds_up(
        self, settings: Settings, catalog: Catalog, capfd: pytest.CaptureFixture[str]
    ) -> None:
        put_lake(catalog, settings, SENT - 33, 30, delivered_files(settings))
        put_counts(catalog, settings, 0)
        account, producers = Reconciliation(boto3.session.Session(), settings).account()
        assert producers == Producers(SENT, given_up=0, unknown_outcomes=0)
        assert (account.silver, account.quarantined, account.duplicates) == (SENT - 33, 30, 3)
        assert [check.name for check in account.differences] == [
            "miscounted_sensor_health",
            "miscounted_event_geo_kpis_events",
        ]
        put_counts(catalog, settings, SENT - 43, 10)
        assert reconcile.main([]) == 0
        shown = capfd.readouterr().out
        assert "DIFFERS" not in shown
        for count in (SENT, SENT - 33, 30, 3):
            assert f"{count:,}" in shown

    def test_a_double_count_is_found(
        self, settings: Settings, catalog: Catalog, capfd: pytest.CaptureFixture[str]
    ) -> None:
        put_counts(catalog, settings, SENT - 33, 1)
        assert reconcile.main([]) == 1
        output = capfd.readouterr()
        assert "DIFFERS" in output.out
        assert f"{SENT - 32:,} where {SENT - 33:,} are expected" in output.err
        put_counts(catalog, settings, SENT - 33)

    def test_what_the_step_found_counts_by_hand_too(
        self, settings: Settings, catalog: Catalog, capfd: pytest.CaptureFixture[str]
    ) -> None:
        put_metrics(catalog, settings, "fail")
        assert reconcile.main([]) == 1
        assert "reconcile in run a-run: reconcile_undelivered is +2" in capfd.readouterr().err
        put_metrics(catalog, settings, "pass")
        assert reconcile.main([]) == 0

    def test_a_lost_file_is_found(
        self, settings: Settings, catalog: Catalog, capfd: pytest.CaptureFixture[str]
    ) -> None:
        s3 = boto3.client("s3")
        listed = s3.list_objects_v2(Bucket=settings.bronze_bucket, Prefix="clickstream-errors/")["Contents"]
        body = s3.get_object(Bucket=settings.bronze_bucket, Key=listed[0]["Key"])["Body"].read()
        lost = len([json.loads(line) for line in body.splitlines() if line])
        s3.delete_object(Bucket=settings.bronze_bucket, Key=listed[0]["Key"])
        assert reconcile.main([]) == 1
        assert f"acknowledged records that are nowhere: {lost:,} where 0" in capfd.readouterr().err
        s3.put_object(Bucket=settings.bronze_bucket, Key=listed[0]["Key"], Body=body)

    def test_records_of_other_producers_and_new_ones_are_shown_and_no_error(
        self, settings: Settings, catalog: Catalog
    ) -> None:
        s3 = boto3.client("s3")
        key = "clickstream-errors/format-conversion-failed/dt=2026-11-22/hour=03/more"
        s3.put_object(Bucket=settings.bronze_bucket, Key=key, Body=b'{"errorCode": "x"}\n' * 3)
        account, _ = Reconciliation(boto3.session.Session(), settings).account()
        assert (account.unattested, account.awaiting, account.undelivered) == (3, 3, 0)
        assert reconcile.main([]) == 0

    def test_what_retention_has_left_is_compared(self, settings: Settings, catalog: Catalog) -> None:
        expired = {"lakehouse.expired": '{"rows": 7, "before": "2026-11-22T03:00:00+00:00"}'}
        put_lake(catalog, settings, 5, 2, [], **expired)
        account, _ = Reconciliation(boto3.session.Session(), settings).account()
        assert (account.silver, account.quarantined, account.duplicates, account.expired) == (0, 0, 0, 7)

    def test_tables_are_shown_with_their_row_counts(
        self, settings: Settings, catalog: Catalog, capfd: pytest.CaptureFixture[str]
    ) -> None:
        for count, spec in enumerate(KPI_TABLES, start=3):
            rows = pa.table({column.name: pa.array(*SAMPLES[column.type](count)) for column in spec.columns})
            identifier = (settings.glue_database, spec.name)
            if catalog.table_exists(identifier):
                catalog.drop_table(identifier)
            put(catalog, settings, spec.name, rows)
        assert show_tables.main(["--rows", "2"]) == 0
        shown = capfd.readouterr().out
        for count, spec in enumerate(KPI_TABLES, start=3):
            assert f"{spec.name}: {count} rows" in shown
        assert "2026-01-01" in shown
        assert "2026-01-02" in shown
        assert "2026-01-03" not in shown

    def test_no_answer_from_s3_is_one_line(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("BRONZE_BUCKET", f"{settings.bronze_bucket}-none")
        assert reconcile.main([]) == 1
        assert "NoSuchBucket" in capfd.readouterr().err


def test_missing_settings_are_listed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("BRONZE_BUCKET", "ICEBERG_BUCKET", "SCRIPTS_BUCKET", "LOGS_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    for main in (reconcile.main, show_tables.main):
        assert main([]) == 1
        assert "BRONZE_BUCKET is not set" in capfd.readouterr().err
