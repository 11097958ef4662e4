"""Taking back a bad publish: what was before is there again, and nothing else is lost."""

from __future__ import annotations

import pytest

from config.tables import TABLES
from emr_jobs.kpi_event_geo import KPI as EVENT_GEO
from emr_jobs.lake import publish as publishing
from emr_jobs.lake.errors import LakeError
from emr_jobs.lake.rollback import roll_back
from emr_jobs.roll_back import build_parser, restore
from tests.emr_jobs.test_incremental import require_truth, run_job
from tests.support.lake import NOON, Lake
from tests.support.silver import SPEC, Silver

pytestmark = pytest.mark.spark

A_DAY = 86_400
KPI = TABLES["event_geo_kpis_events"]


@pytest.fixture
def silver(lake: Lake) -> Silver:
    """An empty table of events."""
    return Silver.create(lake)


def test_events_are_as_before_and_incremental_readers_follow(silver: Silver) -> None:
    lake = silver.lake
    rows = [silver.event("a", NOON), silver.event("b", NOON + A_DAY)]
    good = silver.append(*rows)
    bad = [silver.append(silver.event("c", NOON)), silver.merge(silver.event("a", NOON, status="faulty"))]
    run_job(lake, EVENT_GEO)
    undone: list[int] = []

    published = roll_back(
        lake.spark,
        silver.name,
        SPEC,
        good,
        lambda snapshots: undone.extend(each.id for each in snapshots) or {"undone": str(len(snapshots))},
    )

    assert undone == bad[::-1]
    assert sorted(row["uuid"] for row in lake.rows("clickstream_events")) == ["a", "b"]
    properties = {row.key: row.value for row in lake.spark.sql(f"SHOW TBLPROPERTIES {silver.name}").collect()}
    assert properties["undone"] == "2"
    assert silver.current() == published.id
    assert set(run_job(lake, EVENT_GEO).work.values()) == {f"1 days touched since snapshot {bad[-1]}"}
    require_truth(lake, rows, EVENT_GEO)
    with pytest.raises(LakeError, match="is a rollback itself"):
        roll_back(lake.spark, silver.name, SPEC, bad[0])


def test_a_kpi_table_is_as_before_and_then_computed_anew(silver: Silver) -> None:
    lake = silver.lake
    rows = [silver.event("a", NOON), silver.event("b", NOON + A_DAY)]
    silver.append(rows[0])
    run_job(lake, EVENT_GEO)
    before, (*_, good) = lake.rows(KPI.name), lake.snapshots(KPI.name)
    silver.append(rows[1])
    run_job(lake, EVENT_GEO)

    roll_back(lake.spark, lake.name(KPI.name), KPI, good)

    assert lake.rows(KPI.name) == before
    assert "rolled back" in run_job(lake, EVENT_GEO).work[lake.name(KPI.name)]
    require_truth(lake, rows, EVENT_GEO)


def test_what_is_published_meanwhile_is_taken_back_too_or_not_lost(
    silver: Silver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rollback that loses the race starts over: it knows of every snapshot that it takes back."""
    good = silver.append(silver.event("a", NOON))
    silver.append(silver.event("b", NOON))
    undone: list[list[int]] = []

    def let_a_writer_go_first(point: str) -> None:
        if point.endswith("publish the branch"):
            monkeypatch.setattr(publishing, "commit_point", publishing.no_hook)
            silver.append(silver.event("c", NOON))

    monkeypatch.setattr(publishing, "commit_point", let_a_writer_go_first)
    roll_back(
        silver.lake.spark,
        silver.name,
        SPEC,
        good,
        lambda snapshots: undone.append([each.id for each in snapshots]) or {},
    )

    assert [len(snapshots) for snapshots in undone] == [1, 2]
    assert [row["uuid"] for row in silver.lake.rows("clickstream_events")] == ["a"]


def test_what_cannot_be_restored_is_refused(silver: Silver) -> None:
    spark = silver.lake.spark
    with pytest.raises(LakeError, match="never written to"):
        roll_back(spark, silver.name, SPEC, 1)
    first = silver.append(silver.event("a", NOON))
    with pytest.raises(LakeError, match="already"):
        roll_back(spark, silver.name, SPEC, first)
    silver.append(silver.event("b", NOON))
    silver.expire_all()
    with pytest.raises(LakeError, match="has expired"):
        roll_back(spark, silver.name, SPEC, first)
    with pytest.raises(LakeError, match="has expired or is not behind"):
        roll_back(spark, silver.name, SPEC, 12345)


def test_the_command_refuses_a_table_with_a_ledger_or_none(silver: Silver, lake: Lake) -> None:
    with pytest.raises(LakeError, match="There is no table"):
        restore(lake.spark, lake.database, KPI.name, 1)
    table = Silver(lake, KPI.name)
    silver.sql(
        f"CREATE TABLE {table.name} (x INT) USING iceberg TBLPROPERTIES ('lakehouse.ledger'='{{{{}}}}')"
    )
    with pytest.raises(LakeError, match="keeps a ledger"):
        restore(lake.spark, lake.database, KPI.name, 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["analytics", "typo", "/warehouse", "--to-snapshot", "1"], "'typo'"),
        (["analytics", "status_health", "/warehouse"], "--to-snapshot"),
        (["analytics", "status_health", "warehouse", "--to-snapshot", "1"], "not a folder"),
    ],
)
def test_wrong_arguments_exit_2(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        build_parser().parse_args(arguments)

    assert stop.value.code == 2
    assert said in capsys.readouterr().err
