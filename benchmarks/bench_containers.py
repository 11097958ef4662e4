"""The container stacks: size of the images, and seconds until every healthcheck of docker_airflow is green.

    python -m benchmarks.bench_containers

Under a project name, image tag and ports of its own; all of it is removed at the end, but for the build
cache. ``build`` is the time of the build with the cache as it is, ``first_up`` that of a start on new volumes
(secrets, migration, deployment of the stacks), ``second_up`` that of a start after ``docker compose down``.

One JSON object a line. Needs a Docker engine.
"""

from __future__ import annotations

import json
import os
import sys
import time

from local_stack.account import DockerError
from tests.support.docker_engine import ROOT, Stack, engine_environment
from tests.support.local_stack import free_ports

PORTS = ("AIRFLOW_PORT", "LOCAL_AWS_PORT", "WEATHER_PORT")


def timed(stack: Stack, *arguments: str) -> float:
    """Seconds that a compose command takes."""
    started = time.monotonic()
    stack.compose(*arguments)
    return round(time.monotonic() - started, 1)


def main() -> int:
    """Run the benchmark; 1 where there is no engine."""
    try:
        environment = engine_environment()
    except DockerError as error:
        print(error, file=sys.stderr)
        return 1
    environment |= {"LAKEHOUSE_TAG": f"bench-{os.getpid()}"}
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    airflow = Stack(ROOT / "docker_airflow", f"bench-{os.getpid()}", environment, ports)
    notebook = Stack(ROOT / "docker_notebook", f"bench-notebook-{os.getpid()}", environment, {})
    try:
        build = timed(airflow, "build") + timed(notebook, "build", "jupyter")
        first = timed(airflow, "up", "--wait")
        airflow.compose("down")
        second = timed(airflow, "up", "--wait")
        print(json.dumps({"build": round(build, 1), "first_up": first, "second_up": second}))
        print(
            json.dumps(
                {"megabytes": {name.split(":")[0]: size for name, size in airflow.image_sizes().items()}}
            )
        )
    finally:
        notebook.remove()
        airflow.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
