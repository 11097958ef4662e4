"""Glue: concurrent commits keep every row, and column statistics are kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.exceptions import CommitFailedException
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random

from tests.support.emulated_aws import EmulatedAws

pytestmark = pytest.mark.aws


def catalog(aws: EmulatedAws) -> Catalog:
    """A pyiceberg catalog over the emulated Glue."""
    return load_catalog(
        "glue",
        **{
            "type": "glue",
            "glue.endpoint": aws.endpoint,
            "glue.region": aws.region,
            "glue.access-key-id": "test",
            "glue.secret-access-key": "test",
            "s3.endpoint": aws.endpoint,
            "s3.region": aws.region,
            "s3.access-key-id": "test",
            "s3.secret-access-key": "test",
        },
    )


def test_four_concurrent_writers_keep_every_row(emulated_aws: EmulatedAws) -> None:
    emulated_aws.client("s3").create_bucket(
        Bucket="race", CreateBucketConfiguration={"LocationConstraint": emulated_aws.region}
    )
    emulated_aws.client("glue").create_database(DatabaseInput={"Name": "race"})
    schema = pa.schema([("writer", pa.int64()), ("n", pa.int64())])
    catalog(emulated_aws).create_table("race.rows", schema, location="s3://race/rows")

    @retry(
        retry=retry_if_exception_type(CommitFailedException),
        stop=stop_after_attempt(100),
        wait=wait_random(0, 0.2),
    )
    def commit(writer: int, number: int) -> None:
        rows = pa.table({"writer": [writer] * 10, "n": [number] * 10}, schema=schema)
        catalog(emulated_aws).load_table("race.rows").append(rows)

    def write(writer: int) -> None:
        for number in range(6):
            commit(writer, number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    rows = catalog(emulated_aws).load_table("race.rows").scan().to_arrow()
    counted = rows.group_by(["writer", "n"]).aggregate([([], "count_all")])
    assert rows.num_rows == 240
    assert set(counted["count_all"].to_pylist()) == {10}


def test_an_update_of_another_version_is_refused_and_skip_archive_forgets(emulated_aws: EmulatedAws) -> None:
    glue = emulated_aws.client("glue")
    glue.create_database(DatabaseInput={"Name": "versions"})
    glue.create_table(DatabaseName="versions", TableInput={"Name": "t", "Parameters": {"n": "1"}})
    glue.update_table(
        DatabaseName="versions", TableInput={"Name": "t", "Parameters": {"n": "2"}}, VersionId="1"
    )
    with pytest.raises(ClientError, match="ConcurrentModificationException"):
        glue.update_table(
            DatabaseName="versions", TableInput={"Name": "t", "Parameters": {"n": "3"}}, VersionId="1"
        )
    table = glue.get_table(DatabaseName="versions", Name="t")["Table"]
    assert (table["Parameters"], table["VersionId"]) == ({"n": "2"}, "2")
    glue.update_table(DatabaseName="versions", TableInput={"Name": "t"}, VersionId="2", SkipArchive=True)
    versions = glue.get_table_versions(DatabaseName="versions", TableName="t")["TableVersions"]
    assert {version["VersionId"] for version in versions} == {"1", "3"}


@pytest.mark.parametrize("partition", [[], ["2026-11-22"]], ids=["table", "partition"])
def test_column_statistics_are_kept(emulated_aws: EmulatedAws, partition: list[str]) -> None:
    glue = emulated_aws.client("glue")
    kind = "partition" if partition else "table"
    database = f"statistics_{kind}"
    names = {"DatabaseName": database, "TableName": "t"} | (
        {"PartitionValues": partition} if partition else {}
    )
    glue.create_database(DatabaseInput={"Name": database})
    glue.create_table(DatabaseName=database, TableInput={"Name": "t", "PartitionKeys": [{"Name": "dt"}]})
    if partition:
        glue.create_partition(DatabaseName=database, TableName="t", PartitionInput={"Values": partition})
    statistics = {
        "ColumnName": "n",
        "ColumnType": "bigint",
        "AnalyzedTime": 1_700_000_000,
        "StatisticsData": {
            "Type": "LONG",
            "LongColumnStatisticsData": {"NumberOfNulls": 1, "NumberOfDistinctValues": 2},
        },
    }
    update = getattr(glue, f"update_column_statistics_for_{kind}")
    assert update(**names, ColumnStatisticsList=[statistics])["Errors"] == []
    get = getattr(glue, f"get_column_statistics_for_{kind}")
    answer = get(**names, ColumnNames=["n", "absent"])
    assert [found["StatisticsData"] for found in answer["ColumnStatisticsList"]] == [
        statistics["StatisticsData"]
    ]
    assert [error["ColumnName"] for error in answer["Errors"]] == ["absent"]
    getattr(glue, f"delete_column_statistics_for_{kind}")(**names, ColumnName="n")
    assert get(**names, ColumnNames=["n"])["ColumnStatisticsList"] == []
