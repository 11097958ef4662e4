"""The account from the stream to the KPI table: real events through Kinesis, Firehose and Athena."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import boto3
import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog, load_catalog

from config.project_config import Settings
from config.reconciliation import EXPIRED_PROPERTY, REFLECTION_PROPERTY, Account
from config.tables import EVENT_GEO_KPIS_EVENTS, KPI_TABLES, QUARANTINE, SENSOR_HEALTH, SILVER
from emr_jobs.lake.ledger import PROPERTY as LEDGER
from emr_jobs.lake.ledger import Ledger, hour_of
from kinesis import producer
from ops import reconcile, show_tables
from ops.deploy import deploy_all
from ops.reconcile import Producers, Reconciliation
from tests.support.accounts import new_account
from tests.support.emulated_aws import EmulatedAws, lead_process_to

SENT = 1500

EVENTS_FILE = "s3://bronze/clickstream/dt=2026-01-01/hour=00/events.parquet"
"""Where silver's rows are said to come from."""

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
    catalog: Catalog,
    settings: Settings,
    ledger: Ledger,
    arrived: Sequence[datetime],
    entries: Sequence[tuple[str, int, str, str]],
    **properties: str,
) -> None:
    """Make silver hold an event for each time of arrival, row by row of a file of its own, and quarantine
    these entries: file, row, state, reason. Both have the ``properties``."""
    events = pa.table(
        {
            "arrival_hour": pa.array(arrived, pa.timestamp("us")),
            "source_file": [EVENTS_FILE] * len(arrived),
            "source_row": pa.array(range(len(arrived)), pa.int64()),
        }
    )
    put(catalog, settings, SILVER.name, events, **{LEDGER: ledger.to_json()}, **properties)
    files, rows, states, reasons = zip(*entries, strict=True)
    quarantined = {
        "source_file": files,
        "source_row": pa.array(rows, pa.int64()),
        "state": states,
        "reason": reasons,
        "arrival_hour": pa.array([today(settings)] * len(entries), pa.timestamp("us")),
    }
    put(catalog, settings, QUARANTINE.name, pa.table(quarantined), **properties)


def today(settings: Settings) -> datetime:
    """Midnight before the events arrived."""
    return datetime.fromisoformat(min(hour_of(file) or "" for file in delivered_files(settings))[:10])


def put_all(
    catalog: Catalog, settings: Settings, expired: Sequence[datetime] = (), **properties: str
) -> None:
    """All that was delivered: 3 duplicates, 30 entries, and events, with some of ``expired`` days."""
    files = delivered_files(settings)
    arrived = [today(settings)] * (SENT - 33) + list(expired)
    ledger = Ledger(taken=frozenset(files), duplicates={f"{today(settings):%Y-%m-%d}": 3})
    entries = [(files[0], row, "open", "not_finite") for row in range(30)]
    put_lake(
        catalog, settings, ledger, arrived, [*entries, (files[0], 30, "replayed", "not_finite")], **properties
    )
    put_counts(catalog, settings, len(arrived))


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


def account_of(settings: Settings) -> Account:
    """The account as it is now."""
    account, _ = Reconciliation(boto3.session.Session(), settings).account()
    return account


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
        put_all(catalog, settings)
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
        account = account_of(settings)
        assert (account.unattested, account.awaiting, account.undelivered) == (3, 3, 0)
        assert reconcile.main([]) == 0
        s3.delete_object(Bucket=settings.bronze_bucket, Key=key)

    def test_kpis_are_held_against_the_events_that_they_reflect(
        self, settings: Settings, catalog: Catalog
    ) -> None:
        put_all(catalog, settings)
        silver = catalog.load_table((settings.glue_database, SILVER.name))
        counted = silver.current_snapshot()
        assert counted is not None
        for spec in reconcile.COUNTS:
            table = catalog.load_table((settings.glue_database, spec.name))
            reflects = json.dumps({"snapshot": counted.snapshot_id})
            table.transaction().set_properties({REFLECTION_PROPERTY: reflects}).commit_transaction()
        silver.append(silver.scan(limit=2).to_arrow())
        assert [(kpi.counted, kpi.expected) for kpi in account_of(settings).kpis] == [
            (SENT - 33, SENT - 33)
        ] * 2
        put_counts(catalog, settings, SENT - 31)
        assert [kpi.expected for kpi in account_of(settings).kpis] == [SENT - 33] * 2
        for spec in reconcile.COUNTS:
            catalog.drop_table((settings.glue_database, spec.name))

    def test_entries_of_an_ingest_that_did_not_finish_do_not_count(
        self, settings: Settings, catalog: Catalog
    ) -> None:
        first, *others, last = delivered_files(settings)
        ledger = Ledger(taken=frozenset([first, *others, EVENTS_FILE]))
        entries = [
            (first, 0, "open", "not_finite"),
            (last, 0, "open", "not_finite"),
            (EVENTS_FILE, 1, "open", "uuid_conflict"),  # still an event
            (EVENTS_FILE, 7, "open", "uuid_conflict"),
        ]
        put_lake(catalog, settings, ledger, [today(settings)] * 5, entries)
        put_counts(catalog, settings, 5)
        assert account_of(settings).awaiting > 0
        assert account_of(settings).quarantined == 2

    def test_entries_count_as_the_last_commit_of_silver_announces(
        self, settings: Settings, catalog: Catalog, capfd: pytest.CaptureFixture[str]
    ) -> None:
        file, returned, *_ = files = delivered_files(settings)
        ledger = Ledger(
            taken=frozenset(files),
            retired=frozenset([(file, 0)]),
            replayed=frozenset([(file, 1)]),
            reopened=frozenset([(file, 2)]),
            returned=frozenset([returned]),
        )
        entries = [
            (file, 0, "open", "uuid_conflict"),
            (file, 1, "open", "not_finite"),
            (file, 2, "superseded", "uuid_conflict"),
            (file, 3, "open", "not_finite"),
            (returned, 0, "open", "not_finite"),
        ]
        put_lake(catalog, settings, ledger, [today(settings)], entries)
        assert account_of(settings).quarantined == 2
        erasing = replace(ledger, erasing=frozenset([7]), erased_sensors={7: 0})
        put_lake(catalog, settings, erasing, [today(settings)], entries)
        assert reconcile.main([]) == 1
        assert "the erasure of sensor 7 has not reached clickstream_quarantine" in capfd.readouterr().err

    def test_what_retention_has_left_adds_up_and_a_loss_after_it_is_found(
        self, settings: Settings, catalog: Catalog, capfd: pytest.CaptureFixture[str]
    ) -> None:
        cutoff = today(settings) - timedelta(days=1) + timedelta(hours=3)
        s3, bucket = boto3.client("s3"), settings.bronze_bucket
        attested = s3.list_objects_v2(Bucket=bucket, Prefix="manifests/")["Contents"]
        part = next(entry["Key"] for entry in attested if entry["Key"].endswith(".parquet"))
        old = f"manifests/dt={cutoff:%Y-%m-%d}/run=old/part-00000.parquet"
        s3.copy_object(Bucket=bucket, Key=old, CopySource={"Bucket": bucket, "Key": part})
        expired = {EXPIRED_PROPERTY: json.dumps({"rows": 10_000, "before": f"{cutoff.isoformat()}+00:00"})}
        put_all(catalog, settings, [cutoff + timedelta(hours=9)] * 4, **expired)
        account = account_of(settings)
        assert (account.acked, account.silver, account.expired) == (SENT, SENT - 33, 20_000)
        assert [kpi.counted for kpi in account.kpis] == [SENT - 29] * 2
        assert account.differences == []
        assert reconcile.main(["--wait-for-delivery"]) == 0

        listed = s3.list_objects_v2(Bucket=bucket, Prefix="clickstream-errors/")["Contents"]
        body = s3.get_object(Bucket=bucket, Key=listed[0]["Key"])["Body"].read()
        lost = len(body.splitlines())
        s3.delete_object(Bucket=bucket, Key=listed[0]["Key"])
        assert reconcile.main([]) == 1
        assert f"acknowledged records that are nowhere: {lost:,} where 0" in capfd.readouterr().err
        early = f"clickstream-errors/x/dt={cutoff:%Y-%m-%d}/hour=23/early"
        s3.put_object(Bucket=bucket, Key=early, Body=body)
        assert account_of(settings).undelivered == 0
        s3.put_object(Bucket=bucket, Key=listed[0]["Key"], Body=body)

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
