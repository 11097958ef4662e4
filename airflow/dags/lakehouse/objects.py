"""Objects in S3."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

ABSENT = ("NoSuchKey", "404")
"""How S3 says that there is no such object: to a GET, and to a HEAD, whose answer has no body."""


def bucket_and_key(uri: str) -> tuple[str, str]:
    """The parts of an object's URI, or of a folder's.

    >>> bucket_and_key("s3://logs/emr-logs/j-1/stderr.gz")
    ('logs', 'emr-logs/j-1/stderr.gz')
    """
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key


def object_exists(s3: Any, bucket: str, key: str) -> bool:
    """Whether there is such an object.

    Raises:
        ClientError: S3 refuses to say.
    """
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            return False
        raise
    return True
