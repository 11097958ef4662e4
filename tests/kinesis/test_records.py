from __future__ import annotations

import json

import pytest

from config.content import canonical_content, content_hash
from kinesis.records import describe

EVENT = {"sensor_id": 5, "timestamp": 1_700_000_000, "uuid": "u-1", "temperature": 3}


def test_an_event_is_described_by_its_content() -> None:
    record = describe(json.dumps(EVENT).encode())
    assert (record.uuid, record.timestamp, record.partition_key) == ("u-1", 1_700_000_000, "5")
    assert record.content_hash == content_hash(canonical_content(EVENT))
    assert record.size == len(record.data) + 1


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{", b"\xff\xfe", b"null", b'"text"', b"[" * 100_000],
    ids=["empty", "array", "truncated", "not UTF-8", "null", "string", "too deep"],
)
def test_what_is_no_object_is_known_by_its_bytes(data: bytes) -> None:
    record = describe(data)
    assert (record.uuid, record.timestamp) == (None, None)
    assert record.content_hash == record.partition_key == content_hash(data)


@pytest.mark.parametrize("value", ["1700000000", 1.5, True, 2**63, None, {}])
def test_a_timestamp_of_another_type_is_none(value: object) -> None:
    record = describe(json.dumps(EVENT | {"timestamp": value}).encode())
    assert record.timestamp is None
    assert record.uuid == "u-1"


@pytest.mark.parametrize("text", ["7", '"\\ud800"', "null"], ids=["number", "lone surrogate", "null"])
def test_a_uuid_that_no_text_column_holds_is_none(text: str) -> None:
    record = describe(b'{"uuid": ' + text.encode() + b', "timestamp": 1}')
    assert record.uuid is None
    assert record.timestamp == 1


def test_sensor_zero_is_a_partition_key_and_a_long_one_is_cut() -> None:
    assert describe(b'{"sensor_id": 0}').partition_key == "0"
    assert len(describe(json.dumps({"sensor_id": "x" * 1000}).encode()).partition_key) == 256
