"""Real Spark and real Iceberg tables in a folder: one session for all tests, a database for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from config import names
from local_stack.spark.install import ensure_runtime
from local_stack.spark.runtime import catalog_settings, endpoint_settings
from tests.support.emulated_aws import EmulatedAws
from tests.support.lake import Lake

_NUMBERS = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """pyspark leaves the sockets of its callbacks to the garbage collector."""
    for item in items:
        if item.get_closest_marker("spark"):
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket.socket:ResourceWarning"))


@pytest.fixture(scope="session")
def spark_settings() -> dict[str, str]:
    """Spark properties of a small driver whose catalog is a folder still to be named."""
    runtime = ensure_runtime()
    return {
        **runtime.driver_settings(),
        "spark.driver.memory": "1g",
        # For a few rows: plans take longer to compile, and to adapt at each stage, than to interpret as they
        # are, in one partition.
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.shuffle.partitions": "1",
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
    settings = {
        **spark_settings,
        f"spark.sql.catalog.{names.SPARK_CATALOG}.warehouse": str(warehouse),
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    }
    session = SparkSession.builder.appName("tests").config(map=settings).getOrCreate()
    yield session
    session.stop()


@pytest.fixture
def lake_anew(spark: SparkSession, warehouse: Path, tmp_path: Path) -> Callable[[], Lake]:
    """Makes a lake with an empty bronze folder and an empty database each time."""

    def make() -> Lake:
        number = next(_NUMBERS)
        return Lake(spark, tmp_path / str(number) / "bronze", f"test_{number}", warehouse)

    return make


@pytest.fixture
def lake(lake_anew: Callable[[], Lake]) -> Lake:
    """An empty bronze folder and an empty database."""
    return lake_anew()


@pytest.fixture
def glue_lake(
    spark: SparkSession, aws_environment: EmulatedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Lake:
    """A lake whose catalog is the emulated Glue, with its files in the emulated S3; bronze is a folder."""
    number = next(_NUMBERS)
    bucket, catalog = f"iceberg-{number}", f"glue_{number}"
    aws_environment.client("s3").create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws_environment.region}
    )
    monkeypatch.setattr(names, "SPARK_CATALOG", catalog)
    for key, value in ("aws.accessKeyId", "test"), ("aws.secretAccessKey", "test"):
        spark._jvm.java.lang.System.setProperty(key, value)
    settings = {
        **catalog_settings(f"s3://{bucket}/"),
        **endpoint_settings(aws_environment.endpoint, aws_environment.region),
    }
    hadoop = spark._jsc.hadoopConfiguration()
    for key, value in settings.items():
        if key.startswith("spark.hadoop."):
            hadoop.set(key.removeprefix("spark.hadoop."), value)
    for key in ("access.key", "secret.key"):
        hadoop.set(f"fs.s3a.{key}", "test")
    own = {key: value for key, value in settings.items() if key.startswith(f"spark.sql.catalog.{catalog}")}
    for key, value in own.items():
        spark.conf.set(key, value)
    return Lake(spark, tmp_path / "bronze", f"glue_test_{number}", f"s3://{bucket}/", own)
