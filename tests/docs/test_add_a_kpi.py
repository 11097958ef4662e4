"""docs/add-a-kpi.md, done word for word in a copy of the checkout: the step is in the DAG, the job runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from config import names
from local_stack.spark.install import ensure_runtime
from tests.support.lake import NOON, event, write_events

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "add-a-kpi.md").read_text()
ROOMS = ("config", "emr_jobs", "airflow", "ops", "kinesis", "sql")
DAY = 86_400


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout in which the page has been followed."""
    folder = tmp_path_factory.mktemp("checkout")
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    new_files = re.findall(r"`(emr_jobs/[\w/]+\.py)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(new_files) == 2
    for name, text in new_files:
        (folder / name).write_text(text)
    changes = re.findall(r"```diff\n(.*?)```", PAGE, re.DOTALL)
    assert len(changes) == 2
    for change in changes:
        apply(folder, change)
    return folder


def apply(folder: Path, change: str) -> None:
    """Make one change of the page: its unchanged lines say where."""
    head, *lines = [line for line in change.splitlines() if not line.startswith(("+++", "@@"))]
    file = folder / head.removeprefix("--- a/")
    before = "\n".join(line[1:] for line in lines if line.startswith(" "))
    after = "\n".join(line[1:] for line in lines)
    # The unchanged lines stand together in the file: only between them something is added.
    text = file.read_text()
    assert text.count(before) == 1, f"{file.name} has changed: mend docs/add-a-kpi.md"
    file.write_text(text.replace(before, after))


def python(copy: Path, *arguments: str, **environment: str) -> str:
    """What a Python process prints that works in the copy."""
    variables = {**os.environ, "PYTHONPATH": f"{copy}:{copy / 'airflow' / 'dags'}", **environment}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=copy, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def test_the_table_is_described(copy: Path) -> None:
    described = python(copy, "-m", "ops.table_docs")
    assert "daily_activity" in described
    assert "Distinct sensors that reported" in described


def test_the_step_is_in_the_dag_and_may_be_chosen(copy: Path, tmp_path: Path) -> None:
    code = """
import json
from clickstream_emr_kpis_dag import PARAMS, clickstream_emr_kpis
dag = clickstream_emr_kpis()
task = dag.get_task("kpi_daily_activity")
print(json.dumps({
    "group": task.task_group.group_id,
    "assets": [asset.name for asset in task.outlets],
    "before": sorted(task.upstream_task_ids),
    "choices": PARAMS["jobs"].schema["items"]["enum"],
}))
"""
    shown = json.loads(python(copy, "-c", code, AIRFLOW_HOME=str(tmp_path)).splitlines()[-1])
    assert (shown["group"], shown["assets"]) == ("kpis", ["daily_activity"])
    assert {"create_cluster", "events_ingested"} <= set(shown["before"])
    assert "kpi_daily_activity" in shown["choices"]


@pytest.mark.spark
def test_the_job_counts(copy: Path, tmp_path: Path) -> None:
    bronze, warehouse = tmp_path / "bronze", tmp_path / "warehouse"
    events = [
        event(uuid="a", sensor_id=1),
        event(uuid="b", sensor_id=1),
        event(uuid="b", sensor_id=1),
        event(uuid="c", sensor_id=2),
        event(uuid="d", sensor_id=2, timestamp=NOON - DAY),
        event(uuid="e", status=None),
    ]
    write_events(bronze / "dt=2026-06-01" / "hour=12" / "a.parquet", events)
    runtime = ensure_runtime()
    catalog = f"spark.sql.catalog.{names.SPARK_CATALOG}"
    settings = {
        **runtime.driver_settings(),
        "spark.driver.memory": "1g",
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.type": "hadoop",
    }
    options = [part for key, value in settings.items() for part in ("--conf", f"{key}={value}")]
    submit = [f"{runtime.environment()['SPARK_HOME']}/bin/spark-submit", *options]
    submit += ["emr_jobs/kpi_daily_activity.py", str(bronze), "analytics", "daily_activity", str(warehouse)]
    variables = {
        **runtime.environment(),
        "PATH": os.environ["PATH"],
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": str(copy),
    }
    done = subprocess.run(submit, cwd=copy, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert (report["unique_rows"], report["duplicates"]) == (4, 1)
    found = [
        row
        for file in (warehouse / "analytics" / "daily_activity" / "data").rglob("*.parquet")
        for row in pq.read_table(file, partitioning=None).to_pylist()
    ]
    assert sorted(found, key=lambda row: row["day"]) == [
        {"day": date(2026, 5, 31), "event_count": 1, "sensor_count": 1},
        {"day": date(2026, 6, 1), "event_count": 3, "sensor_count": 2},
    ]
