"""The stack of docker_notebook, really built and brought up, with a sample of its own to explore."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.support.docker_engine import Stack

pytestmark = pytest.mark.docker

NOTEBOOKS = ("iceberg_local_demo", "explore_lakehouse", "data_quality")


def test_a_notebook_runs_top_to_bottom_in_its_stack(notebook_stack: Stack) -> None:
    notebook_stack.compose("up", "--build", "--wait", "--wait-timeout", "1200")
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
