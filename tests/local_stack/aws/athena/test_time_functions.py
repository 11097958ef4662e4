"""Dates and timestamps: type and value, worked out by hand."""

from __future__ import annotations

import pytest

from tests.support.athena import EngineUnderTest

NEW_YEAR = "TIMESTAMP '2024-01-01 00:00:00 UTC'"

VALUES = [
    ("DATE '2024-01-31'", "date", "2024-01-31"),
    ("TIMESTAMP '2024-01-31 10:00:00'", "timestamp(0)", "2024-01-31 10:00:00"),
    ("TIMESTAMP '2024-01-31 10:00:00.120'", "timestamp(3)", "2024-01-31 10:00:00.120"),
    ("TIMESTAMP '2024-01-31'", "timestamp(0)", "2024-01-31 00:00:00"),
    (NEW_YEAR, "timestamp(0) with time zone", "2024-01-01 00:00:00 UTC"),
    (
        "TIMESTAMP '2024-07-01 00:00:00 Europe/Berlin'",
        "timestamp(0) with time zone",
        "2024-07-01 00:00:00 Europe/Berlin",
    ),
    ("from_unixtime(1704067200)", "timestamp(3) with time zone", "2024-01-01 00:00:00.000 UTC"),
    ("from_unixtime(1704067200.1239)", "timestamp(3) with time zone", "2024-01-01 00:00:00.124 UTC"),
    ("from_unixtime(-1)", "timestamp(3) with time zone", "1969-12-31 23:59:59.000 UTC"),
    (
        "from_unixtime(0, 'America/New_York')",
        "timestamp(3) with time zone",
        "1969-12-31 19:00:00.000 America/New_York",
    ),
    (
        "from_unixtime(1719792000) AT TIME ZONE 'Europe/Berlin'",
        "timestamp(3) with time zone",
        "2024-07-01 02:00:00.000 Europe/Berlin",
    ),
    (
        "at_timezone(from_unixtime(0), 'Asia/Kolkata')",
        "timestamp(3) with time zone",
        "1970-01-01 05:30:00.000 Asia/Kolkata",
    ),
    ("CAST(from_unixtime(0) AT TIME ZONE 'America/New_York' AS date)", "date", "1969-12-31"),
    (
        "CAST(from_unixtime(0) AT TIME ZONE 'America/New_York' AS timestamp)",
        "timestamp(3)",
        "1969-12-31 19:00:00.000",
    ),
    ("hour(from_unixtime(0) AT TIME ZONE 'America/New_York')", "bigint", "19"),
    ("to_unixtime(from_unixtime(1.5))", "double", "1.5"),
    ("date(from_unixtime(1704153600))", "date", "2024-01-02"),
    ("date('2024-01-05')", "date", "2024-01-05"),
    ("CAST('2024-01-05' AS date)", "date", "2024-01-05"),
    ("CAST('2024-01-05 10:11:12.5' AS timestamp)", "timestamp(3)", "2024-01-05 10:11:12.500"),
    (
        "CAST(TIMESTAMP '2024-01-01 10:00:00.123456' AS timestamp(3))",
        "timestamp(3)",
        "2024-01-01 10:00:00.123",
    ),
    ("CAST(TIMESTAMP '2024-01-01 10:00:00.9996' AS timestamp(3))", "timestamp(3)", "2024-01-01 10:00:01.000"),
    ("CAST(TIMESTAMP '1969-12-31 23:59:59.9995' AS timestamp(3))", "timestamp(3)", "1970-01-01 00:00:00.000"),
    ("CAST(DATE '2024-01-05' AS timestamp)", "timestamp(3)", "2024-01-05 00:00:00.000"),
    ("CAST(TIMESTAMP '2024-01-05 23:59:59' AS date)", "date", "2024-01-05"),
    ("CAST(TIMESTAMP '2024-01-05 23:59:59.123456' AS varchar)", "varchar", "2024-01-05 23:59:59.123456"),
    ("CAST(from_unixtime(0.5) AS varchar)", "varchar", "1970-01-01 00:00:00.500 UTC"),
    ("CAST(DATE '2024-01-05' AS varchar)", "varchar", "2024-01-05"),
    # Comparison
    ("DATE '2024-01-01' < DATE '2024-01-02'", "boolean", "true"),
    ("DATE '2024-01-01' > TIMESTAMP '2023-12-31 23:59:59'", "boolean", "true"),
    (f"{NEW_YEAR} = TIMESTAMP '2024-01-01 00:00:00'", "boolean", "true"),
    (f"{NEW_YEAR} = DATE '2024-01-01'", "boolean", "true"),
    # Parts
    ("year(DATE '2024-12-30')", "bigint", "2024"),
    ("quarter(DATE '2024-12-30')", "bigint", "4"),
    ("month(DATE '2024-12-30')", "bigint", "12"),
    ("day(DATE '2024-12-30')", "bigint", "30"),
    ("week(DATE '2024-12-30')", "bigint", "1"),
    ("year_of_week(DATE '2024-12-30')", "bigint", "2025"),
    ("day_of_week(DATE '2024-01-07')", "bigint", "7"),
    ("dow(DATE '2024-01-01')", "bigint", "1"),
    ("day_of_year(DATE '2024-12-31')", "bigint", "366"),
    ("extract(MONTH FROM TIMESTAMP '2024-05-06 07:08:09')", "bigint", "5"),
    ("hour(TIMESTAMP '2024-05-06 07:08:09.123')", "bigint", "7"),
    ("minute(TIMESTAMP '2024-05-06 07:08:09.123')", "bigint", "8"),
    ("second(TIMESTAMP '2024-05-06 07:08:09.123')", "bigint", "9"),
    ("millisecond(TIMESTAMP '2024-05-06 07:08:09.123')", "bigint", "123"),
    ("last_day_of_month(DATE '2024-02-05')", "date", "2024-02-29"),
    # Truncation
    ("date_trunc('month', DATE '2024-01-31')", "date", "2024-01-01"),
    ("date_trunc('quarter', DATE '2024-06-30')", "date", "2024-04-01"),
    ("date_trunc('week', DATE '2024-01-07')", "date", "2024-01-01"),
    ("date_trunc('hour', TIMESTAMP '2024-01-01 10:59:59.999')", "timestamp(3)", "2024-01-01 10:00:00.000"),
    ("date_trunc('day', from_unixtime(86399))", "timestamp(3) with time zone", "1970-01-01 00:00:00.000 UTC"),
    # Movement
    ("date_add('day', 1, DATE '2024-02-28')", "date", "2024-02-29"),
    ("date_add('month', 1, DATE '2024-01-31')", "date", "2024-02-29"),
    ("date_add('month', -1, DATE '2024-03-31')", "date", "2024-02-29"),
    ("date_add('year', 1, DATE '2024-02-29')", "date", "2025-02-28"),
    ("date_add('week', 2, DATE '2024-01-01')", "date", "2024-01-15"),
    ("date_add('quarter', 1, DATE '2024-01-31')", "date", "2024-04-30"),
    ("date_add('hour', 25, TIMESTAMP '2024-01-01 00:00:00.000')", "timestamp(3)", "2024-01-02 01:00:00.000"),
    (
        "date_add('second', -1, from_unixtime(0))",
        "timestamp(3) with time zone",
        "1969-12-31 23:59:59.000 UTC",
    ),
    ("DATE '2024-01-31' + INTERVAL '1' MONTH", "date", "2024-02-29"),
    ("INTERVAL '2' DAY + DATE '2024-01-31'", "date", "2024-02-02"),
    ("TIMESTAMP '2024-01-01 00:00:00' - INTERVAL '1' SECOND", "timestamp(0)", "2023-12-31 23:59:59"),
    # Difference: whole units
    ("date_diff('day', DATE '2024-01-31', DATE '2024-03-01')", "bigint", "30"),
    ("date_diff('day', TIMESTAMP '2024-01-01 23:00:00', TIMESTAMP '2024-01-02 22:59:59')", "bigint", "0"),
    ("date_diff('day', TIMESTAMP '2024-01-01 23:00:00', TIMESTAMP '2024-01-02 23:00:00')", "bigint", "1"),
    ("date_diff('hour', TIMESTAMP '2024-01-01 00:59:59', TIMESTAMP '2024-01-01 01:00:00')", "bigint", "0"),
    ("date_diff('month', DATE '2024-01-31', DATE '2024-02-29')", "bigint", "1"),
    ("date_diff('month', DATE '2024-01-15', DATE '2024-02-14')", "bigint", "0"),
    ("date_diff('month', DATE '2024-02-29', DATE '2024-01-31')", "bigint", "-1"),
    ("date_diff('year', DATE '2020-02-29', DATE '2021-02-28')", "bigint", "1"),
    (
        "date_diff('second', TIMESTAMP '2024-01-01 00:00:00.0009', TIMESTAMP '2024-01-01 00:00:01.0001')",
        "bigint",
        "1",
    ),
    ("date_diff('week', DATE '2024-01-01', DATE '2024-01-14')", "bigint", "1"),
    # Text
    (
        "date_format(TIMESTAMP '2024-05-06 07:08:09.123', '%Y-%m-%d %H:%i:%s.%f')",
        "varchar",
        "2024-05-06 07:08:09.123000",
    ),
    ("date_format(TIMESTAMP '2024-05-06 19:08:09', '%a %b %e %l:%i %p')", "varchar", "Mon May 6 7:08 PM"),
    ("date_format(DATE '2024-05-06', '%y%%')", "varchar", "24%"),
    (
        "format_datetime(TIMESTAMP '2024-05-06 07:08:09.123', 'yyyy/MM/dd''T''HH:mm:ss.SSS')",
        "varchar",
        "2024/05/06T07:08:09.123",
    ),
    ("date_format(CAST(NULL AS timestamp), '%Y')", "varchar", None),
    ("to_iso8601(DATE '2024-05-06')", "varchar(16)", "2024-05-06"),
    ("sequence(DATE '2024-02-28', DATE '2024-03-01')", "array(date)", "[2024-02-28, 2024-02-29, 2024-03-01]"),
    (
        "sequence(DATE '2024-01-01', DATE '2024-01-15', INTERVAL '7' DAY)",
        "array(date)",
        "[2024-01-01, 2024-01-08, 2024-01-15]",
    ),
]

FAILURES = [
    ("DATE '2024-02-30'", "INVALID_CAST_ARGUMENT"),
    ("TIMESTAMP '2024-01-01 25:00:00'", "INVALID_CAST_ARGUMENT"),
    ("CAST('tomorrow' AS date)", "INVALID_CAST_ARGUMENT: Value cannot be cast to date: tomorrow"),
    (
        "date_trunc('hour', DATE '2024-01-01')",
        "INVALID_FUNCTION_ARGUMENT: line 1:8: 'hour' is not a valid DATE field",
    ),
    (
        "date_add('fortnight', 1, DATE '2024-01-01')",
        "INVALID_FUNCTION_ARGUMENT: line 1:8: 'fortnight' is not a valid",
    ),
    ("DATE '2024-01-01' + INTERVAL '1' HOUR", "INVALID_FUNCTION_ARGUMENT: line 1:13: Cannot add hour"),
    ("DATE '2024-01-01' + 1", "TYPE_MISMATCH: line 1:26: Cannot apply operator: date + integer"),
    (
        "from_unixtime(0) AT TIME ZONE 'Mars/Base'",
        "INVALID_FUNCTION_ARGUMENT: line 1:8: 'Mars/Base' is not a valid time zone",
    ),
    # Refused
    ("from_unixtime(0) AT TIME ZONE '+02:00'", "NOT_SUPPORTED: line 1:8: at_timezone with the offset"),
    (
        "date_trunc('day', from_unixtime(0) AT TIME ZONE 'Europe/Berlin')",
        "NOT_SUPPORTED: line 1:8: date_trunc in a time zone",
    ),
    ("DATE '2024-01-02' - DATE '2024-01-01'", "NOT_SUPPORTED: line 1:13: subtracting dates"),
    ("date_format(DATE '2024-01-01', '%U')", "NOT_SUPPORTED: line 1:8: %U in date_format"),
    ("format_datetime(DATE '2024-01-01', 'G')", "NOT_SUPPORTED: line 1:8: G in format_datetime"),
    ("date_parse('2024', '%Y')", "NOT_SUPPORTED: line 1:8: the function date_parse"),
    ("CAST('2024-1-5' || '' AS date)", "NOT_SUPPORTED: the date written as 2024-1-5"),
    ("sequence(DATE '2024-01-02', DATE '2024-01-01')", "NOT_SUPPORTED: sequence that counts down"),
    ("INTERVAL '1' DAY", "NOT_SUPPORTED: line 1:17: an interval as a result"),
    ("INTERVAL '1-2' YEAR TO MONTH", "NOT_SUPPORTED"),
]


@pytest.mark.parametrize(("expression", "type_", "value"), VALUES)
def test_value(engine: EngineUnderTest, expression: str, type_: str, value: str | None):
    assert engine.value(expression) == (type_, value)


@pytest.mark.parametrize(("expression", "message"), FAILURES)
def test_failure(engine: EngineUnderTest, expression: str, message: str):
    assert engine.failure(expression).startswith(message)


def test_the_clock_stands_still_within_a_statement(engine: EngineUnderTest):
    result = engine.run(
        "SELECT now() = current_timestamp, CAST(now() AS date) = current_date, "
        "CAST(current_timestamp AS timestamp) = localtimestamp"
    )
    assert result.rows == [("true", "true", "true")]
