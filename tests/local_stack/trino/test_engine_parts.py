"""The engine on Trino without Trino: what goes to it, what does not, and what its answers become."""

from __future__ import annotations

import json
from secrets import randbelow
from typing import Any

import pytest
from moto.iam.models import iam_backends

from local_stack.aws.athena.engine.catalog import Catalog, encode_view
from local_stack.aws.athena.engine.errors import QueryCancelledError, QueryError
from local_stack.aws.athena.engine.interface import Cancellation, Outcome, Request, ScanLimitError
from local_stack.aws.athena.engine.statements import kind_of
from local_stack.aws.iam.callers import RoleSession, acting_as
from local_stack.aws.iam.check import AccessDeniedError
from local_stack.trino.engine import TrinoEngine, administrator_key
from local_stack.trino.server import Trino
from tests.support.athena import Collected

REGION = "eu-north-1"


class Light:
    """Notes what is left to it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def kind(self, sql: str) -> Any:
        return kind_of(sql)

    def run(self, request: Request, sink: Any, cancellation: Cancellation) -> Outcome:
        self.asked.append(request.sql)
        return Outcome()

    def close(self) -> None:
        """Nothing to let go."""


class Servers:
    """The scripted Trino for every account."""

    def __init__(self, url: str) -> None:
        self._trino = Trino(url)

    def get(self, account_id: str, region: str) -> Trino:
        return self._trino

    def close(self) -> None:
        """Nothing to stop."""


@pytest.fixture
def light() -> Light:
    return Light()


@pytest.fixture
def engine(server: str, light: Light) -> TrinoEngine:
    return TrinoEngine(Servers(server), light)  # type: ignore[arg-type]


@pytest.fixture
def account() -> str:
    """An account with a database, a table and a view of it."""
    number = f"{randbelow(9 * 10**11) + 10**11}"
    glue = Catalog(number, REGION).backend
    glue.create_database("lake", {"Name": "lake"})
    storage = {"Columns": [{"Name": "n", "Type": "int"}], "Location": "s3://tables/t/"}
    glue.create_table("lake", "t", {"Name": "t", "TableType": "EXTERNAL_TABLE", "StorageDescriptor": storage})
    text = encode_view({"originalSql": "SELECT n FROM t", "schema": "lake"})
    view = {"Name": "v", "TableType": "VIRTUAL_VIEW", "ViewOriginalText": text, "StorageDescriptor": storage}
    glue.create_table("lake", "v", view)
    return number


def role_session(account: str, *actions: str) -> RoleSession:
    """The session of a role that may do these actions on everything."""
    iam = iam_backends[account]["aws"]
    role = iam.create_role("analyst", "{}", "/", None, "", [], 3600)
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    iam.put_role_policy("analyst", "own", json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    return RoleSession(role.arn, "tests")


def run(engine: TrinoEngine, sql: str, account: str = "111122223333", **asked: Any) -> Collected:
    sink = Collected()
    request = Request("id", sql, "lake", account, REGION, "s3://results/tables/", **asked)
    engine.run(request, sink, Cancellation())
    return sink


def answer(answers: dict[str, dict[str, Any]], server: str, **page: Any) -> None:
    stats = {"stats": {"physicalInputBytes": 7}}
    answers["/v1/statement"] = {"nextUri": f"{server}/1", **stats}
    answers["/1"] = {**stats, **page}


def test_rows_and_statistics_become_athenas(
    engine: TrinoEngine, server: str, answers: dict[str, dict[str, Any]]
) -> None:
    columns = [{"name": "x", "type": "double"}, {"name": "a", "type": "array(integer)"}]
    answer(answers, server, columns=columns, data=[[1e10, [1, None]], [None, None]])
    sink = run(engine, "SELECT x, a FROM t WHERE x > ?", parameters=("1",))
    assert (sink.names, sink.types) == (["x", "a"], ["double", "array(integer)"])
    assert sink.rows == [("1.0E10", "[1, null]"), (None, None)]

    answer(answers, server, columns=[{"name": "rows", "type": "bigint"}], data=[[2]], updateCount=2)
    sink = Collected()
    request = Request("id", "INSERT INTO t VALUES 1, 2", "lake", "111122223333", REGION, "s3://x/")
    assert engine.run(request, sink, Cancellation()) == Outcome(scanned_bytes=7, update_count=2)
    assert sink.rows == []


def test_what_is_only_about_glue_needs_no_trino(engine: TrinoEngine, light: Light) -> None:
    for sql in ("SHOW TABLES", "CREATE DATABASE d", "CREATE EXTERNAL TABLE t (a int) LOCATION 's3://x/'"):
        run(engine, sql)
    assert [sql.split()[0] for sql in light.asked] == ["SHOW", "CREATE", "CREATE"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("TABLE_NOT_FOUND", QueryError),
        ("USER_CANCELED", QueryCancelledError),
        ("EXCEEDED_SCAN_LIMIT", ScanLimitError),
    ],
)
def test_errors_become_athenas(
    engine: TrinoEngine, server: str, answers: dict[str, dict[str, Any]], name: str, expected: type[Exception]
) -> None:
    answer(answers, server, error={"errorName": name, "message": "line 1:8: why"})
    with pytest.raises(expected) as raised:
        run(engine, "SELECT 1", scan_limit=10)
    assert expected is not QueryError or str(raised.value) == "TABLE_NOT_FOUND: line 1:8: why"


def test_a_trino_that_is_gone_is_told(light: Light) -> None:
    engine = TrinoEngine(Servers("http://127.0.0.1:9"), light)  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="GENERIC_INTERNAL_ERROR: Trino does not answer"):
        run(engine, "SELECT 1")


def test_a_statement_under_way_can_be_cancelled(
    engine: TrinoEngine, server: str, answers: dict[str, dict[str, Any]]
) -> None:
    cancellation = Cancellation()
    answer(answers, server)
    answers["/1"]["nextUri"] = f"{server}/2"
    answers["/2"] = {"stats": {}}

    class Cancelling(Collected):
        def begin(self, columns: Any) -> None:
            cancellation.cancel()

    answers["/1"]["columns"] = [{"name": "n", "type": "integer"}]
    request = Request("id", "SELECT n FROM t", "lake", "111122223333", REGION, "s3://x/")
    with pytest.raises(QueryCancelledError):
        engine.run(request, Cancelling(), cancellation)


def test_a_role_may_ask_what_it_may_read(
    engine: TrinoEngine, account: str, server: str, answers: dict[str, dict[str, Any]]
) -> None:
    answer(answers, server, columns=[{"name": "n", "type": "integer"}], data=[[1]])
    query = "WITH w AS (SELECT n FROM v) SELECT n FROM w, information_schema.tables, nowhere"
    with acting_as(role_session(account, "glue:*", "s3:GetObject")):
        assert run(engine, query, account).rows == [("1",)]
        with pytest.raises(QueryError, match="what a role's session writes through Trino is not supported"):
            run(engine, "DELETE FROM t", account)


@pytest.mark.parametrize(
    ("allowed", "missing"), [("s3:GetObject", "glue:GetTable"), ("glue:*", "s3:GetObject")]
)
def test_a_role_without_the_right_is_refused_before_trino_is_asked(
    engine: TrinoEngine, account: str, allowed: str, missing: str
) -> None:
    with acting_as(role_session(account, allowed)), pytest.raises(AccessDeniedError, match=missing):
        run(engine, "SELECT n FROM v", account)


def test_an_account_without_a_key_is_refused() -> None:
    assert administrator_key("123456789012") == "test"
    with pytest.raises(QueryError, match="Trino in account 999900001111, which has no access key"):
        administrator_key("999900001111")
