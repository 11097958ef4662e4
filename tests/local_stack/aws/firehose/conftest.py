"""A lake for each test."""

from __future__ import annotations

import pytest

from tests.support.emulated_aws import EmulatedAws
from tests.support.firehose_lake import Lake


@pytest.fixture
def lake(emulated_aws: EmulatedAws, request: pytest.FixtureRequest) -> Lake:
    """A lake named after the test, nothing in it created yet."""
    name = request.node.name.removeprefix("test_").partition("[")[0].replace("_", "-")[:40].strip("-")
    return Lake(emulated_aws, f"lake-{name}")
