"""Erasure of a sensor: gone from all tables, never back, and everything still adds up."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from config.jobs import ERASE_SENSOR, Bundle, spark_submit_arguments
from config.project_config import Settings
from emr_jobs import backfill, erase_sensor, replay_quarantine, roll_back
from emr_jobs.edge.kpis import KPIS, update_all
from emr_jobs.lake.erasure import ErasureReport
from emr_jobs.lake.errors import LakeError
from tests.emr_jobs.test_incremental import require_truth
from tests.support.attested import NOW, QUARANTINE, SILVER, AttestedLake, killed_at, overtaken_while_settling
from tests.support.lake import NOON, Lake, event

LATER = NOW + timedelta(days=4)
GONE = 7
A_DAY = 86_400


def erase(lake: Lake, *options: str) -> ErasureReport:
    """Run the job as its command line would."""
    arguments = [*lake.arguments(SILVER), "--sensor-id", str(GONE), *options]
    return erase_sensor.run(lake.spark, erase_sensor.build_parser().parse_args(arguments), LATER)


@pytest.mark.spark
def test_an_erased_sensor_is_gone_for_good(lake: Lake) -> None:
    attested = AttestedLake(lake)
    attested.send(
        "b",
        event(uuid="1", sensor_id=GONE),
        event(uuid="1", sensor_id=GONE),  # a duplicate
        event(uuid="1", sensor_id=8),  # in conflict with what is erased: an event after it
        event(uuid="2"),
        event(uuid="2", sensor_id=GONE),  # a conflict that is erased
        event(uuid="3", sensor_id=GONE, humidity=101.0),
        event(uuid=None, sensor_id=GONE),
    )
    attested.fail("x-1", json.dumps({"sensor_id": GONE, "humidity": "wet"}).encode(), b"{torn")
    attested.ingest()
    update_all(lake.spark, SILVER, lake.database, str(lake.warehouse))
    before = lake.snapshots(SILVER), lake.snapshots(QUARANTINE)

    counted = erase(lake)

    assert (counted.events, counted.entries, counted.promoted) == (1, 4, 1)
    assert (lake.snapshots(SILVER), lake.snapshots(QUARANTINE)) == before

    with killed_at(f"{SILVER}: published"):
        erase(lake, "--apply")
    assert attested.reconcile("--full").account.differences == []
    erase(lake, "--apply")

    attested.send("a", event(uuid="1", sensor_id=GONE), event(uuid="4", sensor_id=GONE, humidity=102.0))
    attested.fail("x-2", json.dumps({"sensor_id": GONE, "temperature": "warm"}).encode())
    new = event(uuid="9", sensor_id=GONE, timestamp=NOON + 6 * A_DAY)
    lake.deliver("dt=2026-06-08/hour=00/new.parquet", new)
    attested.ingest(LATER + timedelta(days=3))
    days = ["--first-day", "2026-06-01", "--last-day", "2026-06-01", "--apply"]
    again = backfill.build_parser().parse_args([*lake.arguments(SILVER), *days])
    assert backfill.run(lake.spark, again, LATER).days == ()
    chosen = replay_quarantine.build_parser().parse_args([*lake.arguments(SILVER), "--uuid", "3"])
    assert replay_quarantine.run(lake.spark, chosen, LATER).chosen == 0

    found = lake.rows(SILVER)
    assert {(row["uuid"], row["sensor_id"]) for row in found} == {("1", 8), ("2", 42), ("9", GONE)}
    assert [row["raw"] for row in lake.rows(QUARANTINE) if f'"sensor_id":{GONE},' in row["raw"]] == []
    account = attested.reconcile("--full").account
    assert account.differences == []
    assert (account.silver, account.duplicates, account.erased) == (3, 1, 8)
    require_truth(lake, found, *KPIS)
    with pytest.raises(LakeError, match="is an erasure"):
        roll_back.restore(lake.spark, lake.database, SILVER, before[0][-1])


@pytest.mark.spark
def test_what_a_killed_ingest_has_left_is_deleted_and_not_counted(lake: Lake) -> None:
    """Its files are read again, and their rows counted then."""
    attested = AttestedLake(lake)
    attested.send("b", event(uuid="1", sensor_id=GONE), event(uuid="2", sensor_id=GONE))
    attested.ingest()
    attested.send("a", event(uuid="1", sensor_id=8))  # displaces an event, which comes into conflict
    attested.send("c", event(uuid="2", sensor_id=8), event(uuid="3", sensor_id=GONE, humidity=101.0))
    with killed_at(f"{QUARANTINE}: published"):
        attested.ingest()

    with overtaken_while_settling(lake):
        report = erase(lake, "--apply")

    assert (report.events, report.entries, report.promoted) == (2, 1, 0)
    assert [row["raw"] for row in lake.rows(QUARANTINE) if f'"sensor_id":{GONE},' in row["raw"]] == []
    attested.ingest()
    account = attested.reconcile("--full").account
    assert (account.differences, account.silver, account.quarantined, account.erased) == ([], 2, 0, 3)


@pytest.mark.spark
def test_what_only_a_correction_says_is_erased_too(lake: Lake) -> None:
    """One entry was replayed; another's correction came into conflict, and the entry is still open."""
    attested = AttestedLake(lake)
    attested.send("b", event(uuid="1", sensor_id=None), event(uuid="2", sensor_id=None), event(uuid="3"))
    attested.ingest()
    lines = [
        json.dumps({**position(entry), "event": event(uuid=json.loads(entry["raw"])["uuid"], sensor_id=GONE)})
        for entry in lake.rows(QUARANTINE)
    ]
    file = lake.bronze.parent / "corrections.jsonl"
    file.write_text(lines[0])
    chosen = [*lake.arguments(SILVER), "--correction", str(file)]
    replay_quarantine.run(lake.spark, replay_quarantine.build_parser().parse_args(chosen), NOW)
    file.write_text(lines[1])
    with killed_at(f"{SILVER}: create the branch"):
        replay_quarantine.run(lake.spark, replay_quarantine.build_parser().parse_args(chosen), NOW)

    report = erase(lake, "--apply")

    assert (report.events, report.entries) == (1, 2)
    assert [row for row in lake.rows(QUARANTINE) if f'"sensor_id":{GONE},' in (row["correction"] or "")] == []
    assert attested.reconcile("--full", "--manifests", "").account.differences == []
    days = ["--first-day", "2026-06-01", "--last-day", "2026-06-01", "--apply"]
    backfill.run(lake.spark, backfill.build_parser().parse_args([*lake.arguments(SILVER), *days]), LATER)
    account = attested.reconcile("--full", "--manifests", "").account
    assert (account.differences, account.silver, account.quarantined, account.erased) == ([], 1, 0, 2)


def position(entry: dict[str, Any]) -> dict[str, Any]:
    """Of an entry, as corrections name it."""
    return {name: entry[name] for name in ("source_file", "source_row")}


def test_the_command_line_is_that_of_every_step(capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings("a-bronze", "an-iceberg", "scripts", "logs")
    step = spark_submit_arguments(ERASE_SENSOR, settings, Bundle("s3://s/b/"), "--sensor-id", "7")
    parsed = erase_sensor.build_parser().parse_args(step[step.index("s3://s/b/erase_sensor.py") + 1 :])
    assert (parsed.table, parsed.sensor_id, parsed.apply) == (SILVER, 7, False)
    with pytest.raises(SystemExit):
        erase_sensor.main(["s3://b/", "analytics", SILVER, "s3://i/"])
    assert "--sensor-id" in capsys.readouterr().err
