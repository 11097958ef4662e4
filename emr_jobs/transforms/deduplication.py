"""One event is one (uuid, timestamp): which of its copies is kept."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

IDENTITY = ("uuid", "timestamp")
POSITION = ("source_file", "source_row")


def keep_first_copies(events: DataFrame) -> DataFrame:
    """Keep per (uuid, timestamp) the row with the smallest (source_file, source_row).

    The copies may differ in content: the position alone decides, so that the result does not
    depend on the order in which files are read.
    """
    by_identity = Window.partitionBy(*IDENTITY).orderBy(*POSITION)
    return events.withColumn("_copy", F.row_number().over(by_identity)).where("_copy = 1").drop("_copy")
