"""A job as a cluster runs it: spark-submit of the entry script, the packages in a zip, a bare Python.

spark-submit leads what Python writes to stderr into stdout.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from config import names
from emr_jobs.lake.session import session_settings
from lakehouse.table_state import changes_of
from local_stack.spark.install import ensure_runtime
from tests.support.lake import Lake, event

ROOT = Path(__file__).resolve().parents[2]
BARE_PYTHON = f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"
CATALOG = f"spark.sql.catalog.{names.SPARK_CATALOG}"


def submit(folder: Path, settings: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run kpi_event_geo from ``folder`` with only the bundle, Spark and Python's standard library."""
    script = shutil.copy(ROOT / "emr_jobs" / "kpi_event_geo.py", folder)
    with zipfile.ZipFile(folder / "packages.zip", "w") as packages:
        for file in [*ROOT.glob("config/*.py"), *ROOT.glob("emr_jobs/**/*.py")]:
            packages.write(file, file.relative_to(ROOT))
    runtime = ensure_runtime()
    options = [part for key, value in settings.items() for part in ("--conf", f"{key}={value}")]
    return subprocess.run(
        [
            runtime.environment()["SPARK_HOME"] + "/bin/spark-submit",
            *options,
            "--py-files",
            str(folder / "packages.zip"),
            str(script),
            *arguments,
        ],
        cwd=folder,
        env={
            **runtime.environment(),
            "PATH": os.environ["PATH"],
            "PYSPARK_PYTHON": BARE_PYTHON,
        },
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.spark
def test_a_submitted_job_publishes_and_ends_with_its_report(
    lake: Lake, spark_settings: dict[str, str], tmp_path: Path
) -> None:
    lake.deliver("dt=2026-06-01/hour=12/a.parquet", event(status="faulty"), event(uuid="b", status=None))

    step = submit(tmp_path, spark_settings, *lake.arguments("event_geo_kpis"))

    assert step.returncode == 0, step.stderr
    report = json.loads(step.stdout.splitlines()[-1])
    assert (report["input_rows"], report["unique_rows"], report["rejected"]) == (2, 1, {"missing_field": 1})
    assert [row["faulty_count"] for row in lake.rows("event_geo_kpis_faulty_geo")] == [1]
    published = report["published"][lake.name("event_geo_kpis_events")]
    assert lake.snapshots("event_geo_kpis_events")[-1] == published["id"]
    assert {change.job for change in changes_of(lake.metadata("event_geo_kpis_events"))} == {"kpi_event_geo"}


@pytest.mark.spark
def test_wrong_arguments_exit_2_with_the_usage(spark_settings: dict[str, str], tmp_path: Path) -> None:
    step = submit(tmp_path, spark_settings, "s3://bronze/clickstream/", "analytics; DROP DATABASE x", "t")

    assert step.returncode == 2
    assert "usage: spark-submit kpi_event_geo.py <BRONZE_PATH> <ICEBERG_DB>" in step.stdout


@pytest.mark.spark
def test_without_iceberg_the_message_says_so(spark_settings: dict[str, str], tmp_path: Path) -> None:
    settings = {**spark_settings, "spark.driver.extraClassPath": ensure_runtime().class_path(iceberg=False)}

    step = submit(tmp_path, settings, str(tmp_path / "none"), "analytics", "event_geo_kpis", str(tmp_path))

    assert step.returncode == 1
    assert "kpi_event_geo failed: Iceberg is not on Spark's class path" in step.stdout
    assert "Traceback" not in step.stdout


def test_on_a_cluster_the_job_brings_its_catalog() -> None:
    settings = session_settings("s3://iceberg/", {"spark.app.name": "x"})

    assert settings[CATALOG] == "org.apache.iceberg.spark.SparkCatalog"
    assert settings[f"{CATALOG}.catalog-impl"] == "org.apache.iceberg.aws.glue.GlueCatalog"
    assert settings[f"{CATALOG}.io-impl"] == "org.apache.iceberg.aws.s3.S3FileIO"
    assert settings[f"{CATALOG}.warehouse"] == "s3://iceberg/"
    assert settings["spark.sql.session.timeZone"] == "UTC"


def test_what_was_submitted_goes_before_what_the_job_would_set() -> None:
    submitted = {
        f"{CATALOG}.s3.endpoint": "http://127.0.0.1:4566",
        f"{CATALOG}.io-impl": "org.apache.iceberg.hadoop.HadoopFileIO",
        "spark.sql.adaptive.enabled": "false",
    }
    settings = session_settings("s3://iceberg/", submitted)

    assert not settings.keys() & submitted.keys()
    assert settings[f"{CATALOG}.catalog-impl"] == "org.apache.iceberg.aws.glue.GlueCatalog"


def test_a_submitted_kind_of_catalog_keeps_glue_away() -> None:
    settings = session_settings("/warehouse", {f"{CATALOG}.type": "hadoop"})

    assert settings[f"{CATALOG}.warehouse"] == "/warehouse"
    assert f"{CATALOG}.catalog-impl" not in settings
    assert f"{CATALOG}.io-impl" not in settings


def test_the_time_zone_is_utc_even_if_another_was_submitted() -> None:
    submitted = {"spark.sql.session.timeZone": "Europe/Berlin"}

    assert session_settings("s3://iceberg/", submitted)["spark.sql.session.timeZone"] == "UTC"
