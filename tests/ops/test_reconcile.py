"""The account from the stream to the KPI table: real events through Kinesis, Firehose and Athena."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import boto3
import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog, load_catalog

from config.project_config import Settings
from config.tables import EVENT_GEO_KPIS_EVENTS, KPI_TABLES
from kinesis import producer
from ops import reconcile, show_tables
from ops.deploy import deploy_all
from ops.reconcile import Account, Attested, Delivery, Reconciliation
from tests.support.accounts import new_account
from tests.support.emulated_aws import EmulatedAws

SENT = 1500

SAMPLES: dict[str, Callable[[int], tuple[list[object], pa.DataType]]] = {
    "bigint": lambda count: (list(range(count)), pa.int64()),
    "double": lambda count: ([n + 0.5 for n in range(count)], pa.float64()),
    "string": lambda count: ([f"text {n}" for n in range(count)], pa.string()),
    "date": lambda count: ([date(2026, 1, 1 + n) for n in range(count)], pa.date32()),
}
"""So many values of a column's type, rising."""


@pytest.mark.parametrize(
    ("delivered", "undelivered", "unattested"), [((100, 0), 0, 0), ((90, 8), 2, 0), ((100, 7), 0, 7)]
)
def test_what_is_not_delivered_and_what_no_manifest_names(
    delivered: tuple[int, int], undelivered: int, unattested: int
) -> None:
    delivery = Delivery(Attested(100, given_up=0, unknown_outcomes=0), *delivered)
    assert (delivery.undelivered, delivery.unattested) == (undelivered, unattested)


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({}, None),
        ({"delivery": Delivery(Attested(111, 0, 0), 100, 10)}, "1 acknowledged records are not delivered"),
        ({"invalid": 6}, "100 bronze rows are not valid + invalid + duplicate"),
        ({"counted": 91}, "90 valid events, but 91 in event_geo_kpis_events"),
        ({"counted": 0}, "90 valid events, but 0 in event_geo_kpis_events"),
    ],
)
def test_a_difference_is_named(change: dict[str, object], difference: str | None) -> None:
    right = {
        "delivery": Delivery(Attested(110, 0, 0), 100, 10),
        "valid": 90,
        "invalid": 5,
        "duplicate": 5,
        "counted": 90,
    }
    account = Account(**right | change)  # type: ignore[arg-type]
    assert [difference in found for found in account.differences if difference] == [True] * bool(difference)
    assert bool(account.differences) == bool(difference)


@pytest.fixture(scope="module")
def settings(emulated_aws: EmulatedAws) -> Iterator[Settings]:
    """The platform deployed in an account of its own, with events delivered; the process's own AWS."""
    with pytest.MonkeyPatch.context() as patch:
        account = new_account(emulated_aws)
        for name, value in account.environment.items():
            patch.setenv(name, value)
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


def put_counts(catalog: Catalog, settings: Settings, *counts: int) -> None:
    """Make the KPI table say these event counts."""
    rows = pa.table(
        {
            "day": pa.array([date(2026, 1, 1 + n) for n in range(len(counts))], pa.date32()),
            "event_type": pa.array(["measurement"] * len(counts)),
            "event_count": pa.array(counts, pa.int64()),
        }
    )
    identifier = (settings.glue_database, EVENT_GEO_KPIS_EVENTS.name)
    location = f"{settings.iceberg_warehouse}{EVENT_GEO_KPIS_EVENTS.name}"
    catalog.create_table_if_not_exists(identifier, rows.schema, location).overwrite(rows)


@pytest.mark.aws
class TestLive:
    """In the order of a platform's first day."""

    def test_waiting_ends_when_everything_is_delivered(
        self, settings: Settings, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert reconcile.main(["--wait-for-delivery"]) == 0
        delivery = Reconciliation(boto3.session.Session(), settings).wait_for_delivery(timeout_seconds=0)
        assert delivery.attested == Attested(SENT, given_up=0, unknown_outcomes=0)
        assert delivery.bronze + delivery.failed == SENT
        assert (delivery.undelivered, delivery.unattested) == (0, 0)
        assert delivery.failed > 0
        assert f"{delivery.bronze:,} bronze rows, {delivery.failed:,} failed" in capfd.readouterr().out

    def test_a_missing_kpi_table_is_named(
        self, settings: Settings, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert reconcile.main([]) == 1
        assert EVENT_GEO_KPIS_EVENTS.name in capfd.readouterr().err

    def test_everything_adds_up(
        self, settings: Settings, catalog: Catalog, capfd: pytest.CaptureFixture[str]
    ) -> None:
        put_counts(catalog, settings, 0)
        account = Reconciliation(boto3.session.Session(), settings).account()
        assert account.valid + account.invalid + account.duplicate == account.delivery.bronze
        assert min(account.valid, account.invalid, account.duplicate) > 0
        assert len(account.differences) == 1
        put_counts(catalog, settings, account.valid - 10, 10)
        assert reconcile.main([]) == 0
        shown = capfd.readouterr().out
        assert "DIFFERS" not in shown
        for count in (SENT, account.valid, account.invalid, account.duplicate):
            assert f"{count:,}" in shown

    def test_a_double_count_is_found(
        self, settings: Settings, catalog: Catalog, capfd: pytest.CaptureFixture[str]
    ) -> None:
        account = Reconciliation(boto3.session.Session(), settings).account()
        put_counts(catalog, settings, account.valid, 1)
        assert reconcile.main([]) == 1
        output = capfd.readouterr()
        assert "DIFFERS" in output.out
        assert f"{account.valid:,} valid events, but {account.valid + 1:,} in" in output.err

    def test_a_lost_file_is_found(
        self, settings: Settings, catalog: Catalog, capfd: pytest.CaptureFixture[str]
    ) -> None:
        s3 = boto3.client("s3")
        listed = s3.list_objects_v2(Bucket=settings.bronze_bucket, Prefix="clickstream-errors/")["Contents"]
        body = s3.get_object(Bucket=settings.bronze_bucket, Key=listed[0]["Key"])["Body"].read()
        lost = len([json.loads(line) for line in body.splitlines() if line])
        s3.delete_object(Bucket=settings.bronze_bucket, Key=listed[0]["Key"])
        assert reconcile.main([]) == 1
        assert f"{lost:,} acknowledged records are not delivered" in capfd.readouterr().err
        s3.put_object(Bucket=settings.bronze_bucket, Key=listed[0]["Key"], Body=body)

    def test_records_of_other_producers_are_shown_and_no_error(
        self, settings: Settings, catalog: Catalog, capfd: pytest.CaptureFixture[str]
    ) -> None:
        s3 = boto3.client("s3")
        document = b'{"errorCode": "x"}\n' * 3
        s3.put_object(Bucket=settings.bronze_bucket, Key="clickstream-errors/more", Body=document)
        reconciliation = Reconciliation(boto3.session.Session(), settings)
        account = reconciliation.account()
        assert (account.delivery.unattested, account.delivery.undelivered) == (3, 0)
        put_counts(catalog, settings, account.valid)
        assert reconcile.main([]) == 0

    def test_tables_are_shown_with_their_row_counts(
        self, settings: Settings, catalog: Catalog, capfd: pytest.CaptureFixture[str]
    ) -> None:
        for count, spec in enumerate(KPI_TABLES, start=3):
            rows = pa.table({column.name: pa.array(*SAMPLES[column.type](count)) for column in spec.columns})
            identifier = (settings.glue_database, spec.name)
            location = f"{settings.iceberg_warehouse}{spec.name}"
            catalog.create_table_if_not_exists(identifier, rows.schema, location).overwrite(rows)
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
