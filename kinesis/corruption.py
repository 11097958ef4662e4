"""Ways in which an event's bytes go wrong. Each takes a good event's JSON and spoils it.

What becomes of each downstream is the data contract's business: some are conversion failures
(not JSON, truncated, an array, empty, a wrong type), some are invalid rows (missing or null
fields, out of range, a wrong year), and an unknown status is simply a new one, and valid.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from faker.generator import Generator

from config.events import HUMIDITY_MAX, LATITUDE_MAX, MAX_SECONDS_AHEAD_OF_ARRIVAL, TEMPERATURE_MAX
from kinesis.records import Disorder

_REQUIRED = ("sensor_id", "location", "status", "event_type", "timestamp", "uuid")


def dump(event: dict[str, Any]) -> bytes:
    """An event as compact JSON; NaN is written as such, which strict parsers refuse."""
    return json.dumps(event, separators=(",", ":")).encode()


def _not_json(data: bytes, faker: Generator) -> bytes:
    text = str(faker.sentence())
    return faker.random.choice((text, f"<event>{text}</event>", f"{{status: {text}}}", "\x00\x01")).encode()


def _truncated(data: bytes, faker: Generator) -> bytes:
    return data[: faker.random.randrange(1, len(data))]


def _array(data: bytes, faker: Generator) -> bytes:
    return b"[" + data + b"]"


def _empty(data: bytes, faker: Generator) -> bytes:
    return b""


def _not_utf8(data: bytes, faker: Generator) -> bytes:
    return data.replace(b'"status":"', b'"status":"\xff\xfe', 1)


def _wrong_type(data: bytes, faker: Generator) -> bytes:
    """Values that no parser can coerce, so that the outcome is the same everywhere."""
    name, value = faker.random.choice(
        (
            ("sensor_id", "forty-two"),
            ("temperature", "warm"),
            ("humidity", {"percent": 40}),
            ("location", "Berlin"),
            ("timestamp", "yesterday"),
        )
    )
    return dump(json.loads(data) | {name: value})


def _missing_field(data: bytes, faker: Generator) -> bytes:
    event = json.loads(data)
    del event[faker.random.choice(_REQUIRED)]
    return dump(event)


def _null_field(data: bytes, faker: Generator) -> bytes:
    return dump(json.loads(data) | {faker.random.choice(_REQUIRED): None})


def _nan(data: bytes, faker: Generator) -> bytes:
    return dump(json.loads(data) | {faker.random.choice(("temperature", "humidity")): float("nan")})


def _out_of_range(data: bytes, faker: Generator) -> bytes:
    event = json.loads(data)
    spoilt: dict[str, Any] = faker.random.choice(
        (
            {"temperature": TEMPERATURE_MAX + faker.random.uniform(1, 1000)},
            {"humidity": HUMIDITY_MAX + faker.random.uniform(1, 100)},
            {"location": event["location"] | {"latitude": LATITUDE_MAX + faker.random.uniform(1, 90)}},
        )
    )
    return dump(event | spoilt)


def _future(data: bytes, faker: Generator) -> bytes:
    event = json.loads(data)
    return dump(event | {"timestamp": event["timestamp"] + 30 * MAX_SECONDS_AHEAD_OF_ARRIVAL})


def _year_1970(data: bytes, faker: Generator) -> bytes:
    return dump(json.loads(data) | {"timestamp": faker.random.randrange(0, 86_400)})


def _unknown_status(data: bytes, faker: Generator) -> bytes:
    return dump(json.loads(data) | {"status": "calibrating"})


CORRUPTIONS: dict[Disorder, Callable[[bytes, Generator], bytes]] = {
    Disorder.CORRUPT_NOT_JSON: _not_json,
    Disorder.CORRUPT_TRUNCATED: _truncated,
    Disorder.CORRUPT_ARRAY: _array,
    Disorder.CORRUPT_EMPTY: _empty,
    Disorder.CORRUPT_NOT_UTF8: _not_utf8,
    Disorder.CORRUPT_WRONG_TYPE: _wrong_type,
    Disorder.CORRUPT_MISSING_FIELD: _missing_field,
    Disorder.CORRUPT_NULL_FIELD: _null_field,
    Disorder.CORRUPT_NAN: _nan,
    Disorder.CORRUPT_OUT_OF_RANGE: _out_of_range,
    Disorder.CORRUPT_FUTURE: _future,
    Disorder.CORRUPT_YEAR_1970: _year_1970,
    Disorder.CORRUPT_UNKNOWN_STATUS: _unknown_status,
}
"""Every kind of corruption, each as likely as the others."""
