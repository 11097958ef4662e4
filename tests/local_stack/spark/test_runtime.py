from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from local_stack.spark import class_data, runtime
from local_stack.spark.install import ensure_class_data, ensure_runtime
from local_stack.spark.jars import SPARK_HOME
from local_stack.spark.java import find_java_home
from local_stack.spark.runtime import SparkRuntime, catalog_settings, endpoint_settings

PRINT_ARGUMENTS = """#!/usr/bin/env python3
import json, sys
print(json.dumps(sys.argv[1:]))
"""


@pytest.fixture
def bare(tmp_path: Path) -> SparkRuntime:
    """A runtime without a class data archive."""
    return SparkRuntime(tmp_path / "spark", find_java_home(os.environ))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["job.py", "--master", "x"], ["job.py", "--master", "x"]),
        (["--master", "yarn", "--deploy-mode", "cluster", "job.py"], ["job.py"]),
        (["--master=yarn", "--deploy-mode=cluster", "job.py"], ["job.py"]),
        (["--verbose", "--master", "yarn", "job.py"], ["--verbose", "job.py"]),
        (
            ["--conf", "a=b c", "--py-files", "s3://x/y.zip", "job.py", "one two", ""],
            ["--conf", "a=b c", "--py-files", "s3://x/y.zip", "job.py", "one two", ""],
        ),
        (["--conf=a=b", "job.py"], ["--conf=a=b", "job.py"]),
        (["--version"], ["--version"]),
        ([], []),
    ],
)
def test_spark_submit_leaves_the_cluster_out(
    bare: SparkRuntime,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    expected: list[str],
) -> None:
    spark_submit = tmp_path / "bin" / "spark-submit"
    spark_submit.parent.mkdir()
    spark_submit.write_text(PRINT_ARGUMENTS)
    spark_submit.chmod(0o755)
    monkeypatch.setattr(runtime, "SPARK_HOME", tmp_path)
    command, properties = tmp_path / "submit", tmp_path / "defaults.conf"

    bare.write_spark_submit(command, properties, {"spark.a": "1", "spark.b": "two words \\ and more"})

    output = subprocess.run([command, *arguments], capture_output=True, text=True, check=True).stdout
    assert json.loads(output) == ["--properties-file", str(properties), *expected]
    assert properties.read_text() == "spark.a 1\nspark.b two words \\\\ and more\n"


def test_the_driver_stays_on_loopback_and_in_utc(bare: SparkRuntime, tmp_path: Path) -> None:
    settings = bare.driver_settings(scratch=tmp_path)

    assert settings["spark.driver.host"] == settings["spark.driver.bindAddress"] == "127.0.0.1"
    assert settings["spark.ui.enabled"] == "false"
    assert settings["spark.sql.session.timeZone"] == "UTC"
    assert settings["spark.hadoop.hadoop.tmp.dir"] == str(tmp_path)
    assert "SharedArchiveFile" not in settings["spark.driver.defaultJavaOptions"]


def test_iceberg_is_on_the_class_path_only_where_it_is_switched_on(bare: SparkRuntime) -> None:
    with_it = bare.driver_settings()["spark.driver.extraClassPath"]
    without_it = bare.driver_settings(iceberg=False)["spark.driver.extraClassPath"]

    assert "/iceberg-spark-runtime" in with_it
    assert "/iceberg-" not in without_it
    assert with_it.startswith(without_it)


def test_the_catalog_is_the_jobs_affair_and_the_endpoint_the_clusters() -> None:
    assert (
        endpoint_settings("http://127.0.0.1:1", "eu-north-1").keys().isdisjoint(catalog_settings("s3://x/"))
    )


def test_an_archive_of_another_java_is_not_used(bare: SparkRuntime) -> None:
    bare.folder.mkdir()
    (bare.folder / "classes.jsa").touch()
    class_data.mark_current(bare.folder, bare.java_home)
    assert class_data.java_options(bare.folder, bare.java_home) != []

    (bare.folder / "classes.made-for").write_text("another Java")
    assert class_data.java_options(bare.folder, bare.java_home) == []


@pytest.mark.spark
def test_java_maps_sparks_classes_from_the_archive(tmp_path: Path) -> None:
    """Makes the archive of this checkout if there is none yet."""
    installed, told = ensure_runtime(), []
    ensure_class_data(installed, told.append)
    assert class_data.is_current(installed.folder, installed.java_home), told

    loaded = tmp_path / "loaded"
    command: list[str | Path] = [
        installed.java_home / "bin" / "java",
        *class_data.java_options(installed.folder, installed.java_home),
        f"-Xlog:class+load:file={loaded}",
        *("-cp", f"{installed.class_path()}:{SPARK_HOME}/jars/*"),
        *("org.apache.spark.deploy.SparkSubmit", "--version"),
    ]
    subprocess.run(command, check=True, capture_output=True)

    (line,) = [line for line in loaded.read_text().splitlines() if ".deploy.SparkSubmit source" in line]
    assert line.endswith("source: shared objects file (top)")
