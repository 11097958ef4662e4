"""Taking back a bad publish: what was before is there again, and nothing else is lost."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from config.tables import TABLES
from emr_jobs import replay_quarantine
from emr_jobs.kpi_event_geo import KPI as EVENT_GEO
from emr_jobs.lake import publish as publishing
from emr_jobs.lake.errors import LakeError
from emr_jobs.lake.ingest import IngestReport
from emr_jobs.lake.rollback import roll_back
from emr_jobs.roll_back import build_parser, restore
from tests.emr_jobs.test_incremental import require_truth, run_job
from tests.support.attested import NOW, AttestedLake
from tests.support.lake import NOON, Lake, event
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


def test_the_command_refuses_a_table_that_is_not_there_or_follows_another(lake: Lake) -> None:
    for table in (KPI.name, "clickstream_events"):
        with pytest.raises(LakeError, match="There is no table"):
            restore(lake.spark, lake.database, table, 1)
    with pytest.raises(LakeError, match="clickstream_quarantine follows clickstream_events"):
        restore(lake.spark, lake.database, "clickstream_quarantine", 1)


def test_events_and_quarantine_are_as_before_and_the_files_come_again(lake: Lake) -> None:
    """Two ingests and a replay are taken back, with what they had displaced, superseded and rejected."""
    attested = AttestedLake(lake)
    attested.send("b", event(temperature=1.0), event(temperature=2.0), event(uuid="x", humidity=101.0))
    attested.ingest()
    before = tables(lake)
    good = lake.snapshots("clickstream_events")[-1]
    attested.send("a", event(temperature=2.0), event(temperature=3.0), event(uuid="y", humidity=101.0))
    attested.ingest()
    attested.send("c", event(uuid="z"), event(uuid="z"))
    attested.ingest()
    attested.count()
    bad = tables(lake)
    replay_x(attested)
    assert tables(lake) != bad != before

    restore(lake.spark, lake.database, "clickstream_events", good)

    assert tables(lake) == before
    account = attested.reconcile("--full").account
    assert (account.awaiting, account.silver, account.quarantined, account.duplicates) == (5, 1, 2, 0)
    assert account.differences == []
    attested.ingest()
    attested.count()
    assert tables(lake) == bad
    assert attested.reconcile("--full").account.differences == []


def test_a_step_within_a_publish_is_no_state_to_go_back_to(lake: Lake) -> None:
    """A copy displaces the event and another event comes: the publish takes two commits to its branch."""
    attested = AttestedLake(lake)
    attested.send("b", event())
    attested.ingest()
    attested.send("a", event(temperature=1.5), event(uuid="x"))
    attested.ingest()
    history = lake.spark.table(f"{lake.name('clickstream_events')}.history").collect()
    steps = set(lake.snapshots("clickstream_events")) - {row.snapshot_id for row in history}
    assert len(history) == 2
    assert steps

    for step in steps:
        with pytest.raises(LakeError, match=f"snapshot {step} was never published"):
            restore(lake.spark, lake.database, "clickstream_events", step)
    assert len(lake.rows("clickstream_events")) == 2


def test_a_file_that_was_taken_away_stays_owed_and_stops_nobody(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    """Its hour is closed by then; it is taken in should it come back."""
    attested, later = AttestedLake(lake), NOW + timedelta(days=10)
    attested.send("a", event())
    attested.ingest()
    good = lake.snapshots("clickstream_events")[-1]
    bad = attested.send("b", event(uuid="b"))
    lake.deliver("dt=2026-06-08/hour=00/c.parquet", event(uuid="c"))
    attested.ingest(later)
    restore(lake.spark, lake.database, "clickstream_events", good)
    away = bad.rename(lake.bronze.parent / "b.parquet")

    report = attested.ingest(later)

    assert (report.files, report.gone) == (1, 1)
    assert "1 files that a rollback took out are no longer there" in caplog.text
    assert bad.name in caplog.text
    assert attested.ingest(later) == IngestReport(gone=1)
    away.rename(bad)
    assert (attested.ingest(later).files, attested.ingest(later)) == (1, IngestReport())
    assert len(lake.rows("clickstream_events")) == 3


def tables(lake: Lake) -> tuple[list[tuple[str, float]], list[tuple[str, int, str]]]:
    """What counts: the events, and the open entries."""
    events = sorted((row["uuid"], row["temperature"]) for row in lake.rows("clickstream_events"))
    entries = lake.rows("clickstream_quarantine")
    is_open = (row for row in entries if row["state"] == "open")
    return events, sorted((row["source_file"][-9:], row["source_row"], row["reason"]) for row in is_open)


def replay_x(attested: AttestedLake) -> None:
    """Replay the entry of the event x with a correction."""
    lake = attested.lake
    (entry,) = (row for row in lake.rows("clickstream_quarantine") if '"x"' in row["raw"])
    position = {name: entry[name] for name in ("source_file", "source_row")}
    file = lake.bronze.parent / "corrections.jsonl"
    file.write_text(json.dumps({**position, "event": event(uuid="x")}))
    options = [*lake.arguments("clickstream_events"), "--correction", str(file)]
    replay_quarantine.run(lake.spark, replay_quarantine.build_parser().parse_args(options))


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
