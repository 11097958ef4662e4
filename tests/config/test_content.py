from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.content import ContentError, canonical_content, content_hash

EVENT: dict[str, Any] = {
    "sensor_id": 42,
    "temperature": 20.5,
    "humidity": None,
    "location": {"latitude": 52.495, "longitude": 13.28},
    "status": "active",
    "event_type": "measurement",
    "timestamp": 1_700_000_000,
    "uuid": "u-1",
}


def test_the_canonical_form_is_fixed() -> None:
    assert canonical_content(EVENT) == (
        b'{"sensor_id":42,"temperature":20.5,"humidity":null,'
        b'"location":{"latitude":52.495,"longitude":13.28},"status":"active",'
        b'"event_type":"measurement","timestamp":1700000000,"uuid":"u-1"}'
    )
    assert content_hash(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    "other",
    [
        dict(reversed(EVENT.items())),
        EVENT | {"extra": "dropped"},
        {name: value for name, value in EVENT.items() if name != "humidity"},
    ],
    ids=["order", "unknown field", "missing for null"],
)
def test_what_bronze_cannot_tell_apart_is_equal(other: dict[str, Any]) -> None:
    assert canonical_content(other) == canonical_content(EVENT)


def test_a_whole_number_in_a_double_field_is_a_double() -> None:
    assert canonical_content(EVENT | {"temperature": 20}) == canonical_content(EVENT | {"temperature": 20.0})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sensor_id", "42"),
        ("sensor_id", True),
        ("timestamp", 1.5),
        ("timestamp", 2**63),
        ("temperature", "warm"),
        ("temperature", False),
        ("temperature", 10**400),
        ("location", "Berlin"),
        ("location", [52.5, 13.4]),
        ("uuid", 7),
    ],
)
def test_another_type_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ContentError, match=name):
        canonical_content(EVENT | {name: value})


@given(temperature=st.floats(allow_nan=False), status=st.text())
def test_reading_it_back_and_writing_it_again_changes_nothing(temperature: float, status: str) -> None:
    content = canonical_content(EVENT | {"temperature": temperature, "status": status})
    assert canonical_content(json.loads(content)) == content
