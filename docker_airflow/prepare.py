"""Before Airflow starts: are the settings usable, do the credentials work, is Postgres there? Then migrate.

Each problem is one message and exit code 1: the last lines of ``docker compose logs migrate``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

import boto3
import psycopg2
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from config.project_config import ConfigError, Settings
from ops.deployment.deployer import identify
from ops.deployment.errors import DeployError

POSTGRES_SECONDS = 60


class NotReadyError(RuntimeError):
    """The stack cannot start; the message says what to do."""


def check_account(environment: Mapping[str, str]) -> str:
    """Where the DAGs will work: a line about the account.

    Raises:
        NotReadyError: settings are missing or malformed, or AWS does not accept the credentials.
    """
    try:
        settings = Settings.from_mapping(environment)
        caller = identify(boto3.session.Session(region_name=settings.aws_region))
    except ConfigError as error:
        raise NotReadyError(
            f"{error}\nThis stack was started without the emulated AWS, so it needs the settings of an "
            "account: ./start_local_airflow.sh --aws writes them to .env and starts the stack with it. For "
            "the emulated AWS start it with COMPOSE_PROFILES=emulated, as plain `docker compose up` does."
        ) from error
    except DeployError as error:
        raise NotReadyError(
            f"{error}\nThe containers get the AWS_* variables of the shell that starts them; "
            '`eval "$(aws configure export-credentials --format env)"` sets them from a profile.'
        ) from error
    endpoint = environment.get("AWS_ENDPOINT_URL")
    return f"Account {caller.account_id}, {caller.region}" + (f", at {endpoint}" if endpoint else "")


def wait_for_postgres(connection: str, seconds: float = POSTGRES_SECONDS) -> None:
    """Wait until the database (a SQLAlchemy URL) accepts connections.

    Raises:
        NotReadyError: it does not in time; with its last answer.
    """
    attempts = Retrying(
        retry=retry_if_exception_type(psycopg2.OperationalError),
        wait=wait_fixed(1),
        stop=stop_after_delay(seconds),
    )
    try:
        attempts(lambda: psycopg2.connect(connection.replace("+psycopg2", ""), connect_timeout=5).close())
    except RetryError as error:
        reason = error.last_attempt.exception()
        raise NotReadyError(
            f"Postgres is not ready after {seconds:.0f} s: {reason}\nSee `docker compose logs postgres`. "
            "If it refuses the password, its volume is older than the secrets': `docker compose down -v` "
            "removes both."
        ) from error


def main() -> int:
    """Check, migrate; 1 with a message if the stack cannot start."""
    try:
        print(check_account(os.environ))
        command = ["airflow", "config", "get-value", "database", "sql_alchemy_conn"]
        found = subprocess.run(command, check=True, capture_output=True, text=True)
        wait_for_postgres(found.stdout.strip().splitlines()[-1])
    except NotReadyError as error:
        print(error, file=sys.stderr)
        return 1
    return subprocess.run(["airflow", "db", "migrate"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
