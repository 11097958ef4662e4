"""The lakehouse of the questions, once for all tests."""

from __future__ import annotations

import pytest

from tests.support import analyst_lake
from tests.support.athena import Athena
from tests.support.emulated_aws import EmulatedAws


@pytest.fixture(scope="session")
def empty_lakehouse(emulated_aws: EmulatedAws) -> Athena:
    """Athena in an account whose tables hold nothing."""
    athena = Athena.in_new_account(emulated_aws)
    analyst_lake.fill(athena, {}, {})
    return athena
