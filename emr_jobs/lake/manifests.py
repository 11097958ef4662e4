"""Reading the producers' manifests: the records that the stream acknowledged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

_RUN = re.compile(r".*/dt=(\d{4}-\d\d-\d\d)/run=[^/]+/part-[^/]+\.parquet")
_SCHEMA = "uuid string, timestamp bigint, sequence_number string, content_hash string"


@dataclass(frozen=True)
class ManifestPart:
    """One file of acknowledged records: its producer started on ``day``."""

    uri: str
    day: date
    written: datetime


def list_parts(spark: SparkSession, root: str) -> list[ManifestPart]:
    """The parts of all manifests below ``root`` (``dt=YYYY-MM-DD/run=ID/part-N.parquet``), in order.

    One request a thousand files: manifests expire with the bronze files, so that they do not grow for ever.
    """
    path = spark._jvm.org.apache.hadoop.fs.Path(root)
    files = path.getFileSystem(spark._jsc.hadoopConfiguration())
    if not files.exists(path):
        return []
    found = files.listFiles(path, True)
    parts = []
    while found.hasNext():
        status = found.next()
        uri = status.getPath().toString()
        match = _RUN.fullmatch(uri)
        if match:
            written = datetime.fromtimestamp(status.getModificationTime() / 1000, UTC)
            parts.append(ManifestPart(uri, date.fromisoformat(match[1]), written))
    return sorted(parts, key=lambda part: part.uri)


def read_parts(spark: SparkSession, parts: Sequence[ManifestPart]) -> DataFrame:
    """Acknowledged records: uuid, timestamp (null where the payload has none), sequence_number,
    content_hash (``config.content``), and part, the URI of the file."""
    return (
        spark.read.schema(_SCHEMA)
        .parquet(*(part.uri for part in parts))
        .withColumn("part", F.col("_metadata.file_path"))
    )
