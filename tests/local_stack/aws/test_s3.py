"""S3: exact conditional writes, ranges, and readers that nobody disturbs."""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError
from moto.s3.utils import _VersionedKeyStore

from local_stack.aws.s3.keys import all_versions, newest_versions
from local_stack.aws.s3.operations import is_known
from tests.support.emulated_aws import EmulatedAws

aws = pytest.mark.aws


@pytest.fixture(scope="module")
def bucket(emulated_aws: EmulatedAws) -> str:
    """A bucket of this module."""
    emulated_aws.client("s3").create_bucket(
        Bucket="s3-tests", CreateBucketConfiguration={"LocationConstraint": emulated_aws.region}
    )
    return "s3-tests"


def one_winner(aws: EmulatedAws, bucket: str, key: str, **condition: str) -> list[str]:
    """Put from eight threads at once; returns the bodies of those that were accepted."""
    client = aws.client("s3")
    start = threading.Barrier(8)

    def put(writer: int) -> str:
        start.wait()
        body = f"{writer} if {condition}"  # never the content that is there: it would match again
        try:
            client.put_object(Bucket=bucket, Key=key, Body=body.encode(), **condition)
        except client.exceptions.ClientError as error:
            return str(error.response["Error"]["Code"])
        return body

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(put, range(8)))
    assert outcomes.count("PreconditionFailed") == 7
    return [outcome for outcome in outcomes if outcome != "PreconditionFailed"]


@aws
def test_conditional_puts_have_one_winner(emulated_aws: EmulatedAws, bucket: str) -> None:
    client = emulated_aws.client("s3")
    for number in range(20):
        key = f"race/{number}"
        (created,) = one_winner(emulated_aws, bucket, key, IfNoneMatch="*")
        found = client.get_object(Bucket=bucket, Key=key)
        assert found["Body"].read() == created.encode()
        (replaced,) = one_winner(emulated_aws, bucket, key, IfMatch=found["ETag"])
        assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == replaced.encode()


@aws
@pytest.mark.parametrize("size", [1000, 20 * 1024 * 1024], ids=["in memory", "spilled to disk"])
@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=990-", 990, None),
        ("bytes=-7", -7, None),
        ("bytes=0-99999999", 0, None),
        ("bytes=-99999999", 0, None),
    ],
)
def test_ranges_give_their_bytes(
    emulated_aws: EmulatedAws, bucket: str, size: int, header: str, first: int, last: int | None
) -> None:
    client = emulated_aws.client("s3")
    body = os.urandom(size)
    key = f"ranges/{size} größe+&.bin"
    put = client.put_object(Bucket=bucket, Key=key, Body=body, Metadata={"unit": "celsius"})
    expected = body[first : None if last is None else last + 1]
    answer = client.get_object(Bucket=bucket, Key=key, Range=header)
    assert answer["Body"].read() == expected
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert answer["ContentLength"] == len(expected)
    assert answer["ContentRange"].endswith(f"/{size}")
    assert answer["ETag"] == put["ETag"]
    assert answer["Metadata"] == {"unit": "celsius"}


@aws
def test_what_is_no_range_of_the_object_is_answered_as_on_aws(emulated_aws: EmulatedAws, bucket: str) -> None:
    client = emulated_aws.client("s3")
    client.put_object(Bucket=bucket, Key="short", Body=b"0123456789")
    with pytest.raises(ClientError, match="InvalidRange"):
        client.get_object(Bucket=bucket, Key="short", Range="bytes=10-20")
    with pytest.raises(ClientError, match="NoSuchKey"):
        client.get_object(Bucket=bucket, Key="absent", Range="bytes=0-1")
    assert client.get_object(Bucket=bucket, Key="short", Range="bytes=5-2")["Body"].read() == b"0123456789"
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.get_object(Bucket=bucket, Key="short", Range="bytes=0-1", IfMatch='"other"')


@aws
def test_a_bucket_policy_that_denies_reading_denies_ranges(emulated_aws: EmulatedAws) -> None:
    client = emulated_aws.client("s3")
    client.create_bucket(Bucket="denied", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    client.put_object(Bucket="denied", Key="secret/a", Body=b"0123456789")
    client.put_object(Bucket="denied", Key="open/a", Body=b"0123456789")
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::denied/secret/*",
    }
    client.put_bucket_policy(
        Bucket="denied", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    with pytest.raises(ClientError, match="403"):
        client.get_object(Bucket="denied", Key="secret/a", Range="bytes=0-1")
    assert client.get_object(Bucket="denied", Key="open/a", Range="bytes=0-1")["Body"].read() == b"01"


@aws
def test_readers_of_an_object_that_is_replaced_get_the_old_or_the_new_one(
    emulated_aws: EmulatedAws, bucket: str
) -> None:
    """Also deleted and listed meanwhile: nobody gets an error or a mixture."""
    bodies = {hashlib.md5(body).hexdigest(): body for body in (bytes([n]) * 300_000 for n in range(4))}  # noqa: S324
    stopped = threading.Event()
    problems: list[str] = []
    emulated_aws.client("s3").put_object(Bucket=bucket, Key="hot/object", Body=next(iter(bodies.values())))

    def replace() -> None:
        client = emulated_aws.client("s3")
        for round_number in range(60):
            body = list(bodies.values())[round_number % 4]
            client.put_object(Bucket=bucket, Key="hot/object", Body=body)
            client.put_object(Bucket=bucket, Key=f"hot/{round_number}", Body=b"x")
            client.delete_object(Bucket=bucket, Key=f"hot/{round_number}")

    def read(ranged: bool) -> None:
        client = emulated_aws.client("s3")
        options: dict[str, Any] = {"Range": "bytes=1000-200000"} if ranged else {}
        while not stopped.is_set():
            answer = client.get_object(Bucket=bucket, Key="hot/object", **options)
            body = bodies.get(answer["ETag"].strip('"'), b"")
            expected = body[1000:200_001] if ranged else body
            if answer["Body"].read() != expected:
                problems.append(f"a mixture, ranged={ranged}")
            client.list_objects_v2(Bucket=bucket, Prefix="hot/")

    with ThreadPoolExecutor(5) as pool:
        readers = [pool.submit(read, ranged) for ranged in (True, False, True)]
        for writer in [pool.submit(replace) for _ in range(2)]:
            writer.result()
        stopped.set()
        for reader in readers:
            reader.result()
    assert problems == []


def test_a_listing_shows_the_keys_as_they_were_when_it_began() -> None:
    store = _VersionedKeyStore({"a": [1, 2], "b": [3], "c": []})
    newest, versions = newest_versions(store), all_versions(store)
    assert (next(newest), next(versions)) == (("a", 2), ("a", [1, 2]))
    dict.pop(store, "b")
    assert (list(newest), list(versions)) == ([("b", 3)], [("b", [3])])


@aws
def test_multipart_uploads_come_together(emulated_aws: EmulatedAws, bucket: str) -> None:
    client = emulated_aws.client("s3")
    body = os.urandom(12 * 1024 * 1024)
    client.upload_fileobj(io.BytesIO(body), bucket, "large.bin")
    assert client.get_object(Bucket=bucket, Key="large.bin")["Body"].read() == body
    tail = client.get_object(Bucket=bucket, Key="large.bin", Range="bytes=-100000")["Body"].read()
    assert tail == body[-100_000:]


@aws
def test_presigned_urls_work(emulated_aws: EmulatedAws, bucket: str) -> None:
    client = emulated_aws.client("s3")
    client.put_object(Bucket=bucket, Key="signed", Body=b"hello")
    url = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "signed"})
    assert httpx.get(url, timeout=60).content == b"hello"


@pytest.mark.parametrize(
    ("method", "parameters", "known"),
    [
        ("DELETE", ["metrics", "id"], False),
        ("DELETE", ["inventory", "id"], False),
        ("GET", ["inventory"], True),
        ("DELETE", [], True),
        ("GET", ["list-type", "prefix"], True),
        ("PUT", ["intelligent-tiering"], False),
    ],
)
def test_an_unknown_subresource_is_never_taken_for_the_bucket(
    method: str, parameters: list[str], known: bool
) -> None:
    assert is_known(method, parameters) == known


@aws
def test_a_folder_of_delete_markers_is_not_listed(emulated_aws: EmulatedAws) -> None:
    s3 = emulated_aws.client("s3")
    s3.create_bucket(
        Bucket="s3-versioned", CreateBucketConfiguration={"LocationConstraint": emulated_aws.region}
    )
    s3.put_bucket_versioning(Bucket="s3-versioned", VersioningConfiguration={"Status": "Enabled"})
    for key in ("lake/gone/1", "lake/here/1", "lake/here/2"):
        s3.put_object(Bucket="s3-versioned", Key=key, Body=b"x")
    for key in ("lake/gone/1", "lake/here/1"):
        s3.delete_object(Bucket="s3-versioned", Key=key)
    listed = s3.list_objects_v2(Bucket="s3-versioned", Prefix="lake/", Delimiter="/")
    assert [each["Prefix"] for each in listed["CommonPrefixes"]] == ["lake/here/"]
