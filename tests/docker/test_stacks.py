"""The two compose stacks, really built and brought up. The tests build on each other in this file's order.

All are in one file, so that they never run side by side: each image is built once, each stack started once.
"""

from __future__ import annotations

import json
from dataclasses import replace
from operator import not_

import boto3
import httpx
import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from config import names
from local_stack.airflow_server import AirflowApi
from ops.athena import run_query
from tests.support.docker_engine import Stack

pytestmark = pytest.mark.docker

EVENTS = 3_000
NOTEBOOKS = ("iceberg_local_demo", "explore_lakehouse", "data_quality")


def states(stack: Stack) -> dict[str, tuple[str, str, int]]:
    """State, health and exit code of each service."""
    lines = stack.compose("ps", "--all", "--format", "json").stdout.splitlines()
    found = [json.loads(line) for line in lines]
    return {each["Service"]: (each["State"], each["Health"], each["ExitCode"]) for each in found}


def test_airflow_comes_up_healthy(airflow_stack: Stack) -> None:
    airflow_stack.compose("up", "--no-build", "--wait", "--wait-timeout", "900")
    healthy, done = ("running", "healthy", 0), ("exited", "", 0)
    processes = ("postgres", "api-server", "scheduler", "dag-processor", "triggerer", "aws", "weather")
    assert states(airflow_stack) == dict.fromkeys(processes, healthy) | dict.fromkeys(
        ("secrets", "deploy", "migrate"), done
    )


def test_nothing_runs_as_root_and_nothing_listens_beyond_loopback(airflow_stack: Stack) -> None:
    for service in ("api-server", "scheduler", "aws", "weather"):
        assert airflow_stack.compose("exec", service, "id", "-u").stdout.strip() == "50000"
    lines = airflow_stack.compose("ps", "--format", "json").stdout.splitlines()
    published = [port for line in lines for port in json.loads(line)["Publishers"] if port["PublishedPort"]]
    assert sorted(port["PublishedPort"] for port in published) == sorted(airflow_stack.ports.values())
    assert {port["URL"] for port in published} == {"127.0.0.1"}


def test_a_run_triggered_by_rest_goes_green(airflow_stack: Stack) -> None:
    disorder = ["--late", "0.02", "--duplicates", "0.02", "--corrupt", "0.01"]
    producer = ["producer", "--count", str(EVENTS), "--rate", "max", "--unpaced", *disorder]
    airflow_stack.compose("run", "--rm", *producer)
    waiting = ["python", "-m", "ops.reconcile", "--wait-for-delivery"]
    airflow_stack.compose("exec", "scheduler", "docker_airflow/entrypoint.sh", *waiting)

    api = AirflowApi(f"http://127.0.0.1:{airflow_stack.ports['AIRFLOW_PORT']}")
    until_ready = Retrying(retry=retry_if_result(not_), stop=stop_after_delay(300), wait=wait_fixed(1))
    until_ready(api.dag_is_ready, names.DAG_ID)
    run_id = api.trigger(names.DAG_ID, {"jobs": ["ingest_events", "kpi_sensor_health"]})
    tasks: dict[str, str] = {}
    state = api.follow(
        names.DAG_ID, run_id, lambda task, now, _seconds: tasks.update({task: now}), lambda: None
    )
    assert state == "success", tasks
    assert tasks["kpi_sensor_health"] == tasks["terminate_cluster"] == "success"

    athena = boto3.client(
        "athena",
        endpoint_url=f"http://127.0.0.1:{airflow_stack.ports['LOCAL_AWS_PORT']}",
        region_name="eu-north-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    [(sensors, events)] = run_query(
        athena, "SELECT count(*), sum(total_count) FROM sensor_health", database="analytics"
    ).rows
    assert sensors == 100
    assert 0.9 * EVENTS < events < EVENTS


def test_the_log_of_a_task_is_readable_in_the_ui(airflow_stack: Stack) -> None:
    api = AirflowApi(f"http://127.0.0.1:{airflow_stack.ports['AIRFLOW_PORT']}")
    [run, *_] = api.get(f"dags/{names.DAG_ID}/dagRuns")["dag_runs"]
    log = api.get(f"dags/{names.DAG_ID}/dagRuns/{run['dag_run_id']}/taskInstances/publish_bundle/logs/1")
    assert "files uploaded" in json.dumps(log)


def test_secrets_are_generated_once_and_shown_nowhere(airflow_stack: Stack) -> None:
    def secret(name: str) -> str:
        return airflow_stack.compose("exec", "scheduler", "cat", f"/secrets/{name}").stdout

    before = secret("postgres-password")
    assert len(before) >= 64
    airflow_stack.compose("run", "--rm", "--no-deps", "secrets")
    assert secret("postgres-password") == before
    shown = airflow_stack.compose("config").stdout + airflow_stack.compose("logs", "--no-color").stdout
    assert before not in shown


def test_without_settings_the_stack_says_what_is_missing(airflow_stack: Stack) -> None:
    run = ["run", "--rm", "--no-deps", "-e", "COMPOSE_PROFILES=", "migrate"]
    refused = airflow_stack.compose(*run, check=False)
    assert refused.returncode == 1
    for part in ("BRONZE_BUCKET is not set", "ICEBERG_BUCKET is not set", "./start_local_airflow.sh --aws"):
        assert part in refused.stderr


def test_wrong_credentials_are_told(airflow_stack: Stack) -> None:
    settings = [f"{name}_BUCKET=some-bucket" for name in ("BRONZE", "ICEBERG", "SCRIPTS", "LOGS")]
    given = ["COMPOSE_PROFILES=", "AWS_ENDPOINT_URL=http://aws:4566", *settings]
    options = [option for each in given for option in ("-e", each)]
    refused = airflow_stack.compose("run", "--rm", "--no-deps", *options, "migrate", check=False)
    assert refused.returncode == 1
    assert "no usable AWS credentials" in refused.stderr
    assert "aws configure export-credentials" in refused.stderr


def test_a_database_that_is_not_there_is_told(airflow_stack: Stack) -> None:
    code = (
        "import sys; sys.path.insert(0, 'docker_airflow'); import prepare; "
        "prepare.wait_for_postgres('postgresql+psycopg2://airflow:x@127.0.0.1:9/airflow', 1)"
    )
    refused = airflow_stack.compose("run", "--rm", "--no-deps", "migrate", "python", "-c", code, check=False)
    assert refused.returncode == 1
    assert "Postgres is not ready after 1 s" in refused.stderr


def test_a_taken_port_is_named(airflow_stack: Stack) -> None:
    second = replace(airflow_stack, project=f"{airflow_stack.project}-second")
    try:
        refused = second.compose("up", "--no-build", "--detach", "--no-deps", "weather", check=False)
    finally:
        second.compose("--profile", "*", "down", "--volumes", check=False)
    assert refused.returncode != 0
    assert f"127.0.0.1:{airflow_stack.ports['WEATHER_PORT']}" in refused.stderr
    assert "port is already allocated" in refused.stderr


def test_down_leaves_nothing_of_airflow(airflow_stack: Stack) -> None:
    assert airflow_stack.left("volume")
    airflow_stack.compose("down", "--volumes")
    assert [airflow_stack.left(kind) for kind in ("container", "volume", "network")] == [[], [], []]


def test_the_notebooks_can_stand_beside_airflow(notebook_stack: Stack) -> None:
    both = ["-f", "compose.yaml", "-f", "beside-airflow.yaml"]
    config = json.loads(notebook_stack.compose(*both, "config", "--format", "json").stdout)
    network = config["networks"]["default"]
    assert (network["name"], network["external"]) == ("lakehouse-airflow_default", True)
    assert config["volumes"]["settings"]["name"] == "lakehouse-airflow_settings"
    assert "depends_on" not in config["services"]["jupyter"]


def test_a_notebook_runs_top_to_bottom_in_its_stack(notebook_stack: Stack) -> None:
    notebook_stack.compose("up", "--no-build", "--wait", "--wait-timeout", "1200")
    jupyter = f"http://127.0.0.1:{notebook_stack.ports['JUPYTER_PORT']}"
    listed = httpx.get(f"{jupyter}/api/contents").json()["content"]
    assert {f"{name}.py" for name in NOTEBOOKS} <= {item["name"] for item in listed}
    assert httpx.get(f"{jupyter}/api/contents", headers={"Host": "evil.example"}).status_code == 403

    # The one that asks every engine. tests/chain and tests/notebooks run all of them without containers.
    made = "notebooks/work/explore_lakehouse.ipynb"
    execute = ["jupytext", "--to", "ipynb", "--execute", "--run-path", ".", "explore_lakehouse.py"]
    command = [
        "python",
        "-m",
        "local_stack.notebooks",
        "--",
        *execute,
        "--output",
        made.removeprefix("notebooks/"),
    ]
    notebook_stack.compose("exec", "jupyter", "docker_airflow/entrypoint.sh", *command)
    notebook = notebook_stack.compose("exec", "jupyter", "cat", made).stdout
    outputs = [output for cell in json.loads(notebook)["cells"] for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
    assert not [output for output in outputs if output["output_type"] == "error"]


def test_down_leaves_nothing_of_the_notebooks(notebook_stack: Stack) -> None:
    assert notebook_stack.left("volume")
    notebook_stack.compose("down", "--volumes")
    assert [notebook_stack.left(kind) for kind in ("container", "volume", "network")] == [[], [], []]
