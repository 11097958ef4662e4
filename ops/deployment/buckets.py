"""What a stack's buckets hold, and emptying them when a person said so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ops.deployment.errors import DeployError, explained

COUNT_LIMIT = 100_000
"""Counting stops here: whether there is data matters, not how many millions of objects."""

_BATCH = 1000
"""DeleteObjects takes no more."""


@dataclass(frozen=True)
class BucketContent:
    """How many objects (old versions included) a bucket holds, and how many bytes."""

    bucket: str
    objects: int
    size_bytes: int

    def __str__(self) -> str:
        at_least = "at least " if self.objects >= COUNT_LIMIT else ""
        return f"{self.bucket}: {at_least}{self.objects:,} objects, {self.size_bytes / 1e6:,.1f} MB"


def content(s3: Any, bucket: str) -> BucketContent:
    """Count what a bucket holds; a bucket that is gone holds nothing."""
    objects = size = 0
    with explained(f"look into the bucket {bucket}"):
        try:
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                versions = page.get("Versions", [])
                objects += len(versions) + len(page.get("DeleteMarkers", []))
                size += sum(version["Size"] for version in versions)
                if objects >= COUNT_LIMIT:
                    break
        except s3.exceptions.NoSuchBucket:
            return BucketContent(bucket, 0, 0)
    return BucketContent(bucket, objects, size)


def exists(s3: Any, bucket: str) -> bool:
    """Whether there is such a bucket."""
    with explained(f"look for the bucket {bucket}"):
        try:
            s3.head_bucket(Bucket=bucket)
        except s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchBucket"):
                return False
            raise
    return True


def empty(s3: Any, buckets: Iterable[str]) -> int:
    """Delete every object and version; answers how many. Access logging stops first, or it would refill."""
    wanted = list(buckets)
    deleted = 0
    for bucket in wanted:
        with explained(f"stop the access logs of {bucket}"):
            s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
    for bucket in wanted:
        with explained(f"empty the bucket {bucket}"):
            deleted += _empty(s3, bucket)
    return deleted


def _empty(s3: Any, bucket: str) -> int:
    deleted = 0
    while keys := _first_versions(s3, bucket):
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        if errors := answer.get("Errors"):
            raise DeployError(f"Cannot empty the bucket {bucket}: {errors[0]['Key']}: {errors[0]['Message']}")
        deleted += len(keys)
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    return deleted


def _first_versions(s3: Any, bucket: str) -> list[dict[str, str]]:
    # Always the first page: what it lists is gone before the next look.
    page = s3.list_object_versions(Bucket=bucket, MaxKeys=_BATCH)
    found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    return [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
