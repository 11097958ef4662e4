"""JSON to rows: what fits, what is made to fit, and what fails, however it is batched."""

from __future__ import annotations

import json
import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.tables import BRONZE
from local_stack.aws.firehose.conversion import (
    MALFORMED_DATA,
    PARSE_ERROR,
    RecordConverter,
)
from local_stack.aws.firehose.hive_types import SchemaError, parse_type

EVENT = RecordConverter((column.name, column.type) for column in BRONZE.columns)

GOOD = {
    "sensor_id": 42,
    "temperature": 21.5,
    "humidity": None,
    "location": {"latitude": 52.52, "longitude": 13.405},
    "status": "active",
    "event_type": "reading",
    "timestamp": 1_790_000_000,
    "uuid": "u-1",
}


def encode(**changes: Any) -> bytes:
    return json.dumps(GOOD | changes).encode()


def rows(*records: bytes) -> list[dict[str, Any]]:
    """Rows of records that all fit."""
    conversion = EVENT.convert(records)
    assert conversion.failures == []
    return list(conversion.table.to_pylist())


def test_an_event_becomes_a_row_with_the_tables_types() -> None:
    conversion = EVENT.convert([encode(), encode(sensor_id=43)])
    assert conversion.table.schema == EVENT.schema
    assert conversion.table.schema.field("location").type == pa.struct(
        [("latitude", pa.float64()), ("longitude", pa.float64())]
    )
    assert conversion.table.to_pylist() == [GOOD, GOOD | {"sensor_id": 43}]


@pytest.mark.parametrize(
    ("record", "changes"),
    [
        (encode() + b"\n", {}),
        (b"  \r\n" + encode() + b"\t", {}),
        (encode(unknown={"deep": [1]}), {}),
        (encode(location={"latitude": 1.0, "longitude": 2.0, "altitude": 3}), {"location": (1.0, 2.0)}),
        (encode(location={"latitude": 1.0}), {"location": (1.0, None)}),
        (encode(location=None), {"location": None}),
        (encode(temperature=None), {"temperature": None}),
        (encode(temperature=-0.0), {"temperature": -0.0}),
        (encode(temperature=21), {"temperature": 21.0}),
        (encode(temperature="21.5"), {}),
        (encode(temperature=10**30), {"temperature": 1e30}),
        (encode(sensor_id="7"), {"sensor_id": 7}),
        (encode(sensor_id=7.0), {"sensor_id": 7}),
        (encode(status=5), {"status": "5"}),
        (encode(status=True), {"status": "true"}),
        (encode(status={"a": [1, None]}), {"status": '{"a":[1,null]}'}),
        (encode(status="Größe 温度 \U0001f321"), {"status": "Größe 温度 \U0001f321"}),
        (encode(status="NaN or Infinity"), {"status": "NaN or Infinity"}),
        (encode(status="half \ud800"), {"status": "half ?"}),
        (encode().replace(b'"status"', b'"STATUS"'), {}),
        (encode()[:-1] + b', "status": "faulty"}', {"status": "faulty"}),
    ],
)
def test_what_the_deserializer_makes_fit(record: bytes, changes: dict[str, Any]) -> None:
    if isinstance(changes.get("location"), tuple):
        latitude, longitude = changes["location"]
        changes = {"location": {"latitude": latitude, "longitude": longitude}}
    assert rows(record) == [GOOD | changes]
    assert sorted(rows(encode(), record, encode()), key=str) == sorted([GOOD, GOOD | changes, GOOD], key=str)


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (b"", PARSE_ERROR),
        (b" \n", PARSE_ERROR),
        (b"null", PARSE_ERROR),
        (b"42", PARSE_ERROR),
        (b'"text"', PARSE_ERROR),
        (b"this is not JSON", PARSE_ERROR),
        (encode()[:-5], PARSE_ERROR),
        (encode() + b"}", PARSE_ERROR),
        (encode() + b",", PARSE_ERROR),
        (b"[" + encode() + b"]", PARSE_ERROR),
        (encode() + b"[]", PARSE_ERROR),
        (encode().replace(b"21.5", b"NaN"), PARSE_ERROR),
        (encode().replace(b"21.5", b"-Infinity"), PARSE_ERROR),
        (encode().replace(b"21.5", b"Inf"), PARSE_ERROR),
        (encode(extra=1).replace(b'"extra": 1', b'"extra": NaN'), PARSE_ERROR),
        (encode().replace(b"active", b"\xff\xfe"), PARSE_ERROR),
        (b"\xef\xbb\xbf" + encode(), PARSE_ERROR),
        (encode().decode().encode("utf-16"), PARSE_ERROR),
        (encode(status="a").replace(b'"a"', b'"a\nb"'), PARSE_ERROR),
        (b'{"a":' + b"[" * 100_000, PARSE_ERROR),
        (encode().replace(b"42", b"9" * 5000), PARSE_ERROR),
        (encode(temperature="hot"), MALFORMED_DATA),
        (encode(temperature=True), MALFORMED_DATA),
        (encode(temperature=[1]), MALFORMED_DATA),
        (encode(sensor_id=1.5), MALFORMED_DATA),
        (encode(sensor_id=2**63), MALFORMED_DATA),
        (encode(sensor_id=99999999999999999999), MALFORMED_DATA),
        (encode(location="52,13"), MALFORMED_DATA),
        (encode(location=[52, 13]), MALFORMED_DATA),
        (encode() + encode(temperature="hot"), MALFORMED_DATA),
    ],
)
def test_what_fails_fails_alone(record: bytes, code: str) -> None:
    conversion = EVENT.convert([encode(sensor_id=1), record, encode(sensor_id=3)])
    assert [(failure.position, failure.code) for failure in conversion.failures] == [(1, code)]
    assert sorted(conversion.table["sensor_id"].to_pylist()) == [1, 3]


def test_objects_written_one_after_the_other_are_rows_each() -> None:
    record = encode(sensor_id=1) + encode(sensor_id=2) + b"\n" + encode(sensor_id=3)
    assert sorted(row["sensor_id"] for row in rows(record, encode(sensor_id=4))) == [1, 2, 3, 4]


def test_an_empty_object_is_a_row_of_nulls() -> None:
    assert rows(b"{}", b"{}") == [dict.fromkeys(GOOD)] * 2


def test_not_finite_text_reaches_the_row_as_javas_parser_reads_it() -> None:
    """So that the lake's own check refuses it: a null would hide it."""
    values = [row["temperature"] for row in rows(encode(temperature="NaN"), encode(temperature="-Infinity"))]
    assert math.isnan(values[0])
    assert values[1] == -math.inf
    assert rows(encode().replace(b"21.5", b"1e999"))[0]["temperature"] == math.inf


def test_hives_deserializer_takes_no_text_for_a_number() -> None:
    strict = RecordConverter([("n", "double")], text_is_number=False)
    (failure,) = strict.convert([b'{"n": "1.5"}']).failures
    assert failure.code == MALFORMED_DATA


def test_a_large_batch_with_failures_everywhere_keeps_every_other_record() -> None:
    records = [encode(sensor_id=n) for n in range(20_000)]
    bad = {n for n in range(20_000) if n % 97 == 0}
    for n in bad:
        records[n] = [b"", b"{", encode(temperature="hot"), encode().replace(b"21.5", b"NaN")][n % 4]
    conversion = EVENT.convert(records)
    assert {failure.position for failure in conversion.failures} == bad
    assert sorted(conversion.table["sensor_id"].to_pylist()) == sorted(set(range(20_000)) - bad)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(st.sampled_from([*GOOD, "other"]), JSON_VALUES, max_size=6), max_size=8))
def test_both_ways_of_reading_agree(values: list[dict[str, Any]]) -> None:
    records = [json.dumps(value).encode() for value in values]
    together = EVENT.convert(records)
    exact = [EVENT.convert([b" " + record]) for record in records]  # a leading blank: one by one
    failed = [position for position, conversion in enumerate(exact) if conversion.failures]
    assert sorted(failure.position for failure in together.failures) == failed
    expected = [row for conversion in exact for row in conversion.table.to_pylist()]
    assert sorted(map(repr, together.table.to_pylist())) == sorted(map(repr, expected))


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_arbitrary_bytes_are_rows_or_failures_and_never_disturb_others(records: list[bytes]) -> None:
    conversion = EVENT.convert([encode(), *records, encode()])
    failed = {failure.position for failure in conversion.failures}
    assert failed <= set(range(1, len(records) + 1))
    assert conversion.table.num_rows >= len(records) + 2 - len(failed)


ALL_TYPES = RecordConverter(
    [
        ("Tiny", "tinyint"),
        ("amount", "decimal(10,2)"),
        ("day", "date"),
        ("at", "timestamp"),
        ("code", "char(3)"),
        ("name", "varchar(4)"),
        ("payload", "binary"),
        ("labels", "map<string,array<int>>"),
        ("real", "float"),
        ("flag", "boolean"),
    ]
)


def test_every_hive_type_is_written() -> None:
    record = {
        "tiny": 127,
        "amount": 1.105,
        "day": "2026-11-22",
        "at": "2026-11-22T01:02:03.5Z",
        "code": "abcdef",
        "name": "abcdef",
        "payload": "AAE=",
        "labels": {"a": [1, 2], "b": None},
        "real": 0.5,
        "flag": "TRUE",
    }
    conversion = ALL_TYPES.convert([json.dumps(record).encode()])
    assert conversion.failures == []
    (row,) = conversion.table.to_pylist()
    assert str(row["amount"]) == "1.10"
    assert row["day"].isoformat() == "2026-11-22"
    assert row["at"].isoformat() == "2026-11-22T01:02:03.500000"
    assert (row["code"], row["name"], row["payload"]) == ("abc", "abcd", b"\x00\x01")
    assert row["labels"] == [("a", [1, 2]), ("b", None)]
    assert (row["tiny"], row["real"], row["flag"]) == (127, 0.5, True)


@pytest.mark.parametrize(
    "value", ["1518033528", 1518033528, 1518033528000, "2018-02-07 19:58:48", "2018-02-07T19:58:48Z"]
)
def test_timestamps_come_as_text_seconds_or_milliseconds(value: Any) -> None:
    (row,) = ALL_TYPES.convert([json.dumps({"at": value}).encode()]).table.to_pylist()
    assert row["at"].isoformat() == "2018-02-07T19:58:48"


@pytest.mark.parametrize(
    "changes",
    [
        {"tiny": 128},
        {"amount": 123456789.0},
        {"amount": "x"},
        {"day": "22.11.2026"},
        {"day": 5},
        {"at": "soon"},
        {"at": 1e300},
        {"payload": "?"},
        {"labels": [1]},
        {"flag": "yes"},
        {"flag": 1},
    ],
)
def test_values_that_no_type_takes_are_malformed(changes: dict[str, Any]) -> None:
    (failure,) = ALL_TYPES.convert([json.dumps(changes).encode()]).failures
    assert failure.code == MALFORMED_DATA


@pytest.mark.parametrize(
    "text", ["", "strunct<a:int>", "array<int", "struct<a int>", "decimal(x)", "int>", "a b"]
)
def test_types_that_hive_does_not_know_are_refused(text: str) -> None:
    with pytest.raises(SchemaError):
        parse_type(text)


def test_a_table_without_columns_is_refused() -> None:
    with pytest.raises(SchemaError, match="no columns"):
        RecordConverter([])
