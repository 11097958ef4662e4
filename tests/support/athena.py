"""Asks the emulated Athena, in this process or over HTTP, and gives answers that read well in a test."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.awsrequest import AWSRequest
from pyiceberg.catalog.glue import GlueCatalog

from local_stack.aws.athena.engine.errors import QueryError
from local_stack.aws.athena.engine.hive_names import PARQUET_STORAGE
from local_stack.aws.athena.engine.interface import Cancellation, Engine, Request, ResultColumn, Row
from tests.support.accounts import Account, new_account
from tests.support.emulated_aws import EmulatedAws

OVER = ("SUCCEEDED", "FAILED", "CANCELLED")
PARQUET_SERDE = PARQUET_STORAGE["SerdeInfo"]["SerializationLibrary"]


@dataclass
class Collected:
    """A sink that keeps everything."""

    columns: list[ResultColumn] = field(default_factory=list)
    rows: list[tuple[str | None, ...]] = field(default_factory=list)

    def begin(self, columns: Sequence[ResultColumn]) -> None:
        self.columns = list(columns)

    def add(self, rows: Sequence[Row]) -> None:
        self.rows += [tuple(row) for row in rows]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def types(self) -> list[str]:
        return [str(column.type) for column in self.columns]


@dataclass(frozen=True)
class EngineUnderTest:
    """The engine without Athena's API around it."""

    engine: Engine

    def run(self, sql: str, *parameters: str) -> Collected:
        """The result of a statement."""
        sink = Collected()
        request = Request("query", sql, "default", "111122223333", "eu-north-1", "s3://none/", parameters)
        self.engine.run(request, sink, Cancellation())
        return sink

    def value(self, expression: str) -> tuple[str, str | None]:
        """Type and value of an expression."""
        result = self.run(f"SELECT {expression}")
        [type_], [(value,)] = result.types, result.rows
        return type_, value

    def failure(self, expression: str) -> str:
        """Why an expression has no value."""
        with pytest.raises(QueryError) as failed:
            self.run(f"SELECT {expression}")
        return str(failed.value)


@dataclass(frozen=True)
class Athena:
    """Athena in an account with a bucket and a database of the same name."""

    account: Account
    bucket: str
    database: str
    client: Any

    @classmethod
    def in_new_account(cls, aws: EmulatedAws) -> Athena:
        """Open an account with an empty database."""
        account = new_account(aws)
        name = f"lake{token_hex(4)}"
        account.client("s3").create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": aws.region}
        )
        account.client("glue").create_database(DatabaseInput={"Name": name})
        return cls(account, name, name, account.client("athena"))

    @property
    def location(self) -> str:
        return f"s3://{self.bucket}"

    def start(self, sql: str, *parameters: str, **arguments: Any) -> str:
        """Start a query; returns its id."""
        if parameters:
            arguments["ExecutionParameters"] = list(parameters)
        arguments.setdefault("ResultConfiguration", {"OutputLocation": f"{self.location}/results/"})
        started = self.client.start_query_execution(
            QueryString=sql, QueryExecutionContext={"Database": self.database}, **arguments
        )
        return str(started["QueryExecutionId"])

    def execution(self, query_id: str) -> dict[str, Any]:
        execution: dict[str, Any] = self.client.get_query_execution(QueryExecutionId=query_id)[
            "QueryExecution"
        ]
        return execution

    def wait(self, query_id: str) -> dict[str, Any]:
        """The execution once it is over."""
        while (execution := self.execution(query_id))["Status"]["State"] not in OVER:
            time.sleep(0.01)
        return execution

    def ask(self, sql: str, *parameters: str, **arguments: Any) -> dict[str, Any]:
        """Run a query to its end; returns its execution."""
        return self.wait(self.start(sql, *parameters, **arguments))

    def rows(self, sql: str, *parameters: str) -> list[tuple[str | None, ...]]:
        """The rows of a query that must succeed, without the names."""
        execution = self.ask(sql, *parameters)
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
        answer = self.client.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
        rows = [
            tuple(cell.get("VarCharValue") for cell in row["Data"]) for row in answer["ResultSet"]["Rows"]
        ]
        return rows[1:] if execution["ResultConfiguration"]["OutputLocation"].endswith(".csv") else rows

    def failure(self, sql: str, *parameters: str) -> str:
        """Why a query that must fail does."""
        status = self.ask(sql, *parameters)["Status"]
        assert status["State"] == "FAILED", status
        return str(status["StateChangeReason"])

    def catalog(self) -> GlueCatalog:
        """pyiceberg in the account."""
        glue = self.account.client("glue")

        def as_account(request: AWSRequest, **_: object) -> None:
            request.headers["x-moto-account-id"] = self.account.account_id

        glue.meta.events.register("before-send.glue", as_account)
        s3 = {
            "s3.endpoint": self.account.aws.endpoint,
            "s3.region": self.account.aws.region,
            "s3.access-key-id": self.account.access_key,
            "s3.secret-access-key": "test",
        }
        return GlueCatalog("glue", client=glue, **s3)

    def put_parquet(self, key: str, rows: pa.Table) -> None:
        """Write a Parquet object."""
        buffer = io.BytesIO()
        pq.write_table(rows, buffer)
        self.account.client("s3").put_object(Bucket=self.bucket, Key=key, Body=buffer.getvalue())

    def create_hive_table(
        self,
        name: str,
        columns: dict[str, str],
        keys: dict[str, str] | None = None,
        parameters: dict[str, str] | None = None,
        serde: str = PARQUET_SERDE,
    ) -> None:
        """Register an external table at ``BUCKET/NAME/``."""
        self.account.client("glue").create_table(
            DatabaseName=self.database,
            TableInput={
                "Name": name,
                "TableType": "EXTERNAL_TABLE",
                "Parameters": {"EXTERNAL": "TRUE", **(parameters or {})},
                "PartitionKeys": [{"Name": key, "Type": type_} for key, type_ in (keys or {}).items()],
                "StorageDescriptor": {
                    "Columns": [{"Name": column, "Type": type_} for column, type_ in columns.items()],
                    "Location": f"{self.location}/{name}/",
                    **PARQUET_STORAGE,
                    "SerdeInfo": {"SerializationLibrary": serde},
                },
            },
        )
