"""Small parts of the engine: partition projection, type names, number formats, result files."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import pyarrow as pa
import pytest

from config import tables
from local_stack.aws.athena.engine.duck import EXTENSIONS, extension_file
from local_stack.aws.athena.engine.errors import QueryError
from local_stack.aws.athena.engine.hive_names import arrow_type, hive_name
from local_stack.aws.athena.engine.projection import accepted_values, location_pattern
from local_stack.aws.athena.engine.typenames import hive_type
from local_stack.aws.athena.engine.values import java_double, writer
from local_stack.aws.athena.output import csv_line, read_csv, read_lines

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("properties", "accepted", "refused"),
    [
        ({"type": "enum", "values": "a, b"}, ["a", "b"], ["c", "", "A"]),
        ({"type": "injected"}, ["anything"], []),
        ({"type": "integer", "range": "1,10"}, ["1", "10"], ["0", "11", "01", "x"]),
        ({"type": "integer", "range": "0,23", "digits": "2"}, ["00", "23"], ["0", "24"]),
        ({"type": "integer", "range": "0,10", "interval": "5"}, ["0", "5"], ["4"]),
        (
            {"type": "date", "format": "yyyy-MM-dd", "range": "2024-01-01,NOW"},
            ["2024-01-01", "2024-05-06"],
            ["2023-12-31", "2024-05-07", "2024-1-1", "20240101"],
        ),
        (
            {
                "type": "date",
                "format": "yyyy/MM/dd/HH",
                "range": "NOW-2DAYS,NOW+1HOURS",
                "interval.unit": "HOURS",
            },
            ["2024/05/04/07", "2024/05/06/08"],
            ["2024/05/04/06", "2024/05/06/09"],
        ),
    ],
)
def test_projected_values(properties: dict[str, str], accepted: list[str], refused: list[str]):
    accepts = accepted_values({f"projection.k.{name}": value for name, value in properties.items()}, "k", NOW)
    assert [value for value in accepted + refused if accepts(value)] == accepted


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({}, "INVALID_TABLE_PROPERTY: projection.k.type is not set"),
        ({"type": "magic"}, "INVALID_TABLE_PROPERTY: Unknown projection type magic"),
        ({"type": "date", "range": "NOW,NOW"}, "INVALID_TABLE_PROPERTY: projection.k.format is not set"),
        ({"type": "date", "format": "EEE", "range": "NOW,NOW"}, "NOT_SUPPORTED: the date format EEE"),
        (
            {"type": "date", "format": "yyyy", "range": "NOW-1YEARS,NOW"},
            "NOT_SUPPORTED: the range NOW-1YEARS",
        ),
    ],
)
def test_projections_that_are_refused(properties: dict[str, str], message: str):
    with pytest.raises(QueryError) as failed:
        accepted_values({f"projection.k.{name}": value for name, value in properties.items()}, "k", NOW)
    assert str(failed.value).startswith(message)


def test_location_templates():
    prefix, pattern = location_pattern("s3://b/logs/${dt}/h-${hour}", ("dt", "hour"))
    match = pattern.match("s3://b/logs/2024-01-01/h-07/file.parquet")
    assert prefix == "s3://b/logs/"
    assert match is not None
    assert match.groupdict() == {"dt": "2024-01-01", "hour": "07"}
    assert pattern.match("s3://b/logs/2024-01-01/extra/h-07/file.parquet") is None


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("string", "varchar"),
        ("INT", "integer"),
        ("float", "real"),
        ("decimal(10, 2)", "decimal(10,2)"),
        ("decimal", "decimal(10,0)"),
        ("varchar(5)", "varchar(5)"),
        ("timestamp", "timestamp(3)"),
        ("array<map<string,array<int>>>", "array(map(varchar, array(integer)))"),
        ("struct<latitude:double,Inner:struct<a:bigint>>", "row(latitude double, inner row(a bigint))"),
    ],
)
def test_hive_types(written: str, shown: str):
    assert str(hive_type(written)) == shown


@pytest.mark.parametrize(
    "written", ["char(3)", "uniontype<int,string>", "", "interval", "struct<a:>", "int)"]
)
def test_hive_types_that_are_refused(written: str):
    with pytest.raises(QueryError, match="NOT_SUPPORTED: the column type"):
        hive_type(written)


def test_types_survive_the_way_through_glue():
    for column in (*tables.BRONZE.columns, *tables.BRONZE_PARTITION_COLUMNS):
        assert hive_name(hive_type(column.type)) == column.type
    nested = hive_type("struct<a:array<decimal(5,2)>,m:map<string,date>>")
    assert hive_name(nested) == "struct<a:array<decimal(5,2)>,m:map<string,date>>"
    assert arrow_type(nested).field("a").type == pa.list_(pa.decimal128(5, 2))


def test_doubles_read_back_as_the_same_number():
    random = Random(1)
    for _ in range(2000):
        number = random.choice((random.random(), random.uniform(-1e25, 1e25), random.uniform(-1e-5, 1e-5)))
        assert float(java_double(repr(number))) == number


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (0.001, "0.001"),
        (0.00099, "9.9E-4"),
        (9999999.0, "9999999.0"),
        (10000000.0, "1.0E7"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (5e-324, "4.9E-324"),
        (2e23, "2.0E23"),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
    ],
)
def test_doubles_as_java_writes_them(number: float, written: str):
    assert java_double(repr(number)) == written


def test_reals_have_the_digits_of_32_bits():
    [value] = pa.array([0.1], pa.float32()).to_pylist()
    assert writer(hive_type("float"))(value) == "0.1"


def test_csv_is_read_in_pieces():
    rows = [["a", None], ["", 'x","y'], [None, "line\nbreak"], [None, None]]
    content = b"".join(map(csv_line, rows))
    first, offset = read_csv(content, 0, 2)
    assert offset is not None
    second, end = read_csv(content, offset, 2)
    assert first + second == rows
    assert end is None
    assert read_lines(b"a\n\nb\n", 0, 2) == ([["a"], [""]], 3)


def test_the_extensions_are_installed():
    assert all(extension_file(name).stat().st_size > 0 for name in EXTENSIONS)
    with pytest.raises(FileNotFoundError, match="duckdb-extension-spatial"):
        extension_file("spatial")
