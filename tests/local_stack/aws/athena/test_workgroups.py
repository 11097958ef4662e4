"""Workgroups and named queries."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError

from tests.support.athena import Athena

pytestmark = pytest.mark.aws


def create(athena: Athena, name: str, **configuration: Any) -> None:
    results = {"OutputLocation": f"{athena.location}/{name}/"}
    athena.client.create_work_group(
        Name=name, Description="of a test", Configuration={"ResultConfiguration": results, **configuration}
    )


def test_an_enforced_location_overrides_the_client(athena: Athena):
    create(athena, "enforced", EnforceWorkGroupConfiguration=True)
    execution = athena.ask("SELECT 1", WorkGroup="enforced")
    assert execution["ResultConfiguration"]["OutputLocation"].startswith(f"{athena.location}/enforced/")
    assert execution["WorkGroup"] == "enforced"
    updates = {"EnforceWorkGroupConfiguration": False}
    athena.client.update_work_group(WorkGroup="enforced", ConfigurationUpdates=updates)
    execution = athena.ask("SELECT 1", WorkGroup="enforced")
    assert execution["ResultConfiguration"]["OutputLocation"].startswith(f"{athena.location}/results/")
    assert (
        athena.client.list_query_executions(WorkGroup="enforced")["QueryExecutionIds"][0]
        == execution["QueryExecutionId"]
    )


def test_a_query_that_scans_too_much_is_cut_off(athena: Athena):
    create(athena, "frugal", EnforceWorkGroupConfiguration=True, BytesScannedCutoffPerQuery=10_000_000)
    athena.create_hive_table("large", {"n": "bigint", "m": "bigint"})
    numbers = pa.array([n * 2_654_435_761 % 2**61 for n in range(1_500_000)])
    athena.put_parquet("large/a.parquet", pa.table({"n": numbers, "m": pa.nulls(len(numbers), pa.int64())}))
    execution = athena.ask("SELECT max(n) FROM large", WorkGroup="frugal")
    status = execution["Status"]
    assert (status["State"], status["StateChangeReason"]) == (
        "CANCELLED",
        "Query cancelled! : Bytes scanned limit was exceeded",
    )
    # The column m holds next to nothing.
    execution = athena.ask("SELECT max(m) FROM large", WorkGroup="frugal")
    assert execution["Status"]["State"] == "SUCCEEDED"
    assert execution["Statistics"]["DataScannedInBytes"] < 1_000_000
    athena.client.update_work_group(
        WorkGroup="frugal", ConfigurationUpdates={"RemoveBytesScannedCutoffPerQuery": True}
    )
    execution = athena.ask("SELECT max(n) FROM large", WorkGroup="frugal")
    assert execution["Status"]["State"] == "SUCCEEDED"
    assert execution["Statistics"]["DataScannedInBytes"] > 10_000_000


def test_a_disabled_workgroup_takes_no_queries(athena: Athena):
    create(athena, "closed")
    athena.client.update_work_group(WorkGroup="closed", State="DISABLED", Description="shut")
    group = athena.client.get_work_group(WorkGroup="closed")["WorkGroup"]
    assert (group["State"], group["Description"]) == ("DISABLED", "shut")
    with pytest.raises(ClientError, match="WorkGroup closed is disabled"):
        athena.start("SELECT 1", WorkGroup="closed")


def test_what_is_refused(athena: Athena):
    create(athena, "once")
    with pytest.raises(ClientError, match="WorkGroup once is already created"):
        create(athena, "once")
    with pytest.raises(ClientError, match="WorkGroup nobody is not found"):
        athena.client.get_work_group(WorkGroup="nobody")
    with pytest.raises(ClientError, match="WorkGroup primary cannot be deleted"):
        athena.client.delete_work_group(WorkGroup="primary")


def test_named_queries_and_deletion(athena: Athena):
    create(athena, "saved")
    made = athena.client.create_named_query(
        Name="daily",
        Database=athena.database,
        QueryString="SELECT 1",
        WorkGroup="saved",
        Description="each day",
    )
    query_id = made["NamedQueryId"]
    athena.client.update_named_query(NamedQueryId=query_id, Name="nightly", QueryString="SELECT 2")
    named = athena.client.get_named_query(NamedQueryId=query_id)["NamedQuery"]
    assert (named["Name"], named["QueryString"], named["WorkGroup"]) == ("nightly", "SELECT 2", "saved")
    assert athena.client.list_named_queries(WorkGroup="saved")["NamedQueryIds"] == [query_id]
    batch = athena.client.batch_get_named_query(NamedQueryIds=[query_id, "nothing"])
    assert [each["NamedQueryId"] for each in batch["NamedQueries"]] == [query_id]
    assert [each["NamedQueryId"] for each in batch["UnprocessedNamedQueryIds"]] == ["nothing"]
    with pytest.raises(ClientError, match="WorkGroup saved is not empty"):
        athena.client.delete_work_group(WorkGroup="saved")
    athena.client.delete_work_group(WorkGroup="saved", RecursiveDeleteOption=True)
    assert "saved" not in [group["Name"] for group in athena.client.list_work_groups()["WorkGroups"]]
    with pytest.raises(ClientError, match="was not found"):
        athena.client.get_named_query(NamedQueryId=query_id)
    with pytest.raises(ClientError, match="was not found"):
        athena.client.delete_named_query(NamedQueryId=query_id)
