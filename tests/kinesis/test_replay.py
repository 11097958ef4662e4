"""Real events from files and pipes; what is wrong with them is said by line, never by content."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from kinesis.delivery import MAX_BATCH_BYTES
from kinesis.records import Record
from kinesis.replay import Replay, ReplayError, open_replay

HEADER = "sensor_id,temperature,humidity,latitude,longitude,status,event_type,timestamp,uuid"
ROW = "42,20.5,,52.495,13.28,active,measurement,1700000000,u-1"


def read_all(path: Path) -> list[Record]:
    records: list[Record] = []
    with open_replay(str(path)) as replay:
        while (batch := replay.take(100)) is not None:
            records += batch
    return records


def write(folder: Path, content: str | bytes, name: str = "events") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_json_lines_travel_as_they_are(tmp_path: Path) -> None:
    lines = ['{"uuid": "a",  "timestamp":1, "sensor_id": 3}', '{"uuid":"b","odd":true}', "{}"]
    records = read_all(write(tmp_path, "\n".join(lines)))
    assert [record.data.decode() for record in records] == lines
    assert [(record.uuid, record.timestamp) for record in records] == [("a", 1), ("b", None), (None, None)]
    assert records[0].partition_key == "3"
    assert {record.disorder for record in records} == {None}


def test_blank_lines_line_ends_and_a_byte_order_mark_do_not_matter(tmp_path: Path) -> None:
    path = write(tmp_path, b'\xef\xbb\xbf{"uuid":"a"}\r\n\r\n  \n{"uuid":"b"}\r\n')
    assert [record.uuid for record in read_all(path)] == ["a", "b"]


def test_csv_is_typed_by_the_contract(tmp_path: Path) -> None:
    (record,) = read_all(write(tmp_path, f"{HEADER}\n{ROW}\n"))
    assert json.loads(record.data) == {
        "sensor_id": 42,
        "temperature": 20.5,
        "humidity": None,
        "location": {"latitude": 52.495, "longitude": 13.28},
        "status": "active",
        "event_type": "measurement",
        "timestamp": 1_700_000_000,
        "uuid": "u-1",
    }


def test_csv_columns_may_be_reordered_quoted_optional_and_more(tmp_path: Path) -> None:
    header = "uuid,note,timestamp,event_type,status,longitude,latitude,sensor_id"
    (record,) = read_all(write(tmp_path, f'{header}\n"u,1","a ""b""",7,e,s,1,2,3\n'))
    event = json.loads(record.data)
    assert event["uuid"] == "u,1"
    assert event["location"] == {"latitude": 2.0, "longitude": 1.0}
    assert event["temperature"] is None
    assert "note" not in event


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"uuid":"a"}\n{secret}', "line 2: not valid JSON"),
        ('{"uuid":"a"}\n\n["secret"]', "line 3: JSON, but not an object"),
        (b'{"uuid":"a"}\n{"uuid":"\xff"}', "line 2: not valid JSON"),
        ('["secret"]', "line 1: neither a JSON object nor a CSV header"),
        ("sensor_id,uuid\n", "columns event_type, latitude, longitude, status, timestamp"),
        (f"{HEADER}\n{ROW}\n{ROW},secret", "line 3: 10 cells under 9 columns"),
        (f"{HEADER}\n{ROW.replace('42', 'secret')}", "line 2: sensor_id is not a number"),
        (f"{HEADER}\n{ROW.replace('20.5', 'nan')}", "line 2: temperature is not a finite number"),
        (f"{HEADER}\n{ROW.replace('1700000000', '2026-01-01')}", "line 2: timestamp is not a number"),
        (f"{HEADER}\n{ROW.replace('1700000000', str(2**63))}", "line 2: timestamp is not a bigint"),
        (f'{HEADER}\n"secret', "line 2: not a line of CSV"),
        (b"\xff\xfe", "line 1: not a line of CSV"),
        ('{"a": "' + "x" * (1 << 20) + '"}', "line 1: longer than a Kinesis record"),
        ("x" * (5 << 20), "line 1: longer than a Kinesis record"),
    ],
)
def test_a_bad_line_is_refused_before_anything_is_sent(
    tmp_path: Path, content: str | bytes, problem: str
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(ReplayError) as refusal, open_replay(str(path)):
        pytest.fail("the file was accepted")
    assert str(refusal.value).startswith(f"{path}, line ")
    assert problem in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="No such file"), open_replay(str(tmp_path / "none")):
        pytest.fail("there is no such file")
    with pytest.raises(ReplayError, match="Is a directory"), open_replay(str(tmp_path)):
        pytest.fail("it is a folder")


def test_an_empty_file_has_no_events(tmp_path: Path) -> None:
    assert read_all(write(tmp_path, "")) == []


def test_a_batch_of_large_lines_fits_one_call(tmp_path: Path) -> None:
    line = json.dumps({"uuid": "x" * 900_000})
    with open_replay(str(write(tmp_path, f"{line}\n" * 12))) as replay:
        sizes = []
        while (batch := replay.take(500)) is not None:
            sizes.append(sum(record.size for record in batch))
    assert sum(sizes) > 12 * 900_000
    assert max(sizes) <= MAX_BATCH_BYTES


def test_a_pipe_yields_what_has_come_and_then_waits() -> None:
    read_end, write_end = os.pipe()
    try:
        replay = Replay(read_end, "a pipe")
        os.write(write_end, b'{"uuid":"a"}\n{"uuid":"b"}\n{"uu')
        assert [record.uuid for record in replay.take(500) or []] == ["a", "b"]
        assert replay.take(500) == []
        os.write(write_end, b'id":"c"}')
        closer = threading.Timer(0.05, os.close, [write_end])
        closer.start()
        assert [record.uuid for record in replay.take(500) or []] == ["c"]
        closer.join()
        assert replay.take(500) is None
    finally:
        os.close(read_end)


def test_take_never_exceeds_what_is_asked(tmp_path: Path) -> None:
    with open_replay(str(write(tmp_path, "{}\n" * 10))) as replay:
        assert [len(replay.take(4) or []) for _ in range(3)] == [4, 4, 2]
        assert replay.take(4) is None


def test_what_comes_before_a_bad_line_of_a_pipe_is_still_sent() -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b'{"uuid":"a"}\n{"uuid":"b"}\nbad\n')
    os.close(write_end)
    with os.fdopen(read_end):
        replay = Replay(read_end, "a pipe")
        assert [record.uuid for record in replay.take(500) or []] == ["a", "b"]
        with pytest.raises(ReplayError, match="a pipe, line 3"):
            replay.take(500)
