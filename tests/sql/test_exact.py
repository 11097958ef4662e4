"""The questions of sql/athena on a real Trino: the answers of the emulated Athena (make test-exact)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from local_stack.trino.install import FOLDER, TrinoHome
from local_stack.trino.server import Answer, Lake, Trino, TrinoError, run_trino
from ops.athena import run_query
from ops.query_template import saved_queries
from tests.sql.answers import ANSWERS
from tests.support.athena import Athena
from tests.support.local_stack import free_ports

pytestmark = [pytest.mark.exact, pytest.mark.aws]

QUERIES = {query.name: query for query in saved_queries()}
AGES = {"freshness_of_tables": "age_hours"}
"""Columns that depend on when the question is asked."""


@pytest.fixture(scope="module")
def trino(lakehouse: Athena, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trino]:
    """Trino over the account of the small lakehouse."""
    home = TrinoHome(FOLDER)
    assert home.is_complete, "python -m local_stack.trino.install"
    aws = lakehouse.account.aws
    lake = Lake(aws.endpoint, aws.region, lakehouse.account.access_key)
    [port] = free_ports(1)
    with run_trino(home, lake, tmp_path_factory.mktemp("trino"), port) as server:
        yield server


def typed(answer: Answer) -> list[tuple[Any, ...]]:
    """Rows as ``ops.athena`` gives them."""

    def convert(value: Any, type_: str) -> Any:
        if value is None:
            return None
        if type_ == "date":
            return date.fromisoformat(value)
        if type_.startswith("timestamp"):
            return datetime.fromisoformat(value.removesuffix(" UTC")).replace(tzinfo=UTC)
        return float(value) if type_.startswith("decimal") else value

    return [
        tuple(convert(value, type_) for value, type_ in zip(row, answer.types, strict=True))
        for row in answer.rows
    ]


def same(found: Any, wanted: Any) -> bool:
    """Equal, or the same number."""
    return found == wanted or (
        isinstance(found, float)
        and isinstance(wanted, int | float)
        and math.isclose(found, wanted, abs_tol=1e-9)
    )


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_as_worked_out_by_hand(trino: Trino, lakehouse: Athena, name: str) -> None:
    answer = trino.query(QUERIES[name].sql, lakehouse.database)
    assert answer.columns == QUERIES[name].columns
    rows = typed(answer)
    assert len(rows) == len(ANSWERS[name])
    for row, expected in zip(rows, ANSWERS[name], strict=True):
        assert all(same(found, wanted) for found, wanted in zip(row, expected, strict=True)), (row, expected)


@pytest.mark.parametrize("name", QUERIES)
def test_answers_as_the_emulated_athena(trino: Trino, lakehouse: Athena, name: str) -> None:
    emulated = run_query(lakehouse.client, QUERIES[name].sql, database=lakehouse.database)
    exact = trino.query(QUERIES[name].sql, lakehouse.database)
    assert exact.columns == emulated.columns
    compared = [index for index, column in enumerate(exact.columns) if column != AGES.get(name)]
    rows = typed(exact)
    assert len(rows) == len(emulated.rows)
    for row, other in zip(rows, emulated.rows, strict=True):
        assert all(same(row[index], other[index]) for index in compared), (row, other)


def test_what_trino_refuses_is_named(trino: Trino, lakehouse: Athena) -> None:
    with pytest.raises(TrinoError, match="TABLE_NOT_FOUND"):
        trino.query("SELECT * FROM no_such_table", lakehouse.database)
