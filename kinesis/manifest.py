"""Manifests: what each producer run sent, and what the stream acknowledged.

Layout, one folder a run (``dt`` is the UTC day on which it started)::

    s3://BRONZE/manifests/dt=YYYY-MM-DD/run=RUN_ID/
        part-00000.parquet ...   the acknowledged records, ``ACKED_SCHEMA``
        _given_up.jsonl          records given up, if any: reason, partition_key, disorder, data (base64)
        _manifest.json           ``Manifest``: written last, so it marks a run that ended in order

Parts are uploaded as they fill up or grow old. A killed producer leaves its parts without
``_manifest.json``, and loses the records of the part under way, and what was in flight: those
may be on the stream with no manifest naming them (*unattested*). Names that begin with an
underscore are invisible to Spark, Athena and Arrow: the folder can be read as one data set.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from config import names
from kinesis.records import Record

FORMAT_VERSION = 1
MANIFEST_NAME = "_manifest.json"
GIVEN_UP_NAME = "_given_up.jsonl"

ACKED_SCHEMA = pa.schema(
    [
        pa.field("uuid", pa.string()),
        pa.field("timestamp", pa.int64()),
        pa.field("shard_id", pa.string(), nullable=False),
        pa.field("sequence_number", pa.string(), nullable=False),
        pa.field("content_hash", pa.string(), nullable=False),
        pa.field("size", pa.int32(), nullable=False),
        pa.field("disorder", pa.string()),
        pa.field("possible_duplicate", pa.bool_(), nullable=False),
    ]
)
"""One acknowledged record a row.

uuid and timestamp (epoch seconds): null where the payload does not say them. content_hash:
``config.content``. size: payload bytes. disorder: ``kinesis.records.Disorder`` or null.
possible_duplicate: an earlier call with this record ended unknown, so it may be stored twice.
"""


@dataclass(frozen=True)
class RunFolder:
    """Where one run's manifest lies."""

    bucket: str
    run_id: str
    started: datetime

    @property
    def prefix(self) -> str:
        """Key prefix of everything of the run."""
        return f"{names.MANIFESTS_PREFIX}dt={self.started.astimezone(UTC):%Y-%m-%d}/run={self.run_id}/"

    @property
    def uri(self) -> str:
        """The folder as an s3:// URI."""
        return f"s3://{self.bucket}/{self.prefix}"

    @staticmethod
    def part_name(number: int) -> str:
        """File name of a part."""
        return f"part-{number:05d}.parquet"


@dataclass(frozen=True)
class Part:
    """One Parquet file of acknowledged records."""

    name: str
    rows: int


@dataclass(frozen=True)
class Manifest:
    """The summary of one run. Counts are of records; times are ISO 8601, UTC.

    ``ended_by``: duration, count, end of input, interrupted, or error. ``sent`` counts what was
    taken to be sent: always acked + given_up. The other counts: ``kinesis.tally.Tally``.
    """

    run_id: str
    stream: str
    region: str
    started: str
    ended: str
    ended_by: str
    seed: int | None
    options: dict[str, Any]
    sent: int
    acked: int
    given_up: int
    calls: int
    failed_calls: int
    resent: int
    throttled: int
    unknown_outcomes: int
    acked_per_shard: dict[str, int]
    disorder: dict[str, int]
    parts: list[Part] = field(default_factory=list)
    error: str | None = None
    version: int = FORMAT_VERSION

    def to_json(self) -> bytes:
        """The document as it lies in S3."""
        return json.dumps(asdict(self), indent=2).encode()

    @classmethod
    def from_json(cls, document: bytes) -> Self:
        """Read a document.

        Raises:
            ValueError: it is of another format version.
        """
        fields = json.loads(document)
        if fields.get("version") != FORMAT_VERSION:
            raise ValueError(f"manifest version {fields.get('version')}, expected {FORMAT_VERSION}")
        return cls(**fields | {"parts": [Part(**part) for part in fields["parts"]]})


@dataclass(frozen=True)
class Run:
    """A run as found in S3. ``manifest`` is None where the run is still going on or was killed."""

    bucket: str
    prefix: str
    part_keys: tuple[str, ...]
    manifest: Manifest | None

    @property
    def run_id(self) -> str:
        """The run's identity."""
        return self.prefix.rstrip("/").rpartition("run=")[2]

    @property
    def day(self) -> str:
        """The UTC date on which it started, ``YYYY-MM-DD``."""
        return self.prefix.partition("dt=")[2].partition("/")[0]


def find_runs(s3: Any, bucket: str) -> Iterator[Run]:
    """Every run under ``s3://bucket/manifests/``, oldest day first.

    Raises:
        botocore.exceptions.ClientError: the bucket cannot be read.
    """
    keys_by_folder: dict[str, list[str]] = {}
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=names.MANIFESTS_PREFIX)
    for page in pages:
        for entry in page.get("Contents", []):
            folder, _, _ = entry["Key"].rpartition("/")
            keys_by_folder.setdefault(f"{folder}/", []).append(entry["Key"])
    for prefix, keys in sorted(keys_by_folder.items()):
        manifest = None
        if prefix + MANIFEST_NAME in keys:
            body = s3.get_object(Bucket=bucket, Key=prefix + MANIFEST_NAME)["Body"].read()
            manifest = Manifest.from_json(body)
        parts = tuple(sorted(key for key in keys if key.endswith(".parquet")))
        yield Run(bucket, prefix, parts, manifest)


def read_acked(s3: Any, run: Run) -> Iterator[pa.Table]:
    """The run's acknowledged records, part by part, as tables of ``ACKED_SCHEMA``."""
    for key in run.part_keys:
        body = s3.get_object(Bucket=run.bucket, Key=key)["Body"].read()
        yield pq.read_table(io.BytesIO(body), schema=ACKED_SCHEMA)


def count_acked(s3: Any, run: Run) -> int:
    """How many records the run's parts attest; from the manifest where there is one."""
    if run.manifest is not None:
        return sum(part.rows for part in run.manifest.parts)
    return sum(table.num_rows for table in read_acked(s3, run))


def given_up_lines(records: Iterable[Record], reason: str) -> str:
    """The records as lines of ``_given_up.jsonl``."""
    return "".join(
        json.dumps(
            {
                "reason": reason,
                "partition_key": record.partition_key,
                "disorder": record.disorder,
                "data": base64.b64encode(record.data).decode("ascii"),
            }
        )
        + "\n"
        for record in records
    )
