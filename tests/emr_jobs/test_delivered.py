"""Which rows belong to files that are in: the column says what the ledger says."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from emr_jobs.lake.delivered import is_taken_in
from emr_jobs.lake.ledger import Ledger

pytestmark = pytest.mark.spark

ROOT = "s3://bronze/clickstream"
EARLY, LATE, NEXT = (f"{ROOT}/dt=2026-06-0{day}/hour=0{hour}" for day, hour in ((1, 6), (3, 5), (3, 6)))
FILES = [f"{EARLY}/a", f"{EARLY}/b", f"{LATE}/a", f"{LATE}/b", f"{NEXT}/a", f"{ROOT}/a"]


@pytest.mark.parametrize(
    ("ledger", "taken"),
    [
        (Ledger(), []),
        (Ledger("2026-06-03T05", taken=frozenset({FILES[2]})), [0, 1, 2]),
        (Ledger("2026-06-03T06", owed=frozenset({FILES[1], FILES[2]})), [0, 3]),
    ],
)
def test_the_column_says_of_rows_what_the_ledger_says_of_files(
    spark: SparkSession, ledger: Ledger, taken: list[int]
) -> None:
    rows = spark.createDataFrame([(file,) for file in FILES], "source_file string")

    found = {
        row.source_file: row.is_in for row in rows.select("*", is_taken_in(ledger).alias("is_in")).collect()
    }

    assert [file for file in FILES if found[file]] == [FILES[number] for number in taken]
    assert found == {file: ledger.has_taken(file) for file in FILES}
