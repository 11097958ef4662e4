"""The Spark session of a job: Iceberg through the catalog ``glue``, UTC, adaptive."""

from __future__ import annotations

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from config import names
from emr_jobs.lake.errors import LakeError

_CATALOG = f"spark.sql.catalog.{names.SPARK_CATALOG}"
_CATALOG_CLASS = "org.apache.iceberg.spark.SparkCatalog"

SESSION_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.adaptive.coalescePartitions.enabled": "true",
    # Many small shuffle partitions, which the adaptive planner joins to what the data need.
    "spark.sql.adaptive.coalescePartitions.initialPartitionNum": "64",
    # Else Spark sorts all rows once more before the shuffle, to drop the few copies that one task sees.
    "spark.sql.optimizer.windowGroupLimitThreshold": "-1",
}


def session_settings(warehouse: str, submitted: dict[str, str]) -> dict[str, str]:
    """The settings that ``submitted`` (a spark-submit's, a cluster's defaults) leaves to the job.

    A submitted catalog ``type`` or ``catalog-impl`` keeps GlueCatalog and S3FileIO away, so that tests can
    use a folder and the local runner an endpoint of its own. The time zone is always UTC: days depend on it.
    """
    wanted = {
        **SESSION_SETTINGS,
        _CATALOG: _CATALOG_CLASS,
        f"{_CATALOG}.warehouse": warehouse,
    }
    if f"{_CATALOG}.type" not in submitted and f"{_CATALOG}.catalog-impl" not in submitted:
        wanted[f"{_CATALOG}.catalog-impl"] = "org.apache.iceberg.aws.glue.GlueCatalog"
        wanted[f"{_CATALOG}.io-impl"] = "org.apache.iceberg.aws.s3.S3FileIO"
    missing = {key: value for key, value in wanted.items() if key not in submitted}
    return {**missing, "spark.sql.session.timeZone": "UTC"}


def open_session(app_name: str, warehouse: str) -> SparkSession:
    """Start the session of a job that spark-submit runs.

    Raises:
        LakeError: Iceberg is not on the class path.
    """
    # Starts the gateway of spark-submit; only then does SparkConf hold what was submitted.
    SparkContext._ensure_initialized()
    submitted = dict(SparkConf().getAll())
    settings = session_settings(warehouse, submitted)
    spark = SparkSession.builder.appName(app_name).config(map=settings).getOrCreate()
    require_iceberg(spark)
    sign_commits(spark, app_name)
    return spark


def sign_commits(spark: SparkSession, job: str) -> None:
    """Let the summary of every snapshot that this driver commits name the job, whatever commits it."""
    spark._jvm.org.apache.iceberg.EnvironmentContext.put(names.JOB_PROPERTY, job)


def require_iceberg(spark: SparkSession) -> None:
    """Refuse a session without Iceberg, before anything fails on it in other words."""
    if not spark._jvm.org.apache.spark.util.Utils.classIsLoadable(_CATALOG_CLASS):
        spark.stop()
        raise LakeError(
            f"Iceberg is not on Spark's class path ({_CATALOG_CLASS} cannot be loaded). On EMR: "
            "classification iceberg-defaults with iceberg.enabled=true. Elsewhere: spark-submit --packages "
            "org.apache.iceberg:iceberg-spark-runtime-3.5_2.12:1.10.1"
        )
