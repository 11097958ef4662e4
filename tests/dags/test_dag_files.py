"""DAG files import whatever the environment holds, and there are as many DAGs as we think."""

from __future__ import annotations

import pytest
from airflow.dag_processing.dagbag import DagBag

from config import names
from config.environments import PROFILES
from lakehouse.defaults import profile_while_parsing
from tests.dags.conftest import DAGS_FOLDER, VARIABLES

DAG_IDS = {
    names.DAG_ID,
    names.MAINTENANCE_DAG_ID,
    names.SWEEPER_DAG_ID,
    names.BACKFILL_DAG_ID,
    names.REPLAY_DAG_ID,
    names.ERASURE_DAG_ID,
}

SCHEDULES = {
    "": (None, None, None),
    "dev": (None, None, None),
    "prod": ("0 3 * * *", "0 6 * * *", "30 * * * *"),
    "nonsense": (None, None, None),
}
"""Of the main DAG, of maintenance and of the sweeper."""


def load() -> DagBag:
    """Parse the DAG files now."""
    return DagBag(DAGS_FOLDER)


def test_dags_import_without_any_setting(no_settings: None) -> None:
    bag = load()
    assert bag.import_errors == {}
    assert set(bag.dags) == DAG_IDS
    assert len(bag.dagbag_stats) == len(DAG_IDS), "a file that is no DAG was parsed: see .airflowignore"


def test_dags_import_with_all_settings(settings_environment: dict[str, str]) -> None:
    bag = load()
    assert bag.import_errors == {}
    assert set(bag.dags) == DAG_IDS


def test_dags_import_with_malformed_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "s3://Not Valid!")
    bag = load()
    assert bag.import_errors == {}
    assert set(bag.dags) == DAG_IDS


@pytest.mark.parametrize(("environment", "schedules"), SCHEDULES.items())
def test_schedule_follows_environment_alone(
    environment: str,
    schedules: tuple[str | None, str | None, str | None],
    no_settings: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENVIRONMENT", environment)
    dags = load().dags
    ids = (names.DAG_ID, names.MAINTENANCE_DAG_ID, names.SWEEPER_DAG_ID)
    assert tuple(dags[dag_id].schedule for dag_id in ids) == schedules


def test_profile_of_an_unknown_environment_is_the_one_without_schedule() -> None:
    assert profile_while_parsing({"ENVIRONMENT": "production"}) == PROFILES["dev"]
    assert profile_while_parsing({"ENVIRONMENT": " prod "}) == PROFILES["prod"]
    assert profile_while_parsing({}) == PROFILES["dev"]
