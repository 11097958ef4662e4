"""Athena's API around the engine: states, result files, paging, parameters, cancellation, accounts."""

from __future__ import annotations

import json
from secrets import token_hex

import boto3
import pyarrow as pa
import pytest
from botocore.exceptions import ClientError

from tests.support.athena import Athena

pytestmark = pytest.mark.aws

ENDLESS = """
    SELECT count(*) FROM UNNEST(sequence(1, 9999)) a (x), UNNEST(sequence(1, 9999)) b (y),
    UNNEST(sequence(1, 9999)) c (z) WHERE x + y + z < 0
"""
"""Ten to the twelfth rows to count: it ends only if it is stopped."""


def stored(athena: Athena, uri: str) -> bytes:
    key = uri.removeprefix(f"{athena.location}/")
    body: bytes = athena.account.client("s3").get_object(Bucket=athena.bucket, Key=key)["Body"].read()
    return body


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    details = error.value.response["Error"]
    return details["Code"], details["Message"]


def test_a_query_that_succeeds(athena: Athena):
    execution = athena.ask("SELECT 1 AS one, 'a\"b' AS text, NULL AS nothing, '' AS blank")
    query = execution["QueryExecutionId"]
    assert execution["Query"] == "SELECT 1 AS one, 'a\"b' AS text, NULL AS nothing, '' AS blank"
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "SELECT")
    assert execution["QueryExecutionContext"] == {"Database": athena.database}
    assert execution["WorkGroup"] == "primary"
    assert execution["EngineVersion"]["EffectiveEngineVersion"] == "Athena engine version 3"
    status, statistics = execution["Status"], execution["Statistics"]
    assert (status["State"], "StateChangeReason" in status, "AthenaError" in status) == (
        "SUCCEEDED",
        False,
        False,
    )
    assert status["CompletionDateTime"] >= status["SubmissionDateTime"]
    assert statistics["DataScannedInBytes"] == 0
    assert statistics["TotalExecutionTimeInMillis"] >= statistics["EngineExecutionTimeInMillis"] >= 0
    output = execution["ResultConfiguration"]["OutputLocation"]
    assert output == f"{athena.location}/results/{query}.csv"
    assert stored(athena, output).decode() == '"one","text","nothing","blank"\n"1","a""b",,""\n'
    assert [column["Name"] for column in json.loads(stored(athena, f"{output}.metadata"))["ColumnInfo"]] == [
        "one",
        "text",
        "nothing",
        "blank",
    ]
    answer = athena.client.get_query_results(QueryExecutionId=query)
    assert answer["ResultSet"]["Rows"] == [
        {"Data": [{"VarCharValue": name} for name in ("one", "text", "nothing", "blank")]},
        {"Data": [{"VarCharValue": "1"}, {"VarCharValue": 'a"b'}, {}, {"VarCharValue": ""}]},
    ]


def test_column_info(athena: Athena):
    sql = """
        SELECT 1 AS i, CAST(1 AS bigint) AS b, 1.25 AS d, 1e0 AS x, CAST('a' AS varchar) AS s, 'abc' AS c,
        CAST(1 AS real) AS r
    """
    query = athena.ask(sql)["QueryExecutionId"]
    info = athena.client.get_query_results(QueryExecutionId=query)["ResultSet"]["ResultSetMetadata"][
        "ColumnInfo"
    ]
    assert info[0] == {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": "i",
        "Label": "i",
        "Type": "integer",
        "Precision": 10,
        "Scale": 0,
        "Nullable": "UNKNOWN",
        "CaseSensitive": False,
    }
    described = [(each["Type"], each["Precision"], each["Scale"], each["CaseSensitive"]) for each in info]
    assert described[1:] == [
        ("bigint", 19, 0, False),
        ("decimal", 3, 2, False),
        ("double", 17, 0, False),
        ("varchar", 2147483647, 0, True),
        ("varchar", 3, 0, True),
        ("float", 17, 0, False),
    ]


def test_a_query_that_fails(athena: Athena):
    execution = athena.ask("SELECT nothing")
    unauthorized = "or requester is not authorized to access requested resources"
    reason = f"COLUMN_NOT_FOUND: line 1:8: Column 'nothing' cannot be resolved {unauthorized}"
    assert execution["Status"]["StateChangeReason"] == reason
    assert execution["Status"]["AthenaError"] == {
        "ErrorCategory": 2,
        "ErrorType": 1006,
        "Retryable": False,
        "ErrorMessage": reason,
    }
    with pytest.raises(ClientError) as refused:
        athena.client.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    assert refusal(refused) == (
        "InvalidRequestException",
        "Query did not finish successfully. Final query state: FAILED",
    )


def test_lines_of_text_for_what_is_no_query(athena: Athena):
    execution = athena.ask("SHOW DATABASES")
    assert execution["StatementType"] == "UTILITY"
    output = execution["ResultConfiguration"]["OutputLocation"]
    assert output.endswith(".txt")
    assert athena.database in stored(athena, output).decode().splitlines()
    answer = athena.client.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    assert answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"][0]["Type"] == "string"


def test_pages(athena: Athena):
    query = athena.ask(
        "SELECT x, IF(x % 2 = 0, 'a,\"\nb') AS s FROM UNNEST(sequence(1, 2500)) AS t (x) ORDER BY x"
    )
    query_id = query["QueryExecutionId"]
    pages = list(athena.client.get_paginator("get_query_results").paginate(QueryExecutionId=query_id))
    rows = [
        [cell.get("VarCharValue") for cell in row["Data"]]
        for page in pages
        for row in page["ResultSet"]["Rows"]
    ]
    assert [len(page["ResultSet"]["Rows"]) for page in pages] == [1000, 1000, 501]
    assert rows[0] == ["x", "s"]
    assert rows[1:] == [[str(x), 'a,"\nb' if x % 2 == 0 else None] for x in range(1, 2501)]
    first = athena.client.get_query_results(QueryExecutionId=query_id, MaxResults=2)
    second = athena.client.get_query_results(
        QueryExecutionId=query_id, MaxResults=1, NextToken=first["NextToken"]
    )
    assert second["ResultSet"]["Rows"][0]["Data"][0] == {"VarCharValue": "2"}


def test_parameters(athena: Athena):
    words = "(VALUES 'a', 'it''s', 'c') t (x)"
    sql = f"SELECT x FROM {words} WHERE x <> ? AND length(x) > ? -- why?\nORDER BY 1 LIMIT 1"
    assert athena.rows(sql, "'a'", "1") == [("it's",)]
    assert athena.rows("SELECT ? + 1, ?, ?", "-41", "DATE '2024-01-01'", "NULL") == [
        ("-40", "2024-01-01", None)
    ]
    assert athena.failure("SELECT ?").startswith(
        "INVALID_PARAMETER_USAGE: line 1:1: Incorrect number of parameters"
    )
    assert athena.failure("SELECT ?", "1", "2").startswith("INVALID_PARAMETER_USAGE")
    assert athena.failure("SELECT ?", "(SELECT 1)").startswith(
        "INVALID_PARAMETER_USAGE: line 1:1: The parameter"
    )
    assert athena.failure("SELECT ?", "1 FROM t").startswith("INVALID_PARAMETER_USAGE")


def test_prepared_statements(athena: Athena):
    client = athena.client
    client.create_prepared_statement(
        StatementName="adds", WorkGroup="primary", QueryStatement="SELECT ? + ?", Description="a sum"
    )
    assert athena.rows("EXECUTE adds USING 40, 2") == [("42",)]
    assert athena.rows("EXECUTE adds", "1", "2") == [("3",)]
    client.update_prepared_statement(StatementName="adds", WorkGroup="primary", QueryStatement="SELECT ? * 2")
    assert athena.rows("EXECUTE adds USING 21") == [("42",)]
    described = client.get_prepared_statement(StatementName="adds", WorkGroup="primary")["PreparedStatement"]
    assert described["QueryStatement"] == "SELECT ? * 2"
    listed = client.list_prepared_statements(WorkGroup="primary")["PreparedStatements"]
    assert [statement["StatementName"] for statement in listed] == ["adds"]
    client.delete_prepared_statement(StatementName="adds", WorkGroup="primary")
    with pytest.raises(ClientError) as refused:
        athena.start("EXECUTE adds USING 1")
    assert refusal(refused)[0] == "ResourceNotFoundException"


def test_stopping_a_query_really_stops_it(athena: Athena):
    # Two run at once: if these were not stopped, the query behind them would never start.
    running = [athena.start(ENDLESS) for _ in range(2)]
    queued = athena.start(ENDLESS)
    with pytest.raises(ClientError) as refused:
        athena.client.get_query_results(QueryExecutionId=queued)
    assert refusal(refused)[1] == "Query has not yet finished. Current state: QUEUED"
    for query in (queued, *running):
        athena.client.stop_query_execution(QueryExecutionId=query)
        status = athena.execution(query)["Status"]
        assert (status["State"], status["StateChangeReason"]) == ("CANCELLED", "Query cancelled by user")
    assert athena.rows("SELECT 1") == [("1",)]
    athena.client.stop_query_execution(QueryExecutionId=queued)


def test_stopping_what_is_over_changes_nothing(athena: Athena):
    query = athena.ask("SELECT 1")["QueryExecutionId"]
    athena.client.stop_query_execution(QueryExecutionId=query)
    assert athena.execution(query)["Status"]["State"] == "SUCCEEDED"


def test_batch_and_list(athena: Athena):
    first, second = (athena.ask(f"SELECT {n}")["QueryExecutionId"] for n in (1, 2))
    answer = athena.client.batch_get_query_execution(QueryExecutionIds=[first, "nothing", second])
    assert [execution["QueryExecutionId"] for execution in answer["QueryExecutions"]] == [first, second]
    assert [each["QueryExecutionId"] for each in answer["UnprocessedQueryExecutionIds"]] == ["nothing"]
    newest = athena.client.list_query_executions(MaxResults=2)
    assert newest["QueryExecutionIds"] == [second, first]
    assert newest["NextToken"]
    statistics = athena.client.get_query_runtime_statistics(QueryExecutionId=first)["QueryRuntimeStatistics"]
    assert statistics["Rows"]["OutputRows"] == 1


def test_a_repeated_request_starts_nothing_new(athena: Athena):
    token = token_hex(16)
    first = athena.start("SELECT 1", ClientRequestToken=token)
    assert athena.start("SELECT 1", ClientRequestToken=token) == first
    with pytest.raises(ClientError) as refused:
        athena.start("SELECT 2", ClientRequestToken=token)
    assert refusal(refused) == ("InvalidRequestException", "Idempotent parameters do not match")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ResultConfiguration": {}}, "No output location provided. An output location is required"),
        ({"ResultConfiguration": {"OutputLocation": "/tmp"}}, "outputLocation is not a valid S3 path."),
        (
            {"ResultConfiguration": {"OutputLocation": "s3://no-such-bucket-anywhere/"}},
            "Unable to verify/create output bucket",
        ),
        ({"WorkGroup": "nobody"}, "WorkGroup nobody is not found."),
    ],
)
def test_requests_that_are_refused(athena: Athena, arguments: dict[str, object], message: str):
    with pytest.raises(ClientError) as refused:
        athena.start("SELECT 1", **arguments)
    assert refusal(refused)[0] == "InvalidRequestException"
    assert refusal(refused)[1].startswith(message)


def test_unknown_executions(athena: Athena):
    for operation in ("get_query_execution", "stop_query_execution", "get_query_results"):
        with pytest.raises(ClientError) as refused:
            getattr(athena.client, operation)(QueryExecutionId="nothing")
        assert refusal(refused) == ("InvalidRequestException", "QueryExecution nothing was not found")


def test_metadata(athena: Athena):
    athena.create_hive_table("described", {"n": "bigint"}, {"dt": "string"}, {"classification": "parquet"})
    name = {"CatalogName": "AwsDataCatalog", "DatabaseName": athena.database}
    table = athena.client.get_table_metadata(**name, TableName="described")["TableMetadata"]
    assert (table["Columns"], table["PartitionKeys"]) == (
        [{"Name": "n", "Type": "bigint"}],
        [{"Name": "dt", "Type": "string"}],
    )
    assert table["Parameters"]["location"] == f"{athena.location}/described/"
    listed = athena.client.list_table_metadata(**name, Expression="descr.*")["TableMetadataList"]
    assert [each["Name"] for each in listed] == ["described"]
    databases = athena.client.list_databases(CatalogName="AwsDataCatalog")["DatabaseList"]
    assert athena.database in [each["Name"] for each in databases]
    assert athena.client.get_database(**name)["Database"]["Name"] == athena.database
    catalogs = athena.client.list_data_catalogs()["DataCatalogsSummary"]
    assert {"CatalogName": "AwsDataCatalog", "Type": "GLUE"} in catalogs
    assert athena.client.get_data_catalog(Name="AwsDataCatalog")["DataCatalog"]["Type"] == "GLUE"
    with pytest.raises(ClientError) as refused:
        athena.client.get_table_metadata(**name, TableName="nothing")
    assert refusal(refused)[0] == "MetadataException"


def test_accounts_and_regions_are_separate(athena: Athena):
    query = athena.ask("SELECT 1")["QueryExecutionId"]
    other = Athena.in_new_account(athena.account.aws)
    with pytest.raises(ClientError):
        other.execution(query)
    assert other.rows("SHOW TABLES") == []
    assert other.failure(f"SELECT * FROM {athena.database}.described").startswith("SCHEMA_NOT_FOUND")
    other.catalog().create_table(
        (other.database, "mine"), pa.schema([pa.field("n", pa.int64())]), location=f"{other.location}/mine"
    )
    other.rows("INSERT INTO mine VALUES 7")
    assert other.rows("SELECT n FROM mine") == [("7",)]
    assert athena.failure(f"SELECT * FROM {other.database}.mine").startswith("SCHEMA_NOT_FOUND")
    session = boto3.session.Session(athena.account.access_key, "test", region_name="eu-west-1")
    elsewhere = session.client("athena", endpoint_url=athena.account.aws.endpoint)
    assert elsewhere.list_databases(CatalogName="AwsDataCatalog")["DatabaseList"] == []
    with pytest.raises(ClientError):
        elsewhere.get_query_execution(QueryExecutionId=query)
