"""The notebooks: text, honest charts, and one that needs nothing but this machine."""

from __future__ import annotations

import os
import re
from pathlib import Path

import jupytext
import pytest

from local_stack.notebooks import jupyter_command, kernel_environment
from local_stack.spark.runtime import SparkRuntime
from tests.support.notebooks import NOTEBOOKS, execute, pictures

CHARTS = {"data_quality": 5, "explore_lakehouse": 3, "iceberg_local_demo": 2}


def test_these_are_the_notebooks() -> None:
    assert {file.stem for file in NOTEBOOKS.glob("*.py")} == {*CHARTS, "charting"}
    assert not list(NOTEBOOKS.glob("*.ipynb"))


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_has_title_units_and_source(name: str) -> None:
    cells = jupytext.read(NOTEBOOKS / f"{name}.py", fmt="py:percent").cells
    charts = [cell.source for cell in cells if "plt.show()" in cell.source]
    assert len(charts) == CHARTS[name]
    for chart in charts:
        assert re.search(r"title=", chart)
        assert re.search(r"[xy]label=", chart)
        assert "name_source(" in chart
        assert "ATTRIBUTION" in chart or "weather" not in chart
    assert cells[0].cell_type == "markdown"


@pytest.mark.spark
def test_the_local_demo_runs_without_aws(tmp_path: Path) -> None:
    nowhere = {name: "" for name in os.environ if name.startswith("AWS_")}
    outputs = execute("iceberg_local_demo", tmp_path, nowhere)
    assert pictures(outputs) == CHARTS["iceberg_local_demo"]


def kernel(tmp_path: Path, environ: dict[str, str]) -> tuple[dict[str, str], str]:
    runtime = SparkRuntime(folder=tmp_path, java_home=tmp_path)
    variables = kernel_environment(runtime, environ, tmp_path)
    return variables, (tmp_path / "spark-defaults.conf").read_text()


def test_kernels_know_the_catalog_of_the_account(tmp_path: Path) -> None:
    variables, properties = kernel(tmp_path, {"ICEBERG_BUCKET": "tables", "AWS_REGION": "eu-west-1"})
    assert "spark.sql.catalog.glue.warehouse s3://tables/\n" in properties
    assert "endpoint" not in properties
    assert variables["PYICEBERG_CATALOG__GLUE__TYPE"] == "glue"
    assert variables["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert str(tmp_path / "spark-defaults.conf") in variables["PYSPARK_SUBMIT_ARGS"]


def test_kernels_follow_an_endpoint_and_need_no_account(tmp_path: Path) -> None:
    _, properties = kernel(tmp_path, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "ICEBERG_BUCKET": "tables"})
    assert "spark.sql.catalog.glue.s3.endpoint http://127.0.0.1:1\n" in properties
    _, properties = kernel(tmp_path, {})
    assert "spark.sql.catalog.glue.warehouse" not in properties


def test_jupyter_answers_only_to_this_machines_names(tmp_path: Path) -> None:
    command = jupyter_command("127.0.0.1", "8888", tmp_path)
    assert "--ServerApp.allow_remote_access=False" in command
    assert "--ServerApp.port_retries=0" in command
