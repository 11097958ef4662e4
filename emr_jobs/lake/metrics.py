"""What runs found about their data, in the table ``data_quality_metrics``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from config.tables import TABLES
from emr_jobs.lake.tables import ensure_table, qualified_name
from emr_jobs.transforms.weather_quality import Metric

_SPEC = TABLES["data_quality_metrics"]


def record_metrics(
    spark: SparkSession,
    database: str,
    run_id: str,
    table: str,
    metrics: Sequence[Metric],
    into: str = _SPEC.name,
) -> None:
    """Write a run's metrics of one table; those of the same run and table are replaced."""
    name = qualified_name(database, into)
    ensure_table(spark, name, _SPEC)
    now = datetime.now(UTC)
    rows = [
        (run_id, table, metric.name, float(metric.value), metric.threshold, metric.verdict, now)
        for metric in metrics
    ]
    measured = spark.createDataFrame(rows, _SPEC.schema_ddl)
    known = spark.table(name).where((F.col("run_id") == run_id) & (F.col("table_name") == table))
    if known.isEmpty():
        measured.writeTo(name).append()
        return
    measured.createOrReplaceTempView("measured")
    matches = " AND ".join(f"known.{key} = measured.{key}" for key in _SPEC.key)
    spark.sql(
        f"MERGE INTO {name} known USING measured ON {matches} "
        "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )
