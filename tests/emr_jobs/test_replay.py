"""Replay of quarantine on real Spark and Iceberg: corrected, again, killed, contradicting; all reconciles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from config.jobs import REPLAY_QUARANTINE, Bundle, spark_submit_arguments
from config.project_config import Settings
from emr_jobs import replay_quarantine
from emr_jobs.lake.errors import LakeError
from emr_jobs.lake.replay import ReplayReport, parse_corrections
from tests.support.attested import (
    HOUR,
    NOW,
    QUARANTINE,
    SILVER,
    AttestedLake,
    killed_at,
    overtaken_while_settling,
)
from tests.support.lake import Lake, event


@pytest.fixture
def attested(lake: Lake) -> AttestedLake:
    """A lake with manifests, empty."""
    return AttestedLake(lake)


def replay(lake: Lake, *options: str) -> ReplayReport:
    """Run the job as its command line would."""
    parsed = replay_quarantine.build_parser().parse_args([*lake.arguments(SILVER), *options])
    return replay_quarantine.run(lake.spark, parsed, NOW)


def corrections(lake: Lake, *events: tuple[str, int, dict[str, Any]]) -> str:
    """A file of corrections: the end of the entry's file, its row, the event."""
    files = {row["source_file"] for row in lake.rows(QUARANTINE)}
    lines = []
    for ending, row, corrected in events:
        (file,) = (file for file in files if file.endswith(ending))
        lines.append(json.dumps({"source_file": file, "source_row": row, "event": corrected}))
    path = Path(lake.bronze.parent / "corrections.jsonl")
    path.write_text("\n".join(lines))
    return str(path)


def test_the_command_line_is_that_of_every_step() -> None:
    settings = Settings("a-bronze", "an-iceberg", "scripts", "logs")
    step = spark_submit_arguments(REPLAY_QUARANTINE, settings, Bundle("s3://s/b/"), "--reason", "not_finite")
    script = step.index("s3://s/b/replay_quarantine.py")
    parsed = replay_quarantine.build_parser().parse_args(step[script + 1 :])
    assert (parsed.table, parsed.reason) == (SILVER, ["not_finite"])


def test_without_a_choice_it_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        replay_quarantine.main(["s3://b/", "analytics", SILVER, "s3://i/"])
    assert "choose entries: --reason" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["{", "[]", '{"source_file": "f", "source_row": 1, "event": {"uuid": 7}}'])
def test_a_correction_that_is_none_is_named_by_its_line(line: str) -> None:
    good = json.dumps({"source_file": "f", "source_row": 0, "event": event()})
    with pytest.raises(LakeError, match="line 3 of the corrections"):
        parse_corrections([good, "", line])


@pytest.mark.spark
def test_corrected_entries_become_events_once_and_keep_their_history(attested: AttestedLake) -> None:
    lake = attested.lake
    attested.send("b", event(uuid="1"), event(uuid="2", humidity=101.0), event(uuid="3", humidity=102.0))
    attested.send("c", event(uuid="4", status=None), event(uuid="1", humidity=103.0))
    attested.fail("x-1", b"{torn")
    attested.ingest()
    file = corrections(
        lake,
        ("b.parquet", 1, event(uuid="2", humidity=99.0)),  # an event of its own
        ("b.parquet", 2, event(uuid="3", humidity=120.0)),  # still invalid
        ("c.parquet", 0, event(uuid="1")),  # a duplicate
        ("c.parquet", 1, event(uuid="1", humidity=3.0)),  # contradicts
        ("x-1", 0, event(uuid="5")),  # what did not parse
    )

    for fatal in ("clickstream_events: publish the branch", "clickstream_events: published"):
        with killed_at(fatal):
            replay(lake, "--correction", file)
        assert attested.reconcile().account.differences == []
    again = replay(lake, "--correction", file)

    assert (again.replayed, again.refused) == (0, {"humidity_out_of_range": 1, "uuid_conflict": 1})
    entries = {(row["source_file"][-9:], row["source_row"]): row for row in lake.rows(QUARANTINE)}
    states = {key[1:]: row["state"] for key, row in entries.items() if key[0].endswith("b.parquet")}
    assert states == {(1,): "replayed", (2,): "open"}
    done = entries["b.parquet", 1]
    assert (done["replayed_at"], json.loads(done["raw"])["humidity"]) == (NOW.replace(tzinfo=None), 101.0)
    assert json.loads(done["correction"])["humidity"] == 99.0
    assert sorted(row["uuid"] for row in lake.rows(SILVER)) == ["1", "2", "5"]
    account = attested.reconcile("--full").account
    assert (account.differences, account.silver, account.quarantined, account.duplicates) == ([], 3, 2, 1)


@pytest.mark.spark
def test_a_replayed_copy_at_a_smaller_position_takes_the_events_place(attested: AttestedLake) -> None:
    lake = attested.lake
    attested.send("a", event(uuid="1", humidity=101.0))
    attested.send("b", event(uuid="1", humidity=50.0))
    attested.ingest()
    lake.deliver(f"{HOUR}/a0.parquet", event(uuid="2", humidity=101.0))

    report = replay(lake, "--correction", corrections(lake, ("a.parquet", 0, event(uuid="1", humidity=10.0))))

    assert (report.replayed, report.events) == (1, 0)
    assert [row["humidity"] for row in lake.rows(SILVER)] == [10.0]
    assert {row["reason"]: row["state"] for row in lake.rows(QUARANTINE)} == {
        "humidity_out_of_range": "replayed",
        "uuid_conflict": "open",
    }
    attested.ingest()
    assert attested.reconcile("--full", "--manifests", "").account.differences == []


@pytest.mark.spark
def test_an_entry_is_chosen_only_once_its_file_is_in(attested: AttestedLake) -> None:
    """An ingest that was killed has left it: the file will be read again, and the entry with it."""
    lake = attested.lake
    attested.send("b", event(uuid="1"))
    attested.ingest()
    attested.send("c", event(uuid="2", humidity=101.0))
    with killed_at(f"{QUARANTINE}: published"):
        attested.ingest()
    file = corrections(lake, ("c.parquet", 0, event(uuid="2")))

    early = replay(lake, "--correction", file)
    attested.ingest()

    assert (early.chosen, early.awaiting) == (0, 1)
    assert [row["uuid"] for row in lake.rows(SILVER)] == ["1"]
    assert attested.reconcile("--full").account.differences == []
    assert replay(lake, "--correction", file) == ReplayReport(chosen=1, replayed=1, events=1)
    assert attested.reconcile("--full").account.differences == []


@pytest.mark.spark
def test_a_compaction_of_quarantine_costs_no_second_replay(attested: AttestedLake) -> None:
    attested.send("b", event(uuid="1", humidity=101.0))
    attested.ingest()
    file = corrections(attested.lake, ("b.parquet", 0, event(uuid="1")))

    with overtaken_while_settling(attested.lake):
        report = replay(attested.lake, "--correction", file)

    assert report == ReplayReport(chosen=1, replayed=1, events=1)
    assert [row["state"] for row in attested.lake.rows(QUARANTINE)] == ["replayed"]
