"""The short way through botocore says and hears the same as the long one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.exceptions import ClientError

from kinesis.wire import speed_up_put_records
from tests.support.scripted_kinesis import Answer, ScriptedStream, fail_some, refuse, store_all

RECORDS = [
    {"Data": b"", "PartitionKey": "1"},
    {"Data": b'{"a": "\xc3\xa9"}', "PartitionKey": 'k"\\\u00e9'},
    {"Data": b"\xff\x00", "PartitionKey": "2"},
]


def call(answer: Answer, *, short: bool) -> tuple[AWSPreparedRequest, dict[str, Any]]:
    """One PutRecords: the request as it left, and the answer as the caller gets it."""
    client = ScriptedStream(script=[answer]).client(Config(retries={"total_max_attempts": 1}))
    if short:
        speed_up_put_records(client)
    requests: list[AWSPreparedRequest] = []
    client.meta.events.register_first(
        "before-send.kinesis.PutRecords", lambda request, **_: requests.append(request)
    )
    result = client.put_records(StreamName="a-stream", Records=RECORDS)
    return requests[0], result


@pytest.mark.parametrize("answer", [store_all, fail_some("InternalFailure", every=2)])
def test_request_and_answer_are_the_same(answer: Answer) -> None:
    short_request, short_result = call(answer, short=True)
    long_request, long_result = call(answer, short=False)
    assert json.loads(short_request.body) == json.loads(long_request.body)
    assert short_request.headers["X-Amz-Target"] == long_request.headers["X-Amz-Target"]
    assert short_result == long_result
    assert len(short_result["Records"]) == 3


def test_errors_are_botocore_s_own() -> None:
    with pytest.raises(ClientError, match="ProvisionedThroughputExceededException") as error:
        call(refuse(400, "ProvisionedThroughputExceededException"), short=True)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize("body", [[], "text", None])
def test_an_answer_that_is_no_object_has_no_results(body: Any) -> None:
    _, result = call(lambda stream, records: (200, body), short=True)
    assert "Records" not in result
