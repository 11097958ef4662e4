"""An engine of one's own for SQL without tables, and a lake in the shared emulated AWS for the rest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local_stack.aws.athena.engine.duck import DuckDb
from local_stack.aws.athena.engine.duckdb_engine import DuckDbEngine
from tests.support.athena import Athena, EngineUnderTest
from tests.support.emulated_aws import EmulatedAws

NOBODY_LISTENS = "http://127.0.0.1:9"


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineUnderTest]:
    """The engine in this process, with an empty catalog."""
    duck = DuckDb(NOBODY_LISTENS, "eu-north-1", tmp_path_factory.mktemp("spill"))
    under_test = EngineUnderTest(DuckDbEngine(duck, NOBODY_LISTENS))
    yield under_test
    under_test.engine.close()


@pytest.fixture(scope="session")
def athena(emulated_aws: EmulatedAws) -> Athena:
    """Athena over HTTP in an account of its own, with a bucket and a database of its own."""
    return Athena.in_new_account(emulated_aws)
