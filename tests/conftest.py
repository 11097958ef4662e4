"""Fixtures that more than one room uses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support import analyst_lake
from tests.support.athena import Athena
from tests.support.emulated_aws import EmulatedAws, lead_process_to, run_emulated_aws

# How fast an example is says nothing of the code on a machine that others use too.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def emulated_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedAws]:
    """One emulated AWS for all tests: take names of your own. ``run_emulated_aws`` starts a private one.

    ``emulated_aws.environment`` is for child processes, ``emulated_aws.client("s3")`` for the test itself.
    """
    with run_emulated_aws(tmp_path_factory.mktemp("emulated_aws"), "--fresh") as aws:
        yield aws


@pytest.fixture
def aws_environment(emulated_aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch) -> EmulatedAws:
    """``emulated_aws``, with this process's own environment leading to it during the test."""
    lead_process_to(emulated_aws.environment, monkeypatch)
    return emulated_aws


@pytest.fixture(scope="session")
def lakehouse(emulated_aws: EmulatedAws) -> Athena:
    """Athena in an account of its own that holds the small lakehouse of ``analyst_lake``."""
    athena = Athena.in_new_account(emulated_aws)
    analyst_lake.fill(athena)
    return athena
