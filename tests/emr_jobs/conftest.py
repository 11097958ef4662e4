"""Real Spark and real Iceberg tables in a folder: one session for all tests, a database for each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from config import names
from local_stack.spark.install import ensure_runtime
from tests.support.lake import Lake

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def spark_settings() -> dict[str, str]:
    """Spark properties of a small driver whose catalog is a folder still to be named."""
    runtime = ensure_runtime()
    return {
        **runtime.driver_settings(),
        "spark.driver.memory": "1g",
        "spark.ui.showConsoleProgress": "false",
        f"spark.sql.catalog.{names.SPARK_CATALOG}": "org.apache.iceberg.spark.SparkCatalog",
        f"spark.sql.catalog.{names.SPARK_CATALOG}.type": "hadoop",
    }


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all Iceberg tables of the test session."""
    return tmp_path_factory.mktemp("warehouse")


@pytest.fixture(scope="session")
def spark(spark_settings: dict[str, str], warehouse: Path) -> Iterator[SparkSession]:
    """A session with an Iceberg catalog ``glue`` in a folder."""
    builder = SparkSession.builder.appName("tests")
    settings = {
        **spark_settings,
        f"spark.sql.catalog.{names.SPARK_CATALOG}.warehouse": str(warehouse),
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    }
    for key, value in settings.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


@pytest.fixture
def lake(spark: SparkSession, warehouse: Path, tmp_path: Path) -> Lake:
    """An empty bronze folder and an empty database."""
    return Lake(spark, bronze=tmp_path / "bronze", database=f"test_{next(_NUMBERS)}", warehouse=warehouse)
