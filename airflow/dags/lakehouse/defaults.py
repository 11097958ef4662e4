"""What every DAG has in common, and what may be known of the environment while a DAG file is parsed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from config.environments import PROFILES, EnvironmentProfile

OWNER = "data-platform"

DAG_DEFAULT_ARGS: dict[str, Any] = {
    "owner": OWNER,
    "depends_on_past": False,
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
    # Of a task in a worker; one that waits for EMR is deferred, and has a time limit of its own.
    "execution_timeout": timedelta(minutes=15),
}
"""Every DAG's default arguments. A retry is cheap: it adopts the cluster and the step of its own run."""

DAG_ARGUMENTS: dict[str, Any] = {
    "start_date": datetime(2026, 1, 1, tzinfo=UTC),
    "catchup": False,
    "max_active_runs": 1,
    "default_args": DAG_DEFAULT_ARGS,
}
"""Every DAG's own arguments."""

# No DAG sets dagrun_timeout: when it strikes, Airflow skips the tasks that are left, the teardown too.


def profile_while_parsing(environment: Mapping[str, str] | None = None) -> EnvironmentProfile:
    """The profile that ENVIRONMENT names; dev's, which has no schedule, when it is unset or unknown.

    Never raises: the settings are checked by a run's first task, which can say what is wrong.
    """
    name = (os.environ if environment is None else environment).get("ENVIRONMENT", "").strip()
    return PROFILES.get(name, PROFILES["dev"])
