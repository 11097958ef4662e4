"""Reading events: Parquet files as Firehose delivers them, or an Iceberg table of events."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import date

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from config.tables import BRONZE, TableSpec
from emr_jobs.lake.history import at_snapshot, within_days

logger = logging.getLogger(__name__)


def read_bronze(spark: SparkSession, path: str, spec: TableSpec = BRONZE) -> DataFrame | None:
    """Events of the Parquet files below ``path``, or None where there are none.

    Columns: the event's fields, null where an older file lacks one; ``arrival_hour`` (timestamp, from the
    folders dt= and hour= where the path has them, else null); ``source_file`` and ``source_row``, which order
    the copies of an event.
    """
    reader = spark.read.schema(spec.schema_ddl)
    root, partitioned, _ = path.partition("/dt=")
    if partitioned:
        reader = reader.option("basePath", root)  # a day's or an hour's folder still knows its dt and hour
    try:
        files = reader.parquet(path)
    except AnalysisException as error:
        if error.getErrorClass() != "PATH_NOT_FOUND":
            raise
        logger.warning("%s does not exist: nothing to read", path)
        return None
    if not files.inputFiles():
        logger.warning("%s holds no files: nothing to read", path)
        return None
    return _to_events(files, spec)


def read_bronze_files(
    spark: SparkSession, root: str, files: Sequence[str], spec: TableSpec = BRONZE
) -> DataFrame:
    """Events of some files below ``root``, with the columns of :func:`read_bronze`."""
    return _to_events(spark.read.schema(spec.schema_ddl).option("basePath", root).parquet(*files), spec)


def _to_events(files: DataFrame, spec: TableSpec) -> DataFrame:
    return files.select(
        *spec.column_names,
        _arrival_hour(files).alias("arrival_hour"),
        _object_name(files).alias("source_file"),
        F.col("_metadata.row_index").alias("source_row"),
    )


def _arrival_hour(files: DataFrame) -> Column:
    """Start of the arrival hour; Spark has inferred dt as a date and hour as an int, if well-formed."""
    if not {"dt", "hour"} <= set(files.columns):
        return _unknown_arrival_hour()
    hours = F.unix_date(F.col("dt").cast("date")).cast("bigint") * 24 + F.col("hour").cast("bigint")
    return F.timestamp_seconds(hours * 3600)


def _object_name(files: DataFrame) -> Column:
    """The file's URI, spelled as its key: Spark escapes some characters, and so changes their order."""
    uri = F.col("_metadata.file_path")
    if not any("%" in file for file in files.inputFiles()):
        return uri
    return F.url_decode(F.replace(uri, F.lit("+"), F.lit("%2B")))  # to a form, a plus is a space


def _unknown_arrival_hour() -> Column:
    return F.lit(None).cast("timestamp").alias("arrival_hour")


def read_events_table(
    spark: SparkSession, name: str, snapshot_id: int, days: Collection[date] | None = None
) -> DataFrame:
    """Events of an Iceberg table at one of its snapshots, all of them or those of some UTC days.

    Columns as of :func:`read_bronze`, from the table where it has them: arrival_hour, source_file,
    source_row; else the arrival is not known and Iceberg's own file and position order the copies. A field
    that the snapshot is too old to have is null. Days need the column event_time.
    """
    events = at_snapshot(spark, name, snapshot_id)
    if days is not None:
        events = events.where(within_days(days))
    own = set(events.columns)
    return events.select(
        *(
            F.col(column.name) if column.name in own else F.lit(None).cast(column.type).alias(column.name)
            for column in BRONZE.columns
        ),
        F.col("arrival_hour") if "arrival_hour" in own else _unknown_arrival_hour(),
        F.col("source_file") if "source_file" in own else F.col("_file").alias("source_file"),
        F.col("source_row") if "source_row" in own else F.col("_pos").alias("source_row"),
    )
