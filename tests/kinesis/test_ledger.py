"""The ledger keeps every acknowledged record, on S3 as soon as a part is full or old."""

from __future__ import annotations

import base64
import io
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from botocore.exceptions import EndpointConnectionError

from kinesis.disorder import DisorderedFleet, Shares
from kinesis.fleet import Fleet
from kinesis.ledger import Ledger, LedgerError
from kinesis.manifest import ACKED_SCHEMA, Manifest, Part, RunFolder
from kinesis.records import Record

FOLDER = RunFolder("bronze", "run-1", datetime(2026, 1, 2, 0, 30, tzinfo=timezone(timedelta(hours=1))))


class Shelf:
    """S3's put_object, in memory; does not answer while ``down``."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.down = False

    def put_object(self, Bucket: str, Key: str, Body: io.BufferedReader) -> None:  # noqa: N803
        if self.down:
            raise EndpointConnectionError(endpoint_url="http://s3")
        self.objects[Key] = Body.read()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def some_records(count: int) -> list[Record]:
    fleet = DisorderedFleet(Fleet(1), Shares(corrupt=0.5), 1)
    return [fleet.record(1_700_000_000) for _ in range(count)]


def note(ledger: Ledger, records: list[Record], first: int = 0) -> None:
    numbers = [str(first + n) for n in range(len(records))]
    ledger.acked(records, ["shard-1"] * len(records), numbers, possible_duplicates=False)


def manifest(parts: list[Part]) -> Manifest:
    return Manifest(
        run_id="run-1",
        stream="s",
        region="eu-north-1",
        started="2026-01-01T23:30:00+00:00",
        ended="2026-01-01T23:40:00+00:00",
        ended_by="count",
        seed=1,
        options={},
        sent=0,
        acked=0,
        given_up=0,
        calls=0,
        failed_calls=0,
        resent=0,
        throttled=0,
        unknown_outcomes=0,
        acked_per_shard={"shard-1": 3},
        disorder={},
        parts=parts,
    )


def test_the_folder_is_named_by_the_utc_day() -> None:
    assert FOLDER.prefix == "manifests/dt=2026-01-01/run=run-1/"
    assert FOLDER.uri == "s3://bronze/manifests/dt=2026-01-01/run=run-1/"


def test_a_full_part_is_uploaded_at_once_and_leaves_the_disk(tmp_path: Path) -> None:
    shelf = Shelf()
    ledger = Ledger(shelf, FOLDER, tmp_path, part_rows=10)
    records = some_records(25)
    for start in range(0, 25, 5):
        note(ledger, records[start : start + 5], start)
    assert sorted(shelf.objects) == [FOLDER.prefix + f"part-0000{n}.parquet" for n in (0, 1)]
    assert list(tmp_path.iterdir()) == []
    assert [part.rows for part in ledger.finish_parts()] == [10, 10, 5]

    tables = [pq.read_table(io.BytesIO(body)) for _, body in sorted(shelf.objects.items())]
    rows = [row for table in tables for row in table.to_pylist()]
    assert {table.schema for table in tables} == {ACKED_SCHEMA}
    assert [row["sequence_number"] for row in rows] == [str(n) for n in range(25)]
    for row, record in zip(rows, records, strict=True):
        assert (row["uuid"], row["timestamp"], row["content_hash"]) == (
            record.uuid,
            record.timestamp,
            record.content_hash,
        )
        assert (row["size"], row["disorder"]) == (len(record.data), record.disorder)
    assert any(row["uuid"] is None for row in rows)


def test_an_old_part_is_uploaded_though_not_full(tmp_path: Path) -> None:
    shelf, clock = Shelf(), Clock()
    ledger = Ledger(shelf, FOLDER, tmp_path, part_seconds=60, clock=clock)
    note(ledger, some_records(3))
    assert shelf.objects == {}
    clock.now = 60
    note(ledger, some_records(1))
    assert list(shelf.objects) == [FOLDER.prefix + "part-00000.parquet"]
    assert ledger.finish_parts() == [Part("part-00000.parquet", 4)]


def test_while_s3_is_down_parts_wait_in_the_spool(tmp_path: Path) -> None:
    shelf = Shelf()
    ledger = Ledger(shelf, FOLDER, tmp_path, part_rows=10)
    shelf.down = True
    note(ledger, some_records(10))
    assert [path.name for path in tmp_path.iterdir()] == ["part-00000.parquet"]
    shelf.down = False
    ledger.gave_up(some_records(2), "no reason")
    ledger.store(manifest(ledger.finish_parts()))
    assert list(shelf.objects) == [
        FOLDER.prefix + name for name in ("_given_up.jsonl", "part-00000.parquet", "_manifest.json")
    ]
    assert list(tmp_path.iterdir()) == []


def test_if_s3_stays_down_the_message_says_where_everything_is(tmp_path: Path) -> None:
    shelf = Shelf()
    ledger = Ledger(shelf, FOLDER, tmp_path)
    note(ledger, some_records(10))
    shelf.down = True
    with pytest.raises(LedgerError, match=str(tmp_path)) as error:
        ledger.store(manifest(ledger.finish_parts()))
    assert FOLDER.uri in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["_manifest.json", "part-00000.parquet"]


def test_given_up_records_are_kept_whole(tmp_path: Path) -> None:
    shelf = Shelf()
    ledger = Ledger(shelf, FOLDER, tmp_path)
    records = some_records(20)
    ledger.gave_up(records[:5], "timeout")
    ledger.gave_up(records[5:], "refused")
    ledger.store(manifest(ledger.finish_parts()))
    lines = [
        json.loads(line) for line in shelf.objects[FOLDER.prefix + "_given_up.jsonl"].decode().splitlines()
    ]
    assert [base64.b64decode(line["data"]) for line in lines] == [record.data for record in records]
    assert [line["reason"] for line in lines] == ["timeout"] * 5 + ["refused"] * 15
    assert [line["disorder"] for line in lines] == [record.disorder for record in records]


def test_a_manifest_survives_its_document() -> None:
    ours = manifest([Part("part-00000.parquet", 3)])
    assert Manifest.from_json(ours.to_json()) == ours
    other = ours.to_json().replace(b'"version": 1', b'"version": 2')
    with pytest.raises(ValueError, match="manifest version 2"):
        Manifest.from_json(other)


def test_started_is_in_utc() -> None:
    assert RunFolder("b", "r", datetime(2026, 1, 1, 23, 59, tzinfo=UTC)).prefix.startswith(
        "manifests/dt=2026-01-01/"
    )
