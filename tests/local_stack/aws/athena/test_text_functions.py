"""Functions of strings: type and value, worked out by hand."""

from __future__ import annotations

import pytest

from tests.support.athena import EngineUnderTest

VALUES = [
    ("lower('ÄB')", "varchar(2)", "äb"),
    ("upper('straße é')", "varchar(8)", "STRAßE É"),
    ("length('aé😀')", "bigint", "3"),
    ("trim('  a\t\u2003')", "varchar(5)", "a"),
    ("ltrim(' a ')", "varchar(3)", "a "),
    ("rtrim(' a ')", "varchar(3)", " a"),
    ("trim(BOTH 'x' FROM 'xax')", "varchar(3)", "a"),
    ("trim('\u00a0a')", "varchar(2)", "\u00a0a"),
    ("substr('hello', 2)", "varchar(5)", "ello"),
    ("substr('hello', 2, 3)", "varchar(5)", "ell"),
    ("substr('hello', -3, 2)", "varchar(5)", "ll"),
    ("substr('hello', 0)", "varchar(5)", ""),
    ("substr('hello', 9)", "varchar(5)", ""),
    ("substr('hello', -9)", "varchar(5)", ""),
    ("substr('hello', 2, -1)", "varchar(5)", ""),
    ("substr(NULL, 1)", "varchar", None),
    ("substring('hello' FROM 2 FOR 2)", "varchar(5)", "el"),
    ("'a' || 'b'", "varchar", "ab"),
    ("'a' || NULL", "varchar", None),
    ("concat('a', 'b', 'c')", "varchar", "abc"),
    ("concat('a', NULL)", "varchar", None),
    ("replace('abcabc', 'b', 'xx')", "varchar(20)", "axxcaxxc"),
    ("replace('abcabc', 'b')", "varchar(6)", "acac"),
    ("strpos('abcb', 'b')", "bigint", "2"),
    ("position('z' IN 'abc')", "bigint", "0"),
    ("starts_with('abc', 'ab')", "boolean", "true"),
    ("split('a,b,,c', ',')", "array(varchar(6))", "[a, b, , c]"),
    ("split_part('a-b', '-', 2)", "varchar(3)", "b"),
    ("split_part('a-b', '-', 3)", "varchar(3)", None),
    ("lpad('5', 3, '0')", "varchar", "005"),
    ("rpad('abcd', 3, 'x')", "varchar", "abc"),
    ("'abc' LIKE 'a%'", "boolean", "true"),
    ("'abc' LIKE '_b_'", "boolean", "true"),
    ("'a%c' LIKE 'a#%c' ESCAPE '#'", "boolean", "true"),
    ("'abc' LIKE 'a#%c' ESCAPE '#'", "boolean", "false"),
    (r"'a\%b' LIKE 'a\%b'", "boolean", "true"),
    ("'abc' NOT LIKE 'A%'", "boolean", "true"),
    ("NULL LIKE 'a'", "boolean", None),
    ("regexp_like('sensor-42', '^sensor-[0-9]+$')", "boolean", "true"),
    (r"regexp_like('a1', '\d')", "boolean", "true"),
    ("regexp_extract('id=42;', '[0-9]+')", "varchar(6)", "42"),
    ("regexp_extract('none', '[0-9]+')", "varchar(4)", None),
]

FAILURES = [
    ("regexp_like('a', '(?<=x)a')", "NOT_SUPPORTED: line 1:8: the regular expression"),
    ("regexp_like('a', 'a$|b')", "NOT_SUPPORTED: line 1:8: the regular expression"),
    (r"regexp_like('a', '\w')", "NOT_SUPPORTED: line 1:8: the regular expression"),
    ("reverse('abc')", "NOT_SUPPORTED: line 1:8: the function reverse"),
    ("split('a', '')", "INVALID_FUNCTION_ARGUMENT: line 1:8: The delimiter may not be the empty string"),
    ("split_part('a', ',', 0)", "INVALID_FUNCTION_ARGUMENT: Index must be greater than zero"),
    (
        "'a' LIKE 'a#b' ESCAPE '#'",
        "INVALID_FUNCTION_ARGUMENT: line 1:8: Escape character must be followed by",
    ),
    ("1 LIKE 'a'", "TYPE_MISMATCH: line 1:8: Left side of LIKE expression must evaluate to a varchar"),
]


@pytest.mark.parametrize(("expression", "type_", "value"), VALUES)
def test_value(engine: EngineUnderTest, expression: str, type_: str, value: str | None):
    assert engine.value(expression) == (type_, value)


@pytest.mark.parametrize(("expression", "message"), FAILURES)
def test_failure(engine: EngineUnderTest, expression: str, message: str):
    assert engine.failure(expression).startswith(message)


def test_an_unmatched_newline_is_not_any_character(engine: EngineUnderTest):
    assert engine.run("SELECT regexp_like('\n', '.'), regexp_like('a\n', 'a$')").rows == [("false", "true")]
