"""Ingest on real Spark and Iceberg: against DuckDB, again, in any order, killed, raced, failing its audit."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F  # noqa: N812

from config.events import RejectReason
from emr_jobs import ingest_events
from emr_jobs.ingest_events import build_parser
from emr_jobs.lake import findings as findings_module
from emr_jobs.lake import publish as publishing
from emr_jobs.lake.commits import FILES_PROPERTY
from emr_jobs.lake.errors import AuditError
from emr_jobs.lake.ingest import IngestReport
from emr_jobs.lake.ledger import PROPERTY, Ledger
from emr_jobs.lake.tables import load_table
from emr_jobs.transforms import validity
from tests.support.attested import Killed, killed_at, overtaken_while_settling
from tests.support.lake import NOON, Lake, event
from tests.support.lake_truth import lake_truth

pytestmark = pytest.mark.spark

NOW = datetime(2026, 6, 2, 3, tzinfo=UTC)
SILVER, QUARANTINE = "clickstream_events", "clickstream_quarantine"
_SECONDS = count()
HOUR = "dt=2026-06-01/hour=12"


def failures_of(lake: Lake) -> Path:
    return lake.bronze.parent / "errors"


def ingest(lake: Lake) -> IngestReport:
    """Run the job as its command line would, each time a second later."""
    now = NOW + timedelta(seconds=next(_SECONDS))
    options = [*lake.arguments(SILVER), "--conversion-errors", str(failures_of(lake))]
    return ingest_events.run(lake.spark, build_parser().parse_args(options), now)


def ledger(lake: Lake) -> Ledger:
    table = load_table(lake.spark, lake.name(SILVER))
    table.refresh()
    return Ledger.from_json(table.properties().get(PROPERTY))


def positions(rows: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return sorted((row["source_file"], row["source_row"]) for row in rows)


def assert_true(lake: Lake) -> None:
    """Silver, quarantine and the count of duplicates are what DuckDB says of the bronze files."""
    truth = lake_truth(lake.bronze)
    entries = [row for row in lake.rows(QUARANTINE) if row["state"] == "open"]
    quarantine = [row for row in entries if "/errors/" not in row["source_file"]]
    conflicts = [row for row in quarantine if row["reason"] == "uuid_conflict"]
    known = ledger(lake)
    assert positions(lake.rows(SILVER)) == sorted(truth.events)
    assert positions(conflicts) == sorted(truth.conflicts)
    assert len(quarantine) - len(conflicts) == truth.rejected
    assert dict(known.duplicates) == truth.duplicates
    assert known.is_settled


def copies(rng: random.Random, number: int) -> list[dict[str, Any]]:
    """Events of few identities and contents, some of them invalid."""
    return [
        event(
            uuid=f"e{rng.randrange(12)}",
            timestamp=NOON - 86_400 * rng.randrange(3),
            temperature=rng.choice([None, -0.0, 0.0, 20.5]),
            humidity=rng.choice([40.0, 40.0, 40.0, 101.0]),
            status=rng.choice(["active", "active", None]) if rng.random() < 0.2 else "active",
        )
        for _ in range(number)
    ]


@contextmanager
def hook(monkeypatch: pytest.MonkeyPatch, action: Any) -> Iterator[None]:
    """Call ``action`` with the name of each commit point."""
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "commit_point", action)
        yield


def test_every_row_is_an_event_a_duplicate_or_in_quarantine(lake: Lake) -> None:
    rng = random.Random(5)
    lake.deliver(f"{HOUR}/b.parquet", *copies(rng, 30))
    first = ingest(lake)
    assert_true(lake)
    lake.deliver("dt=2026-06-01/hour=13/a.parquet", *copies(rng, 30))
    lake.deliver(f"{HOUR}/a.parquet", *copies(rng, 30))  # late, and before all others by name

    second = ingest(lake)

    assert_true(lake)
    assert (first.files, second.files) == (1, 2)
    assert second.duplicates > 0
    assert first.rows == first.events + first.duplicates + sum(first.quarantined.values()) == 30
    [row] = [row for row in lake.rows(SILVER) if row["source_file"].endswith("12/a.parquet")][:1]
    assert row["event_time"].replace(tzinfo=UTC).timestamp() == row["timestamp"]
    assert row["arrival_hour"] == datetime(2026, 6, 1, 12)
    last = load_table(lake.spark, lake.name(SILVER)).currentSnapshot().summary()
    assert sum(map(len, json.loads(last[FILES_PROPERTY]).values())) == 2


def test_nothing_new_commits_and_reads_nothing(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    delivered = lake.deliver(f"{HOUR}/a.parquet", event(), event(uuid="b", status=None))
    ingest(lake)
    before = lake.snapshots(SILVER), lake.snapshots(QUARANTINE)
    delivered.write_bytes(b"not to be read again")
    passed: list[str] = []

    with hook(monkeypatch, passed.append):
        report = ingest(lake)

    assert report == IngestReport()
    assert passed == []
    assert (lake.snapshots(SILVER), lake.snapshots(QUARANTINE)) == before


def test_rejected_rows_are_kept_with_reason_and_content(lake: Lake) -> None:
    lake.deliver(
        f"{HOUR}/a.parquet", event(humidity=101.0), event(temperature=float("nan")), event(uuid=None)
    )

    ingest(lake)

    rows = lake.rows(QUARANTINE, ["source_row"])
    assert [row["reason"] for row in rows] == ["humidity_out_of_range", "not_finite", "missing_field"]
    assert json.loads(rows[0]["raw"]) == event(humidity=101.0)
    assert json.loads(rows[1]["raw"])["temperature"] == "NaN"
    assert {row["state"] for row in rows} == {"open"}
    assert lake.rows(SILVER) == []


def test_failed_conversions_are_kept_with_code_and_bytes(lake: Lake) -> None:
    raw = fail(lake, HOUR, b"\xff{not json", b"{torn")

    assert ingest(lake).quarantined == {
        "DataFormatConversion.ParseError": 1,
        "unreadable_failure_document": 1,
    }
    assert ingest(lake).files == 0

    rows = lake.rows(QUARANTINE, ["source_row"])
    assert [row["reason"] for row in rows] == [
        "DataFormatConversion.ParseError",
        "unreadable_failure_document",
    ]
    assert rows[0]["raw"] == raw
    assert base64.b64decode(rows[1]["raw"]) == b"{torn"
    assert rows[0]["arrival_hour"] == datetime(2026, 6, 1, 12)


def test_without_bronze_the_tables_are_created_empty(lake: Lake) -> None:
    assert ingest(lake) == IngestReport()
    assert lake.rows(SILVER) == lake.rows(QUARANTINE) == []


def test_compaction_and_expiry_forget_nothing(lake: Lake) -> None:
    for number in range(3):
        lake.deliver(f"{HOUR}/{number}.parquet", event(uuid=f"e{number}"))
        ingest(lake)
    catalog = lake.name(SILVER).partition(".")[0]
    table = f"{lake.database}.{SILVER}"
    lake.spark.sql(
        f"CALL {catalog}.system.rewrite_data_files(table => '{table}', options => map('rewrite-all', 'true'))"
    )
    load_table(lake.spark, lake.name(SILVER)).expireSnapshots().expireOlderThan(
        int(datetime.now(UTC).timestamp() * 1000)
    ).retainLast(1).commit()
    assert len(lake.snapshots(SILVER)) == 1

    assert ingest(lake) == IngestReport()
    lake.deliver(f"{HOUR}/3.parquet", event(uuid="e3"), event(uuid="e0"))
    ingest(lake)

    assert_true(lake)


def test_the_ledger_forgets_what_can_no_longer_change(lake: Lake) -> None:
    lake.deliver("dt=2026-05-01/hour=00/old.parquet", event(uuid="old", timestamp=NOON - 86_400 * 31))
    lake.deliver(f"{HOUR}/a.parquet", event())
    ingest(lake)

    known = ledger(lake)
    assert known.closed == "2026-05-30T12"
    assert [file.rpartition("/")[2] for file in known.taken] == ["a.parquet"]
    assert ingest(lake) == IngestReport()


TO_PUBLISH = (
    f"{QUARANTINE}: create the branch",
    f"{QUARANTINE}: write on the branch",
    f"{QUARANTINE}: publish the branch",
    f"{QUARANTINE}: published",
    f"{SILVER}: create the branch",
    f"{SILVER}: write on the branch",
    f"{SILVER}: append to the branch",
    f"{SILVER}: publish the branch",
    f"{SILVER}: published",
)
TO_RETIRE = tuple(point for point in TO_PUBLISH if "append" not in point)


@pytest.mark.aws
def test_killed_at_every_commit_point_and_run_again(glue_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """One delivery, whose ingest is killed at each point in turn: first until it is published, then until
    quarantine says what was superseded. In Glue and S3, as they are emulated."""
    lake = glue_lake
    lake.deliver(f"{HOUR}/b.parquet", event(temperature=1.0), event(temperature=2.0))
    ingest(lake)
    better = event(temperature=2.0)  # displaces the event of silver; a conflict is a duplicate now
    lake.deliver(f"{HOUR}/a.parquet", better, event(uuid="b"), event(uuid="c", humidity=101.0))
    waiting = [*TO_PUBLISH, *TO_RETIRE]
    total = len(waiting)

    def kill(passed: str) -> None:
        if passed == f"{lake.name('')}{waiting[0]}":
            raise Killed(waiting.pop(0))

    with hook(monkeypatch, kill):
        while waiting:
            with pytest.raises(Killed):
                ingest(lake)

    assert total == 17
    assert ingest(lake) == IngestReport()
    assert_true(lake)
    assert ledger(lake).duplicates == {"2026-06-01": 1}


def test_what_a_killed_ingest_refused_by_other_rules_counts_no_more(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.deliver(f"{HOUR}/a.parquet", event(temperature=1.0), event(temperature=2.0), event(uuid="b"))
    rules = validity._rules()
    with monkeypatch.context() as patch:
        patch.setattr(validity, "_rules", lambda: {**rules, RejectReason.MISSING_FIELD: F.col("uuid") == "b"})
        with killed_at(f"{QUARANTINE}: published"):
            ingest(lake)
    assert {row["reason"] for row in lake.rows(QUARANTINE)} == {"missing_field", "uuid_conflict"}

    report = ingest(lake)

    assert (report.events, report.quarantined) == (2, {"uuid_conflict": 1})
    assert_true(lake)


def test_a_compaction_of_quarantine_costs_no_second_ingest(lake: Lake) -> None:
    """What was delivered meanwhile is left to the next one."""
    lake.deliver(f"{HOUR}/b.parquet", event(temperature=1.0), event(temperature=2.0))
    ingest(lake)
    lake.deliver(f"{HOUR}/a.parquet", event(temperature=2.0))

    with overtaken_while_settling(lake, lambda: lake.deliver(f"{HOUR}/c.parquet", event(uuid="c"))):
        report = ingest(lake)

    assert (report.files, report.rows, report.duplicates) == (1, 1, 1)
    assert ingest(lake).events == 1
    assert_true(lake)


def test_entries_of_earlier_days_are_not_read(lake: Lake) -> None:
    """Their data files are not even there: neither adding entries nor marking one needs them."""
    fail(lake, "dt=2026-05-01/hour=12", b"{torn")
    lake.deliver("dt=2026-05-01/hour=12/old.parquet", event(timestamp=NOON - 86_400 * 31, humidity=101.0))
    ingest(lake)
    for file in Path(lake.warehouse, lake.database, QUARANTINE, "data").rglob("*.parquet"):
        file.unlink()
    refused = event(uuid="b", humidity=101.0)
    lake.deliver(f"{HOUR}/b.parquet", event(temperature=1.0), event(temperature=2.0), refused)
    fail(lake, HOUR, b"{torn")
    ingest(lake)
    lake.deliver(f"{HOUR}/a.parquet", event(temperature=2.0), refused)

    ingest(lake)

    entries = lake.spark.table(lake.name(QUARANTINE)).where("arrival_hour >= '2026-06-01'").collect()
    assert sorted((row.source_file[-9:], row.source_row, row.state) for row in entries) == [
        ("a.parquet", 1, "open"),
        ("b.parquet", 0, "open"),
        ("b.parquet", 1, "superseded"),
        ("b.parquet", 2, "open"),
        ("ur=12/x-1", 0, "open"),
    ]


def fail(lake: Lake, hour: str, *lines: bytes) -> str:
    """Deliver bytes that Firehose could not convert, and a line that is no document; returns the first."""
    raw = base64.b64encode(lines[0]).decode()
    document = {"lastErrorCode": "DataFormatConversion.ParseError", "rawData": raw, "sequenceNumber": "1"}
    file = failures_of(lake) / "format-conversion-failed" / hour / "x-1"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\n".join([json.dumps(document).encode(), *lines[1:]]))
    return raw


def test_a_race_ends_with_each_file_taken_in_once(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(8)
    lake.deliver(f"{HOUR}/a.parquet", *copies(rng, 25))
    rivals: list[IngestReport] = []

    def rival(passed: str) -> None:
        if passed.endswith(f"{SILVER}: publish the branch") and not rivals:
            rivals.append(IngestReport())  # not again within the rival's own run
            rivals.append(ingest(lake))

    with hook(monkeypatch, rival):
        report = ingest(lake)

    assert rivals[1].files == 1
    assert report == IngestReport()
    assert_true(lake)


def test_an_audit_that_fails_publishes_nothing(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.deliver(f"{HOUR}/a.parquet", event(uuid="first"))
    ingest(lake)
    before = lake.rows(SILVER)
    lake.deliver(f"{HOUR}/b.parquet", event(), event(uuid="b"))
    monkeypatch.setattr(findings_module.SparkFindings, "events", property(lambda self: 7))

    with pytest.raises(AuditError, match=r"rows of .*clickstream_events: 3 where 8 were expected"):
        ingest(lake)

    assert lake.rows(SILVER) == before
    monkeypatch.undo()
    ingest(lake)
    assert_true(lake)


def test_an_event_that_is_there_twice_fails_the_audit(lake: Lake) -> None:
    """Somebody has inserted past the job: the next publish that touches the day says so."""
    lake.deliver(f"{HOUR}/a.parquet", event())
    ingest(lake)
    lake.spark.sql(f"INSERT INTO {lake.name(SILVER)} SELECT * FROM {lake.name(SILVER)}")
    lake.deliver(f"{HOUR}/b.parquet", event(uuid="b"))

    with pytest.raises(AuditError, match=r"would hold the event \('00000000-.*', 1780315200\) 2 times"):
        ingest(lake)
