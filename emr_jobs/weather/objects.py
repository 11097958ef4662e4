"""S3 objects that several runs share, changed by compare-and-set; their versions are their ETags."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

_ABSENT = {"NoSuchKey", "404"}
_LOST_RACE = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}


def get_object(s3: Any, bucket: str, key: str) -> dict[str, Any] | None:
    """S3's answer with Body, ETag and Metadata; None where there is no object."""
    try:
        found: dict[str, Any] = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT:
            return None
        raise
    return found


def replace_object(s3: Any, version: str | None, **request: Any) -> bool:
    """Put an object in the place of the version that was read (None: there was none).

    Returns whether it is there now; it is not if somebody else changed or deleted it since.
    """
    condition = {"IfMatch": version} if version else {"IfNoneMatch": "*"}
    try:
        s3.put_object(**request, **condition)
    except ClientError as error:
        if error.response["Error"]["Code"] in _LOST_RACE | _ABSENT:
            return False
        raise
    return True
