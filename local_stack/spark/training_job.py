"""The Spark job of ``training``: what our jobs do, on three rows, so that their classes are loaded.

Arguments: a Parquet path, an Iceberg database.
"""

from __future__ import annotations

import sys

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812 (the usual name)


def daily(events: DataFrame) -> DataFrame:
    """Distinct events aggregated per day and place: day, latitude, events, average."""
    newest_first = Window.partitionBy("uuid", "timestamp").orderBy(F.desc("hour"))
    return (
        events.withColumn("copy", F.row_number().over(newest_first))
        .where(F.col("copy") == 1)
        .where(F.col("location.longitude").isNotNull() | F.col("status").isin("active", "faulty"))
        .withColumn("day", F.to_date(F.timestamp_seconds("timestamp")))
        .groupBy("day", (F.round("location.latitude", 6) + F.lit(0.0)).alias("latitude"))
        .agg(
            F.count(F.lit(1)).alias("events"),
            F.countDistinct("sensor_id").alias("sensors"),
            (F.sum(F.round(F.col("temperature") * 1_000_000).cast("bigint")) / 1_000_000).alias("average"),
        )
    )


def main() -> None:
    """Read, aggregate, create, overwrite, append, merge, read again."""
    path, database = sys.argv[1:]
    spark = SparkSession.builder.appName("training").getOrCreate()
    table = f"glue.{database}.daily"
    spark.sql(
        f"CREATE TABLE IF NOT EXISTS {table} (day date, latitude double, events bigint, sensors bigint, "
        "average double) USING iceberg PARTITIONED BY (months(day)) TBLPROPERTIES ('format-version'='2')"
    )
    result = daily(spark.read.parquet(path)).cache()
    result.orderBy("day").writeTo(table).overwrite(F.lit(True))
    result.writeTo(table).option("snapshot-property.trained", "true").append()
    result.createOrReplaceTempView("changes")
    spark.sql(
        f"MERGE INTO {table} t USING (SELECT DISTINCT day, latitude, events FROM changes WHERE events > 1) c "  # noqa: S608
        "ON t.day = c.day AND t.latitude = c.latitude WHEN MATCHED THEN UPDATE SET t.events = c.events"
    )
    spark.table(table).join(F.broadcast(spark.table("changes")), ["day", "latitude"]).orderBy("day").collect()
    spark.table(f"{table}.snapshots").select("summary").collect()
    spark.stop()


if __name__ == "__main__":
    main()
