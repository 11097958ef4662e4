"""What benchmarks have in common: their command lines, and the session of a job."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pyspark.sql import SparkSession

from config import names
from emr_jobs.lake.session import SESSION_SETTINGS


def benchmark_parser(name: str, doc: str | None) -> argparse.ArgumentParser:
    """A parser for ``python -m benchmarks.bench_NAME``, whose help is the module's docstring."""
    return argparse.ArgumentParser(
        prog=f"python -m benchmarks.bench_{name}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def folder_catalog(warehouse: Path) -> dict[str, str]:
    """Settings of a catalog in a folder, where a job has Glue's."""
    catalog = f"spark.sql.catalog.{names.SPARK_CATALOG}"
    return {
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.type": "hadoop",
        f"{catalog}.warehouse": str(warehouse),
    }


@contextmanager
def spark_session(settings: Mapping[str, str]) -> Iterator[SparkSession]:
    """A job's session, with settings of the machine and the catalog; stopped at the end of the block."""
    quiet = {"spark.ui.showConsoleProgress": "false"}
    builder = SparkSession.builder.appName("benchmark").config(map={**settings, **quiet, **SESSION_SETTINGS})
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    try:
        yield spark
    finally:
        spark.stop()
