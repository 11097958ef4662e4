"""What S3 requests do, in IAM's terms.

Actions are those of the Service Authorization Reference, which are not named like the operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote
from xml.etree import ElementTree

from moto.s3.models import s3_backends

from local_stack.aws.iam.callers import PARTITION
from local_stack.aws.iam.policies import Access
from local_stack.aws.iam.requests import S3Request

_OBJECT: dict[tuple[str, str], str] = {
    ("GET", ""): "GetObject",
    ("GET", "acl"): "GetObjectAcl",
    ("GET", "attributes"): "GetObjectAttributes",
    ("GET", "tagging"): "GetObjectTagging",
    ("GET", "uploadId"): "ListMultipartUploadParts",
    ("GET", "versionId"): "GetObjectVersion",
    ("HEAD", ""): "GetObject",
    ("HEAD", "versionId"): "GetObjectVersion",
    ("PUT", ""): "PutObject",
    ("PUT", "acl"): "PutObjectAcl",
    ("PUT", "tagging"): "PutObjectTagging",
    ("PUT", "uploadId"): "PutObject",
    ("POST", "restore"): "RestoreObject",
    ("POST", "uploadId"): "PutObject",
    ("POST", "uploads"): "PutObject",
    ("DELETE", ""): "DeleteObject",
    ("DELETE", "tagging"): "DeleteObjectTagging",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("DELETE", "versionId"): "DeleteObjectVersion",
}

_BUCKET: dict[tuple[str, str], str] = {
    ("GET", ""): "ListBucket",
    ("GET", "acl"): "GetBucketAcl",
    ("GET", "location"): "GetBucketLocation",
    ("GET", "policy"): "GetBucketPolicy",
    ("GET", "tagging"): "GetBucketTagging",
    ("GET", "uploads"): "ListBucketMultipartUploads",
    ("GET", "versioning"): "GetBucketVersioning",
    ("GET", "versions"): "ListBucketVersions",
    ("HEAD", ""): "ListBucket",
    ("PUT", ""): "CreateBucket",
    ("DELETE", ""): "DeleteBucket",
}

_SUBRESOURCES = frozenset(
    {name for _, name in (*_OBJECT, *_BUCKET)}
    # Of operations that no role here uses: known, so that none passes for a plain one.
    | {"accelerate", "cors", "encryption", "inventory", "legal-hold", "lifecycle", "logging", "metrics"}
    | {"notification", "object-lock", "ownershipControls", "policyStatus", "publicAccessBlock"}
    | {"replication", "requestPayment", "retention", "select", "website"}
) - {""}


def bucket_arn(bucket: str) -> str:
    """ARN of a bucket."""
    return f"arn:{PARTITION}:s3:::{bucket}"


def object_arn(bucket: str, key: str) -> str:
    """ARN of an object; a key that ends in ``*`` stands for all that begin so."""
    return f"{bucket_arn(bucket)}/{key}"


def _action(table: Mapping[tuple[str, str], str], request: S3Request) -> str:
    found = sorted(_SUBRESOURCES & request.query.keys())
    name = found[0] if found else ""
    # What is in no table cannot be allowed by any policy, but be named in the refusal.
    return f"s3:{table.get((request.method, name)) or f'{request.method}?{name}'}"


def _exists(bucket: str, key: str) -> bool:
    """Whether the object is there, or was."""
    owner = s3_backends.bucket_accounts.get(bucket)
    if owner is None:
        return False
    partition, account_id = owner
    found = s3_backends[account_id][partition].buckets.get(bucket)
    return found is not None and key in found.keys


def accesses_of(request: S3Request) -> list[Access]:
    """Everything that the request needs to be allowed to do."""
    if not request.bucket:
        return [Access("s3:ListAllMyBuckets", "*")]
    if not request.key:
        if request.method == "POST" and "delete" in request.query:
            # Python's expat stops at entities that would explode.
            names = ElementTree.fromstring(request.body).iterfind(".//{*}Key")  # noqa: S314
            return [Access("s3:DeleteObject", object_arn(request.bucket, name.text or "")) for name in names]
        return [Access(_action(_BUCKET, request), bucket_arn(request.bucket))]
    accesses = [Access(_action(_OBJECT, request), object_arn(request.bucket, request.key))]
    if request.method in ("GET", "HEAD") and not _exists(request.bucket, request.key):
        # Who may not list a bucket is not told what is missing there.
        accesses.append(Access("s3:ListBucket", bucket_arn(request.bucket)))
    if source := request.headers.get("copy-source"):
        bucket, _, key = unquote(source.partition("?")[0]).lstrip("/").partition("/")
        accesses.append(Access("s3:GetObject", object_arn(bucket, key)))
    return accesses
