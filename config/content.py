"""What an event says, in one canonical form: equal content has an equal hash wherever it lies.

The producer hashes what it sends; reconciliation hashes bronze rows. Both go through here, so
that an event without identity (no uuid or no timestamp) can still be found by its content.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

BIGINT_MIN, BIGINT_MAX = -(2**63), 2**63 - 1

_encode = json.JSONEncoder(separators=(",", ":")).encode


class ContentError(ValueError):
    """A value does not have the type that the contract gives its field."""


def canonical_content(event: Mapping[str, Any]) -> bytes:
    """The event's eight fields as compact ASCII JSON, in the contract's order and types.

    A missing field is null, a whole number in a double field becomes a double, other fields
    are dropped: the same as on the way through Firehose into bronze.

    >>> canonical_content({"uuid": "a", "temperature": 20, "extra": 1})[:36]
    b'{"sensor_id":null,"temperature":20.0'

    Raises:
        ContentError: naming the field whose value has another type.
    """
    location = event.get("location")
    if location is not None and not isinstance(location, Mapping):
        raise ContentError("location is not an object")
    return _encode(
        {
            "sensor_id": _bigint(event, "sensor_id"),
            "temperature": _double(event, "temperature"),
            "humidity": _double(event, "humidity"),
            "location": None
            if location is None
            else {
                "latitude": _double(location, "latitude"),
                "longitude": _double(location, "longitude"),
            },
            "status": _string(event, "status"),
            "event_type": _string(event, "event_type"),
            "timestamp": _bigint(event, "timestamp"),
            "uuid": _string(event, "uuid"),
        }
    ).encode("ascii")


def content_hash(content: bytes) -> str:
    """SHA-256 of canonical content (of the raw bytes, for what has none), as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _bigint(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not BIGINT_MIN <= value <= BIGINT_MAX:
        raise ContentError(f"{name} is not a bigint")
    return value


def _double(fields: Mapping[str, Any], name: str) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ContentError(f"{name} is not a double")
    try:
        return float(value)
    except OverflowError:
        raise ContentError(f"{name} is not a double") from None


def _string(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    raise ContentError(f"{name} is not a string")
