"""Aggregates and window functions: type and value, worked out by hand."""

from __future__ import annotations

import pytest

from local_stack.aws.athena.engine.errors import QueryError
from tests.support.athena import EngineUnderTest

ROWS = """(VALUES
    (1, 10, 'a', 1.5e0), (2, 20, 'b', NULL), (3, 20, NULL, 2.5e0), (4, NULL, 'b', 0.5e0)) t (n, k, s, x)"""
"""Four rows: n is unique, k has a NULL and a repeated value."""

AGGREGATES = [
    ("count(*)", "bigint", "4"),
    ("count(k)", "bigint", "3"),
    ("count(DISTINCT k)", "bigint", "2"),
    ("count(*) FILTER (WHERE n > 2)", "bigint", "2"),
    ("count_if(k = 20)", "bigint", "2"),
    ("sum(k)", "bigint", "50"),
    ("sum(DISTINCT k)", "bigint", "30"),
    ("sum(x)", "double", "4.5"),
    ("sum(CAST(n AS decimal(5,2)))", "decimal(38,2)", "10.00"),
    ("sum(k) FILTER (WHERE false)", "bigint", None),
    ("avg(k)", "double", "16.666666666666668"),
    ("avg(n)", "double", "2.5"),
    ("avg(CAST(k AS decimal(5,2)))", "decimal(5,2)", "16.67"),
    ("avg(CAST(-k AS decimal(5,2)))", "decimal(5,2)", "-16.67"),
    ("min(s)", "varchar(1)", "a"),
    ("max(k)", "integer", "20"),
    ("max(IF(n = 1, nan(), x))", "double", "2.5"),
    ("min(IF(n = 1, nan(), x))", "double", "0.5"),
    ("max(nan())", "double", "NaN"),
    ("min_by(s, n)", "varchar(1)", "a"),
    ("max_by(s, n)", "varchar(1)", "b"),
    ("max_by(k, n)", "integer", None),
    ("max_by(n, IF(n = 1, nan(), x))", "integer", "3"),
    ("bool_and(n > 0)", "boolean", "true"),
    ("every(n > 1)", "boolean", "false"),
    ("bool_or(n > 3)", "boolean", "true"),
    ("array_agg(k ORDER BY n DESC)", "array(integer)", "[null, 20, 20, 10]"),
    ("array_agg(n ORDER BY k, n) FILTER (WHERE n > 1)", "array(integer)", "[2, 3, 4]"),
    ("array_agg(n) FILTER (WHERE false)", "array(integer)", None),
    ("listagg(s, '-') WITHIN GROUP (ORDER BY n)", "varchar", "a-b-b"),
    ("arbitrary(s) FILTER (WHERE n = 2)", "varchar(1)", "b"),
    ("1e0 * sum(n) / count(*)", "double", "2.5"),
]

WINDOWS = [
    ("row_number() OVER (ORDER BY n DESC)", "bigint", "4 3 2 1"),
    ("rank() OVER (ORDER BY k)", "bigint", "1 2 2 4"),
    ("dense_rank() OVER (ORDER BY k DESC)", "bigint", "2 1 1 3"),
    ("percent_rank() OVER (ORDER BY k)", "double", "0.0 0.3333333333333333 0.3333333333333333 1.0"),
    ("cume_dist() OVER (ORDER BY k)", "double", "0.25 0.75 0.75 1.0"),
    ("ntile(3) OVER (ORDER BY n)", "bigint", "1 1 2 3"),
    ("lag(n) OVER (ORDER BY n)", "integer", "NULL 1 2 3"),
    ("lag(n, 2, 0) OVER (ORDER BY n)", "integer", "0 0 1 2"),
    ("lead(n) OVER (PARTITION BY k ORDER BY n)", "integer", "NULL 3 NULL NULL"),
    ("lag(s) IGNORE NULLS OVER (ORDER BY n)", "varchar(1)", "NULL a b b"),
    ("first_value(n) OVER (ORDER BY n DESC)", "integer", "4 4 4 4"),
    ("last_value(n) OVER (ORDER BY n)", "integer", "1 2 3 4"),
    (
        "last_value(n) OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)",
        "integer",
        "4 4 4 4",
    ),
    ("nth_value(n, 2) OVER (ORDER BY n)", "integer", "NULL 2 2 2"),
    ("sum(n) OVER (ORDER BY n)", "bigint", "1 3 6 10"),
    ("sum(n) OVER (ORDER BY k)", "bigint", "1 6 6 10"),
    ("sum(n) OVER ()", "bigint", "10 10 10 10"),
    ("sum(n) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)", "bigint", "1 3 5 7"),
    ("sum(n) OVER (ORDER BY n ROWS 1 PRECEDING)", "bigint", "1 3 5 7"),
    ("sum(n) FILTER (WHERE n > 1) OVER (ORDER BY n)", "bigint", "NULL 2 5 9"),
    ("count(*) OVER (PARTITION BY s)", "bigint", "1 2 1 2"),
    ("avg(n) OVER (PARTITION BY s)", "double", "1.0 3.0 3.0 3.0"),
    ("max(x) OVER (ORDER BY n)", "double", "1.5 1.5 2.5 2.5"),
    ("n - lag(n) OVER w", "integer", "NULL 1 1 1"),
]

FAILURES = [
    (f"SELECT sum(9223372036854775807 + n - n) FROM {ROWS}", "NUMERIC_VALUE_OUT_OF_RANGE"),
    (
        "SELECT sum(x) FROM (VALUES 9223372036854775807, 1) t (x)",
        "NUMERIC_VALUE_OUT_OF_RANGE: bigint addition overflow",
    ),
    ("SELECT sum('a')", "FUNCTION_NOT_FOUND: line 1:8: Unexpected parameters (varchar(1)) for function sum"),
    ("SELECT count(1, 2)", "FUNCTION_NOT_FOUND: line 1:8: Unexpected parameters"),
    ("SELECT rank()", "MISSING_OVER: line 1:8: Window function rank requires an OVER clause"),
    ("SELECT rank() OVER w", "INVALID_WINDOW_REFERENCE: line 1:"),
    (f"SELECT 1 FROM {ROWS} WHERE rank() OVER () = 1", "EXPRESSION_NOT_SCALAR: line 1:"),
    (
        f"SELECT lag(n, -1) OVER (ORDER BY n) FROM {ROWS}",
        "INVALID_FUNCTION_ARGUMENT: line 1:8: Offset must be",
    ),
    # Refused
    ("SELECT stddev(1)", "NOT_SUPPORTED: line 1:8: the function stddev"),
    ("SELECT approx_percentile(1, 0.5)", "NOT_SUPPORTED: line 1:8: the function approx_percentile"),
    ("SELECT sum(CAST(1 AS real))", "NOT_SUPPORTED: line 1:8: sum of real"),
    (f"SELECT sum(n) OVER (ORDER BY n RANGE 1 PRECEDING) FROM {ROWS}", "NOT_SUPPORTED: line 1:"),
    (f"SELECT count(DISTINCT n) OVER () FROM {ROWS}", "NOT_SUPPORTED: line 1:8: DISTINCT or ORDER BY inside"),
    (f"SELECT sum(n ORDER BY n) FROM {ROWS}", "NOT_SUPPORTED: line 1:8: ORDER BY inside sum"),
    (f"SELECT max(ARRAY[n]) FROM {ROWS}", "NOT_SUPPORTED: line 1:8: ordering values of type array(integer)"),
]


@pytest.mark.parametrize(("expression", "type_", "value"), AGGREGATES)
def test_aggregate(engine: EngineUnderTest, expression: str, type_: str, value: str | None):
    result = engine.run(f"SELECT {expression} FROM {ROWS}")
    assert (result.types, result.rows) == ([type_], [(value,)])


@pytest.mark.parametrize(("expression", "type_", "values"), WINDOWS)
def test_window_function(engine: EngineUnderTest, expression: str, type_: str, values: str):
    result = engine.run(f"SELECT {expression} FROM {ROWS} WINDOW w AS (ORDER BY n) ORDER BY n")
    written = " ".join("NULL" if value is None else value for (value,) in result.rows)
    assert (result.types, written) == ([type_], values)


@pytest.mark.parametrize(("sql", "message"), FAILURES)
def test_failure(engine: EngineUnderTest, sql: str, message: str):
    with pytest.raises(QueryError) as failed:
        engine.run(sql)
    assert str(failed.value).startswith(message)


def test_windows_over_groups(engine: EngineUnderTest):
    result = engine.run(
        "SELECT s, sum(n) AS total, rank() OVER (ORDER BY sum(n) DESC) AS place "
        f"FROM {ROWS} GROUP BY s ORDER BY place"
    )
    assert result.rows == [("b", "6", "1"), (None, "3", "2"), ("a", "1", "3")]


def test_division_errors_only_where_it_is_evaluated(engine: EngineUnderTest):
    sql = "SELECT x, sum(IF(y = 0, 0, x / y)) FROM (VALUES (4, 2), (4, 0)) t (x, y) GROUP BY x"
    assert engine.run(sql).rows == [("4", "2")]


def test_a_quotient_as_grouping_key(engine: EngineUnderTest):
    sql = "SELECT x / y, count(*) FROM (VALUES (7, 2), (6, 2), (8, 2)) t (x, y) GROUP BY x / y ORDER BY x / y"
    assert engine.run(sql).rows == [("3", "2"), ("4", "1")]
