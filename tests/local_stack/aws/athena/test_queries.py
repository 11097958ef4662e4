"""Queries over small relations: rows worked out by hand, in order wherever the query says one."""

from __future__ import annotations

import pytest

from local_stack.aws.athena.engine.errors import QueryError
from tests.support.athena import EngineUnderTest

EVENTS = """
    events (sensor, place, status, temperature, tags) AS (VALUES
        (1, 'north', 'active', 20.5e0, ARRAY['a', 'b']),
        (1, 'north', 'faulty', NULL,   ARRAY['c']),
        (2, 'south', 'active', 10.5e0, ARRAY[]),
        (3, NULL,    'active', 30e0,   NULL)
    )"""
"""Four events of three sensors."""

ONE_LINE_EVENTS = " ".join(EVENTS.split())
"""So that a query behind it stands in line 2."""

CASES = [
    # Sorting: NULLs last, both ways, unless told otherwise
    ("SELECT place FROM events ORDER BY place", "place", "north north south NULL"),
    ("SELECT place FROM events ORDER BY place DESC", "place", "south north north NULL"),
    ("SELECT place FROM events ORDER BY place NULLS FIRST", "place", "NULL north north south"),
    ("SELECT sensor s FROM events ORDER BY s DESC, temperature LIMIT 2", "s", "3 2"),
    ("SELECT sensor FROM events ORDER BY 1 OFFSET 2 LIMIT 1", "sensor", "2"),
    ("SELECT sensor FROM events ORDER BY 1 FETCH FIRST 1 ROW ONLY", "sensor", "1"),
    ("SELECT -sensor AS sensor FROM events ORDER BY sensor LIMIT 1", "sensor", "-3"),
    ("SELECT DISTINCT sensor FROM events ORDER BY sensor DESC", "sensor", "3 2 1"),
    ("SELECT sensor FROM events ORDER BY temperature + 1 DESC LIMIT 1", "sensor", "3"),
    # Names
    ('SELECT SENSOR, Events."Sensor" x FROM events WHERE Sensor = 2', "SENSOR x", "2,2"),
    ("SELECT 1, sensor + 1, sensor FROM events WHERE sensor = 2", "_col0 _col1 sensor", "1,3,2"),
    ("SELECT e.* FROM (SELECT sensor, place FROM events) e WHERE e.sensor = 2", "sensor place", "2,south"),
    ("SELECT * FROM (VALUES (1, 'a')) AS t (n, s)", "n s", "1,a"),
    ("SELECT * FROM (VALUES 1, 2) AS t (n) ORDER BY 1", "n", "1 2"),
    # Filters
    ("SELECT sensor FROM events WHERE temperature > 10.5", "sensor", "1 3"),
    ("SELECT count(*) FROM events WHERE temperature <> 20.5", "_col0", "2"),
    ("SELECT count(*) FROM events WHERE NOT (temperature > 15)", "_col0", "1"),
    # Grouping
    (
        "SELECT status, count(*) AS n FROM events GROUP BY status ORDER BY n DESC",
        "status n",
        "active,3 faulty,1",
    ),
    ("SELECT place, count(*) FROM events GROUP BY 1 ORDER BY 1", "place _col1", "north,2 south,1 NULL,1"),
    ("SELECT upper(place) FROM events GROUP BY upper(place) HAVING count(*) > 1", "_col0", "NORTH"),
    (
        "SELECT sensor % 2, sum(sensor) FROM events GROUP BY sensor % 2 ORDER BY sensor % 2",
        "_col0 _col1",
        "0,2 1,5",
    ),
    ("SELECT 1 FROM events HAVING count(*) > 3", "_col0", "1"),
    ("SELECT count(*) FROM events WHERE false", "_col0", "0"),
    ("SELECT count(*) FROM events WHERE false GROUP BY sensor", "_col0", ""),
    (
        "SELECT sensor, status, count(*) FROM events"
        " WHERE sensor = 1 GROUP BY ROLLUP (sensor, status) ORDER BY 1, 2",
        "sensor status _col2",
        "1,active,1 1,faulty,1 1,NULL,2 NULL,NULL,2",
    ),
    (
        "SELECT sensor, status, count(*) FROM events"
        " WHERE sensor = 2 GROUP BY CUBE (sensor, status) ORDER BY 1, 2",
        "sensor status _col2",
        "2,active,1 2,NULL,1 NULL,active,1 NULL,NULL,1",
    ),
    (
        "SELECT sensor, status FROM events"
        " WHERE sensor = 2 GROUP BY GROUPING SETS ((sensor), (status), ()) ORDER BY 1, 2",
        "sensor status",
        "2,NULL NULL,active NULL,NULL",
    ),
    # Joins
    (
        "SELECT a.sensor, b.status FROM events a JOIN events b ON a.sensor = b.sensor"
        " WHERE a.status = 'faulty' ORDER BY 2",
        "sensor status",
        "1,active 1,faulty",
    ),
    (
        "SELECT n, sensor FROM (VALUES 2, 9) t (n) LEFT JOIN events ON n = sensor ORDER BY 1",
        "n sensor",
        "2,2 9,NULL",
    ),
    (
        "SELECT n, sensor FROM events RIGHT JOIN (VALUES 2, 9) t (n) ON n = sensor ORDER BY 1",
        "n sensor",
        "2,2 9,NULL",
    ),
    (
        "SELECT n, count(sensor) FROM (VALUES 1, 9) t (n)"
        " FULL JOIN events ON n = sensor GROUP BY n ORDER BY n",
        "n _col1",
        "1,2 9,0 NULL,2",
    ),
    ("SELECT * FROM (VALUES (1, 'a')) l (k, x) JOIN (VALUES (1, 'b')) r (k, y) USING (k)", "k x y", "1,a,b"),
    (
        "SELECT k, x FROM (VALUES (1, 'a')) l (k, x)"
        " FULL JOIN (VALUES (2, 'b')) r (k, y) USING (k) ORDER BY k",
        "k x",
        "1,a 2,NULL",
    ),
    ("SELECT count(*) FROM events a, events b", "_col0", "16"),
    ("SELECT count(*) FROM events a CROSS JOIN events b", "_col0", "16"),
    (
        "SELECT count(*) FROM (VALUES nan(), 1e0) a (x) JOIN (VALUES nan(), 1e0) b (x) ON a.x = b.x",
        "_col0",
        "1",
    ),
    (
        "SELECT count(b.x) FROM (VALUES nan(), 1e0) a (x) LEFT JOIN (VALUES nan(), 1e0) b (x) ON a.x = b.x",
        "_col0",
        "1",
    ),
    # UNNEST
    (
        "SELECT sensor, tag FROM events CROSS JOIN UNNEST(tags) AS t (tag) ORDER BY tag",
        "sensor tag",
        "1,a 1,b 1,c",
    ),
    (
        "SELECT sensor, tag, n FROM events CROSS JOIN UNNEST(tags) WITH ORDINALITY AS t (tag, n) WHERE n = 2",
        "sensor tag n",
        "1,b,2",
    ),
    (
        "SELECT sensor, tag FROM events LEFT JOIN UNNEST(tags) AS t (tag) ON true"
        " WHERE sensor > 1 ORDER BY 1",
        "sensor tag",
        "2,NULL 3,NULL",
    ),
    ("SELECT * FROM UNNEST(ARRAY[1, 2], ARRAY['a']) AS t (x, y) ORDER BY x", "x y", "1,a 2,NULL"),
    ("SELECT * FROM UNNEST(ARRAY[CAST(ROW(1, 'a') AS ROW(n integer, s varchar))])", "n s", "1,a"),
    ("SELECT count(*) FROM UNNEST(sequence(1, 1000))", "_col0", "1000"),
    # Subqueries
    ("SELECT sensor FROM events WHERE temperature = (SELECT max(temperature) FROM events)", "sensor", "3"),
    ("SELECT (SELECT 1 WHERE false)", "_col0", "NULL"),
    (
        "SELECT DISTINCT sensor FROM events a"
        " WHERE EXISTS (SELECT 1 FROM events b WHERE b.sensor = a.sensor + 1) ORDER BY 1",
        "sensor",
        "1 2",
    ),
    (
        "SELECT sensor FROM events WHERE place NOT IN (SELECT place FROM events WHERE sensor = 3)",
        "sensor",
        "",
    ),
    ("SELECT DISTINCT sensor FROM events WHERE place IN (SELECT 'north')", "sensor", "1"),
    (
        "SELECT sensor, (SELECT count(*) FROM events b WHERE b.sensor < a.sensor) FROM events a"
        " WHERE sensor > 1 ORDER BY 1",
        "sensor _col1",
        "2,2 3,3",
    ),
    ("SELECT count(*) FROM (VALUES nan()) t (x) WHERE x IN (SELECT nan())", "_col0", "0"),
    ("SELECT x FROM events CROSS JOIN LATERAL (SELECT sensor * 10 AS x) WHERE sensor = 2", "x", "20"),
    # WITH
    (
        "SELECT * FROM (WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS y FROM a) SELECT x, y FROM a, b)",
        "x y",
        "1,2",
    ),
    # Set operations
    ("SELECT 1 AS x UNION SELECT 1 UNION ALL SELECT 2.5 ORDER BY x", "x", "1.0 2.5"),
    ("SELECT sensor FROM events INTERSECT SELECT 2", "sensor", "2"),
    ("SELECT sensor FROM events EXCEPT SELECT 2 ORDER BY sensor", "sensor", "1 3"),
    ("SELECT 1 UNION ALL SELECT 2 INTERSECT SELECT 3", "_col0", "1"),
    ("SELECT NULL UNION SELECT NULL", "_col0", "NULL"),
    (
        "(SELECT sensor FROM events ORDER BY sensor DESC LIMIT 1) UNION ALL SELECT 0 ORDER BY 1",
        "sensor",
        "0 3",
    ),
    ("VALUES (1, 'a'), (2, 'b') ORDER BY 1 DESC", "_col0 _col1", "2,b 1,a"),
    ("TABLE events LIMIT 0", "sensor place status temperature tags", ""),
]

FAILURES = [
    ("SELECT nothing FROM events", "COLUMN_NOT_FOUND: line 1:8: Column 'nothing' cannot be resolved"),
    (
        "SELECT events.nothing FROM events",
        "COLUMN_NOT_FOUND: line 1:8: Column 'events.nothing' cannot be resolved",
    ),
    (
        "SELECT sensor AS s FROM events WHERE s = 1",
        "COLUMN_NOT_FOUND: line 1:38: Column 's' cannot be resolved",
    ),
    (
        "SELECT sensor AS s FROM events GROUP BY s",
        "COLUMN_NOT_FOUND: line 1:41: Column 's' cannot be resolved",
    ),
    ("SELECT sensor FROM events a, events b", "AMBIGUOUS_NAME: line 1:8: Column 'sensor' is ambiguous"),
    (
        "SELECT a.k FROM (VALUES 1) a (k) JOIN (VALUES 1) b (k) USING (k)",
        "COLUMN_NOT_FOUND: line 1:8: Column 'a.k'",
    ),
    (
        "SELECT place FROM events GROUP BY sensor",
        "EXPRESSION_NOT_AGGREGATE: line 1:8: 'place' must be an aggregate",
    ),
    (
        "SELECT place, count(*) FROM events",
        "EXPRESSION_NOT_AGGREGATE: line 1:8: 'place' must be an aggregate",
    ),
    (
        "SELECT sensor FROM events WHERE count(*) > 1",
        "EXPRESSION_NOT_SCALAR: line 1:33: WHERE clause cannot contain",
    ),
    ("SELECT sum(count(*)) FROM events", "NESTED_AGGREGATION: line 1:8: Cannot nest aggregations inside"),
    ("SELECT sensor FROM events ORDER BY 2", "INVALID_COLUMN_REFERENCE: line 1:36: ORDER BY position 2"),
    (
        "SELECT DISTINCT sensor FROM events ORDER BY place",
        "EXPRESSION_NOT_IN_DISTINCT: line 1:45: For SELECT DISTINCT",
    ),
    ("SELECT 1 UNION SELECT 'a'", "TYPE_MISMATCH: line 1:8: column 1 in UNION query has incompatible types"),
    (
        "SELECT 1 UNION SELECT 1, 2",
        "TYPE_MISMATCH: line 1:8: UNION query has different number of fields: 1, 2",
    ),
    (
        "SELECT (SELECT sensor FROM events)",
        "SUBQUERY_MULTIPLE_ROWS: Scalar sub-query has returned multiple rows",
    ),
    ("SELECT * FROM nowhere.t", "SCHEMA_NOT_FOUND: line 1:15: Schema 'nowhere' does not exist"),
    ("SELECT * FROM other.db.t", "CATALOG_NOT_FOUND: line 1:15: Catalog 'other' not found"),
    (
        "SELECT 1 WHERE 1",
        "TYPE_MISMATCH: line 1:16: WHERE clause must evaluate to a boolean: actual type integer",
    ),
    ("SELECT t.x.y FROM (VALUES 1) t (x)", "TYPE_MISMATCH: line 1:8: Expression t.x is not of type ROW"),
    (
        "SELECT x AS t FROM (VALUES 1) t (x) ORDER BY t.x",
        "TYPE_MISMATCH: line 1:46: Expression t is not of type ROW",
    ),
    ("SELECT * FROM (VALUES (1, 2)) t (a)", "MISMATCHED_COLUMN_ALIASES: line 1:"),
    ("SELECT *", "COLUMN_NOT_FOUND: line 1:8: SELECT * not allowed from relation that has no columns"),
    ("SELECT * FROM UNNEST(1)", "TYPE_MISMATCH: line 1:22: Cannot unnest type: integer"),
    # Syntax
    ("SELEC 1", "SYNTAX_ERROR: line 1:1: mismatched input 'SELEC'. Expecting: 'ALTER'"),
    ("SELECT 1 FORM t", "SYNTAX_ERROR: line 1:15: mismatched input 't'"),
    ("SELECT\n  1 +", "SYNTAX_ERROR: line 1:5: mismatched input '+'"),
    ("SELECT a, FROM t", "SYNTAX_ERROR: line 1:11: mismatched input 'FROM'"),
    ("SELECT (1", "SYNTAX_ERROR: line 1:9: mismatched input"),
    ("SELECT 'abc", "SYNTAX_ERROR"),
    ("SELECT 1; SELECT 2", "SYNTAX_ERROR: line 1:1: Only one sql statement is allowed"),
    ("", "SYNTAX_ERROR"),
    # Refused by name
    ("WITH RECURSIVE a (n) AS (SELECT 1) SELECT * FROM a", "NOT_SUPPORTED: line 1:16: WITH RECURSIVE"),
    ("SELECT 1 FROM (VALUES 1) a NATURAL JOIN (VALUES 1) b", "NOT_SUPPORTED: line 1:"),
    ("SELECT 1 FROM (VALUES 1) t (x) TABLESAMPLE BERNOULLI (10)", "NOT_SUPPORTED: line 1:"),
    ("SELECT 1 = ANY (SELECT 1)", "NOT_SUPPORTED: line 1:8: a comparison with ANY"),
    ("SELECT 1 WHERE (1, 2) IN (SELECT 1, 2)", "NOT_SUPPORTED: line 1:17: IN of rows"),
    ("SELECT * EXCEPT (x) FROM (VALUES 1) t (x)", "NOT_SUPPORTED: line 1:"),
    ("SELECT DISTINCT ON (x) x FROM (VALUES 1) t (x)", "NOT_SUPPORTED"),
    ("EXPLAIN SELECT 1", "NOT_SUPPORTED: line 1:1: the statement EXPLAIN"),
    ("UPDATE t SET a = 1", "NOT_SUPPORTED: line 1:1: the statement UPDATE"),
    ("DELETE FROM t", "NOT_SUPPORTED: line 1:1: the statement DELETE"),
    (
        "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE",
        "NOT_SUPPORTED: line 1:1: the statement MERGE",
    ),
    ("OPTIMIZE t REWRITE DATA USING BIN_PACK", "NOT_SUPPORTED: line 1:1: the statement OPTIMIZE"),
    ("VACUUM t", "NOT_SUPPORTED: line 1:1: the statement VACUUM"),
    (
        "UNLOAD (SELECT 1) TO 's3://x' WITH (format = 'PARQUET')",
        "NOT_SUPPORTED: line 1:1: the statement UNLOAD",
    ),
    ("MSCK REPAIR TABLE t", "NOT_SUPPORTED: line 1:1: the statement MSCK REPAIR"),
    ("ALTER TABLE t ADD COLUMNS (x int)", "NOT_SUPPORTED: line 1:1: the statement ALTER TABLE"),
]


@pytest.mark.parametrize(("sql", "names", "rows"), CASES)
def test_rows(engine: EngineUnderTest, sql: str, names: str, rows: str):
    result = engine.run(f"WITH {EVENTS} {sql}" if "events" in sql else sql)
    written = " ".join(",".join("NULL" if value is None else value for value in row) for row in result.rows)
    assert (" ".join(result.names), written) == (names, rows)


@pytest.mark.parametrize(("sql", "message"), FAILURES)
def test_failure(engine: EngineUnderTest, sql: str, message: str):
    with pytest.raises(QueryError) as failed:
        engine.run(f"WITH {ONE_LINE_EVENTS}\n{sql}" if "events" in sql else sql)
    assert str(failed.value).replace("line 2:", "line 1:").startswith(message)
