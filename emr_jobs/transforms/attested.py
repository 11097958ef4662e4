"""Which acknowledged records are found nowhere, event by event."""

from __future__ import annotations

import json
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from config.content import canonical_content, content_hash
from config.events import UUID_CONFLICT, RejectReason
from emr_jobs.transforms.identity import IDENTITY

_DOUBLES = ("temperature", "humidity")
_LOCATION = ("latitude", "longitude")


def to_missing(acked: DataFrame, events: DataFrame, entries: DataFrame, failures: DataFrame) -> DataFrame:
    """The acknowledged records with an identity that are nowhere. Columns: those of ``acked``.

    They are looked for by (uuid, timestamp) among ``events`` (silver) and ``entries`` (quarantine, with its
    column ``raw``), and by sequence_number among ``failures``.
    """
    identified = acked.where(_has_identity())
    quarantined = to_contents(entries).select(*IDENTITY).where(_has_identity())
    return (
        identified.join(events.select(*IDENTITY), list(IDENTITY), "left_anti")
        .join(quarantined, list(IDENTITY), "left_anti")
        .join(failures.select("sequence_number"), "sequence_number", "left_anti")
    )


def to_short(acked: DataFrame, entries: DataFrame, failures: DataFrame) -> DataFrame:
    """The contents without an identity that were acknowledged more often than they are in quarantine.

    Columns: content_hash, part (the last that attests it), missing (records).
    """
    attested = (
        acked.where(~_has_identity())
        .join(failures.select("sequence_number"), "sequence_number", "left_anti")
        .groupBy("content_hash")
        .agg(F.count(F.lit(1)).alias("attested"), F.max("part").alias("part"))
    )
    hashed = (
        to_contents(entries)
        .where(~_has_identity())
        .withColumn("content_hash", F.udf(raw_content_hash, "string")("raw"))
    )
    found = hashed.groupBy("content_hash").agg(F.count(F.lit(1)).alias("found"))
    missing = F.col("attested") - F.coalesce("found", F.lit(0))
    return (
        attested.join(found, "content_hash", "left")
        .select("content_hash", "part", missing.alias("missing"))
        .where(F.col("missing") > 0)
    )


def to_contents(entries: DataFrame) -> DataFrame:
    """The entries of quarantine that hold an event (not the bytes of a failed conversion).

    Columns: uuid, timestamp, raw.
    """
    reasons = [*(reason.value for reason in RejectReason), UUID_CONFLICT]
    parsed = F.from_json("raw", "uuid string, timestamp bigint")
    return (
        entries.where(F.col("reason").isin(reasons))
        .select(parsed.alias("event"), "raw")
        .select("event.uuid", "event.timestamp", "raw")
    )


def _has_identity() -> Column:
    return F.col("uuid").isNotNull() & F.col("timestamp").isNotNull()


def raw_content_hash(raw: str) -> str:
    """``content_hash`` of an event as quarantine keeps it: JSON in which NaN and infinities are strings."""
    event = json.loads(raw)
    _restore_doubles(event, _DOUBLES)
    _restore_doubles(event.get("location") or {}, _LOCATION)
    return content_hash(canonical_content(event))


def _restore_doubles(fields: dict[str, Any], double_fields: tuple[str, ...]) -> None:
    for name in double_fields:
        if isinstance(fields.get(name), str):
            fields[name] = float(fields[name])
