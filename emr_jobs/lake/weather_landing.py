"""Reading the raw weather files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from config.weather_tables import RAW_WEATHER


def read_raw_weather(spark: SparkSession, landing: str, days: Sequence[date]) -> DataFrame:
    """The raw rows of some days, each of which must have its folder ``dt=YYYY-MM-DD/``.

    Columns: those of ``RAW_WEATHER``; dt (date); file_time and file_path of the file, which tell the
    latest of several records.
    """
    root = landing.rstrip("/")
    files = spark.read.schema(RAW_WEATHER.schema_ddl).option("basePath", f"{root}/")
    return files.parquet(*(f"{root}/dt={day.isoformat()}/" for day in days)).select(
        *RAW_WEATHER.column_names,
        F.col("dt").cast("date").alias("dt"),
        F.col("_metadata.file_modification_time").alias("file_time"),
        F.col("_metadata.file_path").alias("file_path"),
    )
