"""A record on its way to the stream: its bytes, and what the manifest will say about them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from config.content import BIGINT_MAX, BIGINT_MIN, ContentError, canonical_content, content_hash

MAX_PARTITION_KEY_CHARACTERS = 256
"""Kinesis' own limit."""


class Disorder(StrEnum):
    """What is deliberately wrong with a record; the corrupt kinds say how."""

    LATE = "late"
    DUPLICATE = "duplicate"
    UUID_CONFLICT = "uuid_conflict"
    CORRUPT_NOT_JSON = "corrupt_not_json"
    CORRUPT_TRUNCATED = "corrupt_truncated"
    CORRUPT_ARRAY = "corrupt_array"
    CORRUPT_EMPTY = "corrupt_empty"
    CORRUPT_NOT_UTF8 = "corrupt_not_utf8"
    CORRUPT_WRONG_TYPE = "corrupt_wrong_type"
    CORRUPT_MISSING_FIELD = "corrupt_missing_field"
    CORRUPT_NULL_FIELD = "corrupt_null_field"
    CORRUPT_NAN = "corrupt_nan"
    CORRUPT_OUT_OF_RANGE = "corrupt_out_of_range"
    CORRUPT_FUTURE = "corrupt_future"
    CORRUPT_YEAR_1970 = "corrupt_year_1970"
    CORRUPT_UNKNOWN_STATUS = "corrupt_unknown_status"


class Record(NamedTuple):
    """One Kinesis record and its identity.

    ``uuid`` and ``timestamp`` (epoch seconds) are what the payload says, or None where it does not
    say them in the contract's type. ``content_hash`` is ``config.content.content_hash`` of the
    canonical content, or of the payload where it has none.
    """

    data: bytes
    partition_key: str
    uuid: str | None
    timestamp: int | None
    content_hash: str
    disorder: Disorder | None = None

    @property
    def size(self) -> int:
        """What counts against Kinesis' limits: payload and partition key, bytes."""
        return len(self.data) + len(self.partition_key.encode())


def describe(data: bytes, partition_key: str | None = None, disorder: Disorder | None = None) -> Record:
    """The record for any payload, however broken.

    ``partition_key`` defaults to the payload's sensor_id, or to its hash where it has none (which
    spreads such records over the shards).
    """
    event = _parse(data)
    try:
        digest = content_hash(data if event is None else canonical_content(event))
    except ContentError:
        digest = content_hash(data)
    fields: Mapping[str, Any] = event or {}
    if partition_key is None:
        partition_key = _key_of(fields.get("sensor_id")) or digest
    uuid, timestamp = fields.get("uuid"), fields.get("timestamp")
    return Record(
        data=data,
        partition_key=partition_key,
        uuid=uuid if isinstance(uuid, str) and _encodable(uuid) else None,
        timestamp=timestamp if _is_bigint(timestamp) else None,
        content_hash=digest,
        disorder=disorder,
    )


def _parse(data: bytes) -> dict[str, Any] | None:
    """The JSON object in ``data``, or None; NaN and Infinity are let through, as some parsers do."""
    try:
        event = json.loads(data.decode())
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _key_of(sensor_id: object) -> str:
    if isinstance(sensor_id, int | str) and _encodable(str(sensor_id)):
        return str(sensor_id)[:MAX_PARTITION_KEY_CHARACTERS]
    return ""


def _is_bigint(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and BIGINT_MIN <= value <= BIGINT_MAX


def _encodable(text: str) -> bool:
    """JSON can spell a lone surrogate, which no UTF-8 column can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
