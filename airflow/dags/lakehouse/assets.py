"""The lake's tables as Airflow assets."""

from __future__ import annotations

from airflow.sdk import Asset

from config import names
from config.tables import TABLES


def table_asset(table: str) -> Asset:
    """The asset of an Iceberg table.

    Its URI names no bucket: buckets are not known while a DAG file is parsed.

    Raises:
        KeyError: no such table.
    """
    spec = TABLES[table]
    return Asset(
        name=spec.name,
        uri=f"x-iceberg://{names.SPARK_CATALOG}/{spec.name}",
        extra={"doc": spec.doc, "columns": ", ".join(spec.column_names)},
    )
