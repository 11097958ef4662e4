"""What requests do, in IAM's terms."""

from __future__ import annotations

import io
import json
from typing import Any
from urllib.parse import quote

import pytest

from local_stack.aws.iam import accesses, s3_accesses
from local_stack.aws.iam.policies import Access
from local_stack.aws.iam.requests import (
    S3Request,
    read_aws_request,
    read_s3_request,
    read_signature,
)

ACCOUNT, REGION = "210987654321", "eu-north-1"


def asked(service: str, operation: str, **parameters: Any) -> list[tuple[str, str]]:
    body = json.dumps(parameters).encode()
    environ = {
        "HTTP_X_AMZ_TARGET": f"Prefix_2020.{operation}",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    request = read_aws_request(environ, service, ACCOUNT, REGION)
    assert environ["wsgi.input"].read() == body, "the service must still be able to read it"
    return [(access.action, access.resource) for access in accesses.accesses_of(request)]


def test_a_stream_is_named_by_its_name_or_its_arn() -> None:
    arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/events"
    assert asked("kinesis", "PutRecords", StreamName="events", Records=[]) == [("kinesis:PutRecords", arn)]
    assert asked("kinesis", "ListShards", StreamARN=arn) == [("kinesis:ListShards", arn)]
    assert asked("kinesis", "ListStreams") == [("kinesis:ListStreams", "*")]


@pytest.mark.parametrize(
    ("operation", "parameters", "resources"),
    [
        ("GetDatabase", {"Name": "d"}, ["catalog", "database/d"]),
        ("GetDatabases", {}, ["catalog", "database/*"]),
        ("CreateDatabase", {"DatabaseInput": {"Name": "d"}}, ["catalog", "database/d"]),
        ("GetTable", {"DatabaseName": "d", "Name": "t"}, ["catalog", "database/d", "table/d/t"]),
        ("GetTables", {"DatabaseName": "d"}, ["catalog", "database/d", "table/d/*"]),
        (
            "UpdateTable",
            {"DatabaseName": "d", "TableInput": {"Name": "t"}},
            ["catalog", "database/d", "table/d/t"],
        ),
        ("GetPartitions", {"DatabaseName": "d", "TableName": "t"}, ["catalog", "database/d", "table/d/t"]),
    ],
)
def test_glue_wants_the_catalog_the_database_and_the_table(
    operation: str, parameters: dict[str, Any], resources: list[str]
) -> None:
    base = f"arn:aws:glue:{REGION}:{ACCOUNT}:"
    assert asked("glue", operation, **parameters) == [
        (f"glue:{operation}", base + resource) for resource in resources
    ]


def test_a_cluster_is_given_roles_which_somebody_has_to_pass() -> None:
    found = asked("elasticmapreduce", "RunJobFlow", ServiceRole="Emr", JobFlowRole="Machines", Tags=[])
    assert found == [
        ("elasticmapreduce:RunJobFlow", "*"),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/Emr"),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/Machines"),
    ]
    cluster = f"arn:aws:elasticmapreduce:{REGION}:{ACCOUNT}:cluster/j-1"
    assert asked("elasticmapreduce", "AddJobFlowSteps", JobFlowId="j-1") == [
        ("elasticmapreduce:AddJobFlowSteps", cluster)
    ]
    assert asked("elasticmapreduce", "ListClusters") == [("elasticmapreduce:ListClusters", "*")]


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "resource"),
    [
        ("dynamodb", "PutItem", {"TableName": "t"}, "dynamodb:{}:table/t"),
        ("ssm", "GetParameter", {"Name": "/a/b"}, "ssm:{}:parameter/a/b"),
        (
            "logs",
            "PutLogEvents",
            {"logGroupName": "g", "logStreamName": "s"},
            "logs:{}:log-group:g:log-stream:s",
        ),
        ("athena", "StartQueryExecution", {"WorkGroup": "w"}, "athena:{}:workgroup/w"),
        ("athena", "StartQueryExecution", {}, "athena:{}:workgroup/primary"),
        ("firehose", "PutRecord", {"DeliveryStreamName": "d"}, "firehose:{}:deliverystream/d"),
    ],
)
def test_resources_of_services(service: str, operation: str, parameters: Any, resource: str) -> None:
    arn = f"arn:aws:{resource.format(f'{REGION}:{ACCOUNT}')}"
    assert asked(service, operation, **parameters) == [(f"{service}:{operation}", arn)]


def test_what_the_table_does_not_know_needs_a_grant_on_everything() -> None:
    assert asked("events", "PutRule", Name="r") == [("events:PutRule", "*")]
    assert asked("monitoring", "PutMetricData") == [("cloudwatch:PutMetricData", "*")]


BUCKET, OBJECT = "arn:aws:s3:::bucket", "arn:aws:s3:::bucket/a key/+é"


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/", "", ("s3:ListAllMyBuckets", "*")),
        ("HEAD", "/bucket", "", ("s3:ListBucket", BUCKET)),
        ("GET", "/bucket", "list-type=2&prefix=a", ("s3:ListBucket", BUCKET)),
        ("GET", "/bucket/", "location", ("s3:GetBucketLocation", BUCKET)),
        ("GET", "/bucket", "uploads", ("s3:ListBucketMultipartUploads", BUCKET)),
        ("PUT", "/bucket/a key/+é", "", ("s3:PutObject", OBJECT)),
        ("POST", "/bucket/a key/+é", "uploads", ("s3:PutObject", OBJECT)),
        ("PUT", "/bucket/a key/+é", "partNumber=1&uploadId=u", ("s3:PutObject", OBJECT)),
        ("DELETE", "/bucket/a key/+é", "uploadId=u", ("s3:AbortMultipartUpload", OBJECT)),
        ("DELETE", "/bucket/a key/+é", "", ("s3:DeleteObject", OBJECT)),
        ("DELETE", "/bucket/a key/+é", "versionId=v", ("s3:DeleteObjectVersion", OBJECT)),
        ("PUT", "/bucket", "lifecycle", ("s3:PUT?lifecycle", BUCKET)),
    ],
)
def test_s3(method: str, path: str, query: str, expected: tuple[str, str]) -> None:
    environ = {"REQUEST_METHOD": method, "RAW_URI": quote(path) + f"?{query}", "QUERY_STRING": query}
    assert s3_accesses.accesses_of(read_s3_request(environ)) == [Access(*expected)]


def test_reading_what_is_missing_needs_the_right_to_list() -> None:
    found = s3_accesses.accesses_of(S3Request("GET", "no-such-bucket", "key", {}))
    assert [access.action for access in found] == ["s3:GetObject", "s3:ListBucket"]


def test_a_copy_reads_its_source() -> None:
    request = S3Request("PUT", "bucket", "to", {}, {"copy-source": "/other/a%20key?versionId=v"})
    assert s3_accesses.accesses_of(request) == [
        Access("s3:PutObject", "arn:aws:s3:::bucket/to"),
        Access("s3:GetObject", "arn:aws:s3:::other/a key"),
    ]


def test_deleting_many_deletes_each() -> None:
    keys = "".join(f"<Object><Key>{key}</Key></Object>" for key in ("a", "b"))
    body = f'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{keys}</Delete>'.encode()
    found = s3_accesses.accesses_of(S3Request("POST", "bucket", "", {"delete": ""}, {}, body))
    assert found == [Access("s3:DeleteObject", f"arn:aws:s3:::bucket/{key}") for key in ("a", "b")]


def test_signatures_stand_in_the_header_or_in_the_query() -> None:
    scope = "ASIAKEY/20260101/eu-north-1/s3/aws4_request"
    header = {"HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host"}
    query = {"QUERY_STRING": f"X-Amz-Algorithm=x&X-Amz-Credential={quote(scope, safe='')}"}
    for environ in (header, query):
        signature = read_signature(environ)
        assert signature is not None
        assert (signature.access_key, signature.region, signature.service) == ("ASIAKEY", REGION, "s3")
    assert read_signature({}) is None
