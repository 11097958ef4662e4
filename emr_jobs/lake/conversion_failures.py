"""Reading what Firehose could not convert: one JSON document a line, a record's bytes in each."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from config.events import UNREADABLE_DOCUMENT

_DOCUMENT = "lastErrorCode string, rawData string"
_HOUR = r"/dt=([0-9]{4}-[0-9]{2}-[0-9]{2})/hour=([0-9]{2})/"


def read_conversion_failures(spark: SparkSession, files: Sequence[str]) -> DataFrame:
    """The records in some failure files.

    Columns: source_file, source_row (the line, from 0), arrival_hour (timestamp, of the folder), reason
    (Firehose's error code) and raw (the record's bytes as base64; the line's where it is no document).
    """
    lines = spark.read.text(list(files), wholetext=True).select(
        F.col("_metadata.file_path").alias("source_file"),
        F.posexplode(F.split("value", "\n")).alias("source_row", "line"),
    )
    documents = lines.where(F.trim("line") != "").withColumn("document", F.from_json("line", _DOCUMENT))
    is_document = F.col("document.lastErrorCode").isNotNull() & F.col("document.rawData").isNotNull()
    return documents.select(
        "source_file",
        F.col("source_row").cast("bigint").alias("source_row"),
        _arrival_hour(F.col("source_file")).alias("arrival_hour"),
        F.when(is_document, F.col("document.lastErrorCode")).otherwise(UNREADABLE_DOCUMENT).alias("reason"),
        F.when(is_document, F.col("document.rawData"))
        .otherwise(F.base64(F.encode("line", "UTF-8")))
        .alias("raw"),
    )


def _arrival_hour(file: Column) -> Column:
    day, hour = (F.regexp_extract(file, _HOUR, group) for group in (1, 2))
    return F.to_timestamp(F.concat(day, F.lit(" "), hour, F.lit(":00:00")))


def read_failed_sequences(spark: SparkSession, files: Sequence[str]) -> DataFrame:
    """The column sequence_number of the records in some failure files, as the stream gave them."""
    schema = "sequence_number string"
    if not files:
        return spark.createDataFrame([], schema)
    lines = spark.read.text(list(files)).select(
        F.from_json("value", "sequenceNumber string").alias("document")
    )
    return lines.select(F.col("document.sequenceNumber").alias("sequence_number")).where(
        "sequence_number IS NOT NULL"
    )
