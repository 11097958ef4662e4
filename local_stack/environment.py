"""The environment in which everything of the local stack runs, and which a user can source."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

import boto3
from rich.console import Console

from config.project_config import DEFAULT_REGION
from config.stacks import SETTINGS
from local_stack.aws.console import CONSOLE_PATH
from ops.deploy import deploy_all

BUFFERING_SECONDS = "5"
"""Firehose delivers after this long at the latest: a newcomer should not wait for the usual minutes."""

_PROJECT_SETTINGS = (*SETTINGS, "ENVIRONMENT")


def aws_variables(endpoint: str, region: str = DEFAULT_REGION) -> dict[str, str]:
    """What makes the aws CLI, boto3 and pyiceberg talk to the emulated AWS at ``endpoint``."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Where the links of Airflow's tasks lead.
        "AWS_CONSOLE_URL": endpoint + CONSOLE_PATH,
        # A local step is asked for its state every second: nobody throttles here.
        "EMR_POLL_SECONDS": "1",
        # Local clusters run on this machine.
        "EMR_WHEELS": "native",
        # A pyiceberg catalog of the name "glue" needs no further configuration.
        "PYICEBERG_CATALOG__GLUE__TYPE": "glue",
        "PYICEBERG_CATALOG__GLUE__GLUE__ENDPOINT": endpoint,
        "PYICEBERG_CATALOG__GLUE__S3__ENDPOINT": endpoint,
    }


def enter(endpoint: str) -> None:
    """Point this process and all that it starts at the emulated AWS.

    The user's own AWS and project settings are dropped: the local stack must never reach a real
    account, nor use the names of one.
    """
    for name in [name for name in os.environ if name.startswith("AWS_") or name in _PROJECT_SETTINGS]:
        del os.environ[name]
    os.environ.update(aws_variables(endpoint))


def deploy_stacks(env_file: Path, environment: str, console: Console) -> None:
    """Deploy the stacks of dev or prod to the emulated AWS; add their names to the environment and to
    ``env_file``.

    Raises:
        DeployError: with a message for the user.
    """
    parameters = {"BufferIntervalSeconds": BUFFERING_SECONDS}
    names = deploy_all(boto3.session.Session(), environment, parameters, console=console)
    os.environ.update(names)
    weather = {name: os.environ[name] for name in ("WEATHER_API_URL",) if name in os.environ}
    write_env_file(env_file, {**aws_variables(os.environ["AWS_ENDPOINT_URL"]), **names, **weather})


def write_env_file(path: Path, variables: Mapping[str, str]) -> None:
    """Write variables as a file that a shell can source."""
    lines = ["# Written by ./start_local_airflow.sh. Source it: the aws CLI, boto3 and pyiceberg just work."]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items())]
    path.write_text("\n".join(lines) + "\n")
