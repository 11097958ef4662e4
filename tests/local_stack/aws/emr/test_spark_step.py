"""One real spark-submit as a step: script and package from s3://, Parquet by S3A, Iceberg in Glue."""

from __future__ import annotations

import io
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.glue import GlueCatalog

from config.cluster import CONFIGURATIONS
from local_stack.spark.runtime import catalog_settings
from tests.support.emr import EmrClusters, step

pytestmark = [pytest.mark.aws, pytest.mark.spark]

BUCKET = "emr-spark-step"
DATABASE = "emr_spark_step"

JOB = """
import sys
from pyspark.sql import SparkSession
from doubling import doubled

source, table, *settings = sys.argv[1:]
builder = SparkSession.builder
for setting in settings:
    builder = builder.config(*setting.split("=", 1))
spark = builder.getOrCreate()
rows = spark.read.parquet(source).select("number", doubled("number").alias("doubled"))
rows.writeTo(table).using("iceberg").tableProperty("format-version", "2").create()
print(spark.conf.get("spark.sql.session.timeZone"), spark.conf.get("spark.sql.maxPlanStringLength"))
"""

PACKAGE = """
from pyspark.sql import functions
from pyspark.sql.types import LongType

@functions.udf(LongType())
def doubled(number):
    return 2 * number
"""


def test_a_spark_job_reads_parquet_and_writes_an_iceberg_table(clusters: EmrClusters) -> None:
    aws, s3 = clusters.aws, clusters.s3
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": aws.region})
    aws.client("glue").create_database(DatabaseInput={"Name": DATABASE})
    s3.put_object(Bucket=BUCKET, Key="job.py", Body=JOB.encode())
    s3.put_object(Bucket=BUCKET, Key="packages.zip", Body=_zipped("doubling.py", PACKAGE))
    s3.put_object(Bucket=BUCKET, Key="numbers/dt=2026-01-01/part.parquet", Body=_parquet(range(100)))
    more = {"Classification": "spark-defaults", "Properties": {"spark.sql.maxPlanStringLength": "777"}}
    cluster_id = clusters.start_and_wait(Configurations=[*CONFIGURATIONS, more])

    command = [
        *("timeout", "--kill-after=60", "300", "spark-submit", "--deploy-mode", "cluster"),
        *("--py-files", f"s3://{BUCKET}/packages.zip", f"s3://{BUCKET}/job.py"),
        *(f"s3://{BUCKET}/numbers/", f"glue.{DATABASE}.numbers"),
        *(f"{key}={value}" for key, value in catalog_settings(f"s3://{BUCKET}/warehouse/").items()),
    ]
    (status,) = clusters.run(cluster_id, step("spark", *command))

    assert status["State"] == "COMPLETED", status
    assert clusters.log(cluster_id, f"steps/{status['Id']}/stdout.gz") == "UTC 777\n"
    assert _numbers(clusters) == [(number, 2 * number) for number in range(100)]


def _numbers(clusters: EmrClusters) -> list[tuple[int, int]]:
    endpoint, region = clusters.aws.endpoint, clusters.aws.region
    keys = {"access-key-id": "test", "secret-access-key": "test", "region": region}
    catalog = GlueCatalog(
        "glue",
        **{"glue.endpoint": endpoint, "s3.endpoint": endpoint},
        **{f"{service}.{name}": value for service in ("glue", "s3") for name, value in keys.items()},
    )
    table = catalog.load_table(f"{DATABASE}.numbers")
    assert table.format_version == 2
    rows = table.scan().to_arrow().sort_by("number").to_pylist()
    return [(row["number"], row["doubled"]) for row in rows]


def _parquet(numbers: range) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"number": pa.array(numbers, pa.int64())}), file)
    return file.getvalue()


def _zipped(name: str, text: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, text)
    return file.getvalue()
