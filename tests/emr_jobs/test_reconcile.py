"""The step that reconciles, on real Spark and Iceberg: nothing differs, then each thing that can."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config import names
from config.reconciliation import Account, KpiTotal
from emr_jobs.lake import publish as publishing
from emr_jobs.reconcile import to_metrics
from emr_jobs.transforms.attested import raw_content_hash
from kinesis.records import describe
from tests.support.attested import HOUR, NOW, QUARANTINE, SILVER, AttestedLake
from tests.support.lake import NOON, Lake, event


class Killed(BaseException):
    """As a kill: nothing handles it."""


@pytest.fixture
def attested(lake: Lake) -> AttestedLake:
    """A lake with manifests, empty."""
    return AttestedLake(lake)


def send_everything(lake: AttestedLake) -> None:
    """One record of each fate; 5 events, 1 duplicate, 1 conflict, 4 invalid rows, 2 failed conversions."""
    lake.send(
        "a", event(uuid="1"), event(uuid="2", status="faulty"), event(uuid="3", timestamp=NOON - 200_000)
    )
    lake.send("b", event(uuid="1"), event(uuid="2", status="active"), event(uuid="4"), event(uuid="5"))
    lake.send("c", event(humidity=101.0), event(uuid=None), event(uuid=None), event(timestamp=None, uuid="6"))
    lake.fail("x-1", b"{torn", b"\xff")


def differences(account: Account) -> list[str]:
    return [check.name for check in account.differences]


def test_equations_hold_or_are_named() -> None:
    right = Account(
        acked=10, bronze=10, failed=2, awaiting=1, silver=8, quarantined=2, duplicates=1,
        kpis=(KpiTotal("sensor_health", 8, 8),),
    )  # fmt: skip
    assert (right.differences, right.unattested) == ([], 2)
    wrong = Account(
        **{**vars(right), "undelivered": 1, "silver": 7, "kpis": (KpiTotal("sensor_health", 9, 8),)}
    )
    assert [str(check) for check in wrong.differences] == [
        "acknowledged records that are nowhere: 1 where 0 are expected",
        "bronze rows and failed conversions: 11 where 10 are expected",
        "events in sensor_health: 9 where 8 are expected",
    ]
    verdicts = {metric.name: metric.verdict for metric in to_metrics(wrong)}
    assert verdicts["reconcile_undelivered"] == verdicts["reconcile_unaccounted"] == "fail"
    assert verdicts["reconcile_acked"] == "none"


@pytest.mark.parametrize(
    "change", [{}, {"uuid": None}, {"temperature": -0.0}, {"humidity": 1e-7}, {"location": None}]
)
def test_content_is_the_same_in_quarantine_as_when_it_was_sent(change: dict[str, Any]) -> None:
    sent = event(**change)
    raw = {key: value for key, value in sent.items() if value is not None}
    assert raw_content_hash(json.dumps(raw)) == describe(json.dumps(sent).encode()).content_hash


def test_nan_is_spelled_as_a_string_in_quarantine() -> None:
    sent = json.dumps(event(temperature=math.nan, humidity=math.inf)).encode()
    raw = json.dumps(event(temperature="NaN", humidity="Infinity"))
    assert raw_content_hash(raw) == describe(sent).content_hash


@pytest.mark.spark
def test_every_fate_adds_up_and_the_second_run_has_nothing_to_do(attested: AttestedLake) -> None:
    send_everything(attested)
    attested.lake.deliver(f"{HOUR}/other.parquet", event(uuid="unattested"))
    attested.ingest()
    attested.count()

    first = attested.reconcile()

    account = first.account
    assert account.differences == []
    assert (account.acked, account.bronze, account.failed, account.unattested) == (13, 12, 2, 1)
    assert (account.silver, account.quarantined, account.duplicates) == (6, 7, 1)
    assert [kpi.table for kpi in account.kpis] == ["sensor_health", "event_geo_kpis_events", "_sensor_status"]
    assert attested.metrics()["unaccounted"] == (0.0, "pass")
    assert attested.metrics()["unattested"] == (1.0, "none")
    for file in attested.lake.bronze.rglob("*.parquet"):
        file.write_bytes(b"not to be read again")
    second = attested.reconcile()
    assert (second.is_unchanged, second.account) == (True, account)


@pytest.mark.spark
def test_only_what_is_new_is_looked_at_and_full_looks_at_all(attested: AttestedLake) -> None:
    send_everything(attested)
    attested.ingest()
    assert attested.reconcile().account.differences == []
    later = NOW + timedelta(days=5)
    attested.lake.deliver("dt=2026-06-06/hour=23/z.parquet", event(uuid="7", timestamp=NOON + 86_400 * 5))
    attested.ingest(later)
    assert attested.reconcile().account.settled == 0
    attested.lake.deliver("dt=2026-06-06/hour=23/y.parquet", event(uuid="8", timestamp=NOON + 86_400 * 5))
    attested.ingest(later)

    third = attested.reconcile().account

    assert third.differences == []
    assert (third.bronze, third.failed, third.settled) == (2, 0, 13)
    assert (third.acked, third.unattested) == (13, 2)
    full = attested.reconcile("--full").account
    assert full.differences == []
    assert (full.bronze, full.failed, full.settled, full.unattested) == (13, 2, 0, 2)


@pytest.mark.spark
def test_lost_on_the_way_is_named_by_the_manifest(attested: AttestedLake) -> None:
    attested.attest(event(uuid="lost"), event(uuid=None, sensor_id=7), b"{torn")
    attested.send("a", event(uuid="1"), event(uuid=None))
    attested.lake.deliver(f"{HOUR}/more.parquet", event(uuid="1"), event(uuid="1"), event(uuid="other"))
    attested.ingest()

    result = attested.reconcile()

    assert differences(result.account) == ["undelivered"]
    assert result.account.undelivered == 3
    assert [name for name in result.named if "part-00000.parquet: 3 of" in name] == list(result.named)
    assert attested.metrics()["undelivered"] == (3.0, "fail")
    on_the_way = attested.reconcile("--delivery-minutes", "60")
    assert (on_the_way.account.differences, on_the_way.account.in_flight) == ([], 3)
    attested.lake.deliver(f"{HOUR}/late.parquet", event(uuid="lost"), event(uuid=None, sensor_id=7))
    attested.ingest()
    assert attested.reconcile().account.undelivered == 1


@pytest.mark.spark
def test_the_same_content_sent_twice_must_be_there_twice(attested: AttestedLake) -> None:
    attested.attest(event(uuid=None))
    attested.send("a", event(uuid=None))
    attested.ingest()

    assert attested.reconcile().account.undelivered == 1


@pytest.mark.spark
def test_what_ingest_has_not_seen_yet_awaits_it(attested: AttestedLake) -> None:
    attested.send("a", event(uuid="1"))
    attested.ingest()
    attested.send("b", event(uuid="2"), event(uuid=None))

    account = attested.reconcile().account

    assert (account.differences, account.awaiting) == ([], 2)


@pytest.mark.spark
def test_entries_of_an_ingest_that_did_not_finish_do_not_count(
    attested: AttestedLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    attested.send("b", event(uuid="1"), event(uuid="2", humidity=101.0))
    attested.ingest()
    # The first takes the place of an event, which becomes a conflict; the second is attested twice.
    attested.send("a", event(uuid="1", status="faulty"), event(uuid=None))
    attested.attest(event(uuid=None))

    def kill(point: str) -> None:
        if point.endswith(f"{QUARANTINE}: published"):
            raise Killed(point)

    with monkeypatch.context() as patch:
        patch.setattr(publishing, "commit_point", kill)
        with pytest.raises(Killed):
            attested.ingest()

    unfinished = attested.reconcile().account

    assert attested.lake.spark.table(attested.lake.name(QUARANTINE)).count() == 3
    assert (unfinished.silver, unfinished.quarantined, unfinished.awaiting) == (1, 1, 2)
    assert (differences(unfinished), unfinished.undelivered) == (["undelivered"], 1)
    attested.ingest()
    account = attested.reconcile().account
    assert (account.silver, account.quarantined, account.awaiting) == (1, 3, 0)
    assert (differences(account), account.undelivered) == (["undelivered"], 1)


@pytest.mark.spark
@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (f"DELETE FROM {SILVER} WHERE uuid = '4'", "b.parquet: 1 rows of it are neither in silver"),
        (f"DELETE FROM {QUARANTINE} WHERE reason LIKE 'hum%'", "c.parquet: 1 rows of it are neither"),
        (f"INSERT INTO {SILVER} SELECT * FROM {SILVER} WHERE uuid = '4'", "b.parquet: 1 rows of it are in"),
        (f"UPDATE {SILVER} SET source_row = 77 WHERE uuid = '1'", "a.parquet: 1 rows of silver or"),
    ],
)  # fmt: skip
def test_a_difference_in_the_lake_fails_and_names_the_files(
    attested: AttestedLake, statement: str, named: str
) -> None:
    send_everything(attested)
    attested.ingest()
    attested.lake.spark.sql(statement.replace("clickstream_", attested.lake.name("clickstream_")))
    if statement.startswith("UPDATE"):
        attested.lake.spark.sql(f"DELETE FROM {attested.lake.name(SILVER)} WHERE uuid = '5'")

    result = attested.reconcile("--manifests", "")

    assert differences(result.account) == ["unaccounted"]
    assert any(named in sentence for sentence in result.named), result.named


@pytest.mark.spark
def test_a_kpi_that_counts_otherwise_fails_and_one_that_lags_does_not(attested: AttestedLake) -> None:
    attested.send("a", event(uuid="1"), event(uuid="2"))
    attested.ingest()
    attested.count()
    attested.send("b", event(uuid="3"))
    attested.ingest()
    assert attested.reconcile().account.differences == []
    table = attested.lake.name("event_geo_kpis_events")
    attested.lake.spark.sql(f"UPDATE {table} SET event_count = 3")

    account = attested.reconcile().account

    assert [str(check) for check in account.differences] == [
        "events in event_geo_kpis_events: 3 where 2 are expected"
    ]


@pytest.mark.spark
def test_a_kpi_table_is_compared_once_it_was_written_and_missed_from_then_on(attested: AttestedLake) -> None:
    attested.send("a", event(uuid="1"), event(uuid="2"))
    attested.ingest()
    first = attested.reconcile().account
    assert first.differences == []
    assert [kpi.counted for kpi in first.kpis] == [None, None, None]
    said = [label for label, _, _ in first.lines if "not compared" in label]
    assert len(said) == 3
    assert attested.metrics()["uncompared_sensor_health"] == (2.0, "none")
    attested.count()
    assert [kpi.counted for kpi in attested.reconcile().account.kpis] == [2, 2, 2]
    attested.lake.spark.sql(f"DROP TABLE {attested.lake.name('sensor_health')}")

    for option in ([], ["--full"]):
        account = attested.reconcile(*option).account
        assert [str(check) for check in account.differences] == [
            "events in sensor_health: 0 where 2 are expected"
        ]

    attested.count()
    assert attested.reconcile().account.differences == []


@pytest.mark.spark
def test_a_kpi_table_whose_snapshot_has_expired_is_held_against_the_events_of_now(
    attested: AttestedLake,
) -> None:
    attested.send("a", event(uuid="1"), event(uuid="2"))
    attested.ingest()
    attested.count()
    attested.send("b", event(uuid="3"))
    attested.ingest()
    attested.lake.spark.sql(
        f"CALL {names.SPARK_CATALOG}.system.expire_snapshots(table => '{attested.lake.database}.{SILVER}', "
        f"older_than => TIMESTAMP '{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}', retain_last => 1)"
    )

    account = attested.reconcile().account

    assert [(check.name, check.found, check.expected) for check in account.differences] == [
        (f"miscounted_{table}", 2, 3)
        for table in ("sensor_health", "event_geo_kpis_events", "_sensor_status")
    ]


@pytest.mark.spark
def test_what_retention_has_deleted_is_counted_and_no_longer_compared(attested: AttestedLake) -> None:
    attested.lake.deliver(
        "dt=2026-05-01/hour=12/old.parquet", event(uuid="old", timestamp=NOON - 86_400 * 31)
    )
    attested.send("a", event(uuid="1"))
    attested.ingest()
    name = attested.lake.name(SILVER)
    attested.lake.spark.sql(f"DELETE FROM {name} WHERE uuid = 'old'")
    property_value = '{"rows": 1, "before": "2026-05-02T03:00:00+00:00"}'
    attested.lake.spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('lakehouse.expired'='{property_value}')")

    account = attested.reconcile("--full").account

    assert (account.differences, account.expired, account.bronze) == ([], 1, 1)
