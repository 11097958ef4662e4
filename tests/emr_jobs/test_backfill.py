"""Backfill on real Spark and Iceberg: nothing where nothing differs, right again where something does."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from config.events import RejectReason
from config.jobs import BACKFILL, Bundle, spark_submit_arguments
from config.project_config import Settings
from emr_jobs import backfill, replay_quarantine, roll_back
from emr_jobs.backfill import BackfillReport, build_parser, lines_of
from emr_jobs.edge.kpis import KPIS, update_all
from emr_jobs.lake.errors import LakeError
from emr_jobs.transforms import recomputed, validity
from tests.emr_jobs.test_incremental import require_truth
from tests.support.attested import NOW, QUARANTINE, SILVER, AttestedLake, overtaken_while_settling
from tests.support.lake import NOON, Lake, event

pytestmark = pytest.mark.spark

A_DAY = 86_400
LATER = NOW + timedelta(days=4)
DAYS = ("--first-day", "2026-05-31", "--last-day", "2026-06-01")


def run(lake: Lake, *options: str) -> BackfillReport:
    """Run the job as its command line would."""
    parsed = build_parser().parse_args([*lake.arguments(SILVER), *(options or DAYS)])
    return backfill.run(lake.spark, parsed, LATER)


def state(lake: Lake) -> list[Any]:
    """Snapshots and rows of all tables."""
    tables = sorted(row.tableName for row in lake.spark.sql(f"SHOW TABLES IN glue.{lake.database}").collect())
    return [(table, lake.snapshots(table), lake.rows(table)) for table in tables]


@pytest.fixture
def attested(lake: Lake) -> AttestedLake:
    """Two days of events with copies, a conflict, rejects and a replayed correction: counted, reconciled."""
    attested = AttestedLake(lake)
    attested.send("b", event(uuid="1"), event(uuid="1"), event(uuid="2", humidity=101.0), event(uuid="3"))
    attested.send("c", event(uuid="3", status="faulty"), event(uuid="4", timestamp=NOON - A_DAY))
    attested.send("d", event(uuid="5", temperature=80.0), event(uuid="1"), event(uuid="6", timestamp=None))
    attested.fail("x-1", b"{torn")
    attested.ingest(LATER)
    correct(lake, event(uuid="2", humidity=10.0))
    update_all(lake.spark, SILVER, lake.database, str(lake.warehouse))
    return attested


def correct(lake: Lake, event: dict[str, Any]) -> None:
    """Replay the entry of this uuid with a correction."""
    (entry,) = (row for row in lake.rows(QUARANTINE) if f'"uuid":"{event["uuid"]}"' in row["raw"])
    file = lake.bronze.parent / "corrections.jsonl"
    position = {name: entry[name] for name in ("source_file", "source_row")}
    file.write_text(json.dumps({**position, "event": event}))
    options = [*lake.arguments(SILVER), "--correction", str(file)]
    replay_quarantine.run(lake.spark, replay_quarantine.build_parser().parse_args(options), NOW)


def test_damage_is_shown_and_mended_to_what_was(attested: AttestedLake) -> None:
    """Rows were lost, changed, doubled and made up by other hands."""
    lake, name = attested.lake, attested.lake.name(SILVER)
    whole = lake.rows(SILVER)
    lake.spark.sql(f"DELETE FROM {name} WHERE uuid = '1'")
    lake.spark.sql(f"UPDATE {name} SET status = 'faulty' WHERE uuid = '3'")
    lake.spark.sql(f"INSERT INTO {name} SELECT * FROM {name} WHERE uuid = '2'")
    update_all(lake.spark, SILVER, lake.database, str(lake.warehouse))
    damaged = state(lake)

    shown = run(lake)

    assert state(lake) == damaged
    (day,) = shown.days
    assert (f"{day.day}", day.before, day.after) == ("2026-06-01", 3, 3)
    assert (day.added, day.removed, day.changed) == (1, 1, 1)
    text = "\n".join(lines_of(shown))
    assert "Would change (nothing was written)" in text
    assert "sensor_id=42: faulty_count 1 -> 0, total_count 3 -> 4, faulty_pct 33.33 -> 0.0" in text
    assert "latitude=52.52 longitude=13.405: goes" in text

    applied = run(lake, *DAYS, "--apply")

    assert applied.days == shown.days
    anew = {"ingested_at": LATER.replace(tzinfo=None)}
    right = [{**row, **(anew if row["uuid"] in ("1", "3") else {})} for row in whole]
    assert lake.rows(SILVER) == right
    require_truth(lake, whole, *KPIS)
    assert attested.reconcile("--full").account.differences == []
    mended = state(lake)
    again = run(lake, *DAYS, "--apply")
    assert list(lines_of(again)) == ["Nothing differs from what bronze says."]
    assert set(again.work.values()) == {"up to date"}
    assert state(lake) == mended


def test_other_rules_move_rows_between_silver_and_quarantine(
    attested: AttestedLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """80 degrees are right after all, and the status faulty is not: then the rules are as before again."""
    lake = attested.lake
    before = sorted((row["uuid"], row["status"]) for row in lake.rows(SILVER))
    rules = validity._rules()

    def other_rules() -> dict[RejectReason, Any]:
        faulty = validity.F.col("status") == "faulty"
        return {**rules, RejectReason.TEMPERATURE_RANGE: faulty}

    assert recomputed.with_reject_reason is validity.with_reject_reason
    with monkeypatch.context() as patch:
        patch.setattr(validity, "_rules", other_rules)
        report = run(lake, *DAYS, "--apply")

    assert report.entries_added == {"temperature_out_of_range": 1}
    assert report.entries_done == 1
    assert sorted(row["uuid"] for row in lake.rows(SILVER)) == ["1", "2", "3", "4", "5"]
    assert attested.reconcile("--full").account.differences == []

    run(lake, *DAYS, "--apply")

    assert sorted((row["uuid"], row["status"]) for row in lake.rows(SILVER)) == before
    account = attested.reconcile("--full").account
    assert (account.differences, account.silver, account.duplicates) == ([], 4, 2)
    require_truth(lake, lake.rows(SILVER), *KPIS)


def test_what_cannot_be_computed_anew_is_refused(lake: Lake) -> None:
    attested, name = AttestedLake(lake), lake.name(SILVER)
    attested.send("c", event(uuid="1"))
    attested.send("d", event(uuid="2"))
    attested.ingest(LATER)
    with pytest.raises(LakeError, match="2026-06-04 is still being written"):
        run(lake, "--first-day", "2026-06-01", "--last-day", "2026-06-04")
    (lake.bronze / "dt=2026-06-01/hour=12/c.parquet").unlink()
    with pytest.raises(LakeError, match=r"would lose them: .*c\.parquet"):
        run(lake)
    lake.spark.sql(f"ALTER TABLE {name} DROP PARTITION FIELD days(event_time)")
    with pytest.raises(LakeError, match="not partitioned by days"):
        run(lake)


def test_a_compaction_of_quarantine_hides_nothing_of_what_was_done(
    attested: AttestedLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = validity._rules()
    right_after_all = {RejectReason.TEMPERATURE_RANGE: validity.F.lit(False)}
    monkeypatch.setattr(validity, "_rules", lambda: {**rules, **right_after_all})

    with overtaken_while_settling(attested.lake):
        report = run(attested.lake, *DAYS, "--apply")

    assert [(f"{day.day}", day.added) for day in report.days] == [("2026-06-01", 1)]
    assert report.entries_done == 1


def test_what_a_rollback_took_out_is_left_to_ingest(lake: Lake) -> None:
    """Also what was corrected there: the entry comes anew with its file."""
    attested = AttestedLake(lake)
    attested.send("a", event(uuid="1"))
    attested.ingest(LATER)
    good = lake.snapshots(SILVER)[-1]
    attested.send("b", event(uuid="2", humidity=101.0))
    attested.ingest(LATER)
    correct(lake, event(uuid="2"))
    roll_back.restore(lake.spark, lake.database, SILVER, good)

    assert run(lake, *DAYS, "--apply").days == ()
    attested.ingest(LATER)

    account = attested.reconcile("--full").account
    assert (account.differences, account.silver, account.quarantined) == ([], 1, 1)


def test_days_of_which_retention_has_deleted_copies_are_refused(attested: AttestedLake) -> None:
    """The copy that counts may have expired while a duplicate of it has not."""
    lake = attested.lake
    expired = """('lakehouse.expired'='{"rows": 1, "before": "2026-05-30T05:00:00+00:00"}')"""
    lake.spark.sql(f"ALTER TABLE {lake.name(SILVER)} SET TBLPROPERTIES {expired}")

    with pytest.raises(LakeError, match="what arrived before 2026-05-31; days from 2026-06-01 on"):
        run(lake)
    assert run(lake, "--first-day", "2026-06-01", "--last-day", "2026-06-01").days == ()


def test_without_tables_it_says_what_to_do(lake: Lake) -> None:
    with pytest.raises(LakeError, match="ingest_events has to run first"):
        run(lake)


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (["--first-day", "2026-06-02", "--last-day", "2026-06-01"], "1 to 366 days are possible, not 0"),
        (["--first-day", "2020-06-02", "--last-day", "2026-06-01"], "not 2191"),
        (["--first-day", "yesterday", "--last-day", "2026-06-01"], "yesterday"),
        ([], "required"),
    ],
)
def test_a_bad_range_is_refused(days: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        backfill.main(["s3://b/", "analytics", SILVER, "s3://i/", *days])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


def test_the_command_line_is_that_of_every_step() -> None:
    settings = Settings("a-bronze", "an-iceberg", "scripts", "logs")
    step = spark_submit_arguments(BACKFILL, settings, Bundle("s3://s/b/"), *DAYS)
    parsed = build_parser().parse_args(step[step.index("s3://s/b/backfill.py") + 1 :])
    assert (parsed.table, parsed.apply, f"{parsed.last_day}") == (SILVER, False, "2026-06-01")
