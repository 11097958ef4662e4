"""The process's own S3, for what needs no HTTP: listing, result files, footers of Parquet files.

It is asked on behalf of the query's caller: every function raises AccessDeniedError where that may not.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from moto.s3.models import FakeDeleteMarker, FakeKey, s3_backends

from local_stack.aws.iam.check import require
from local_stack.aws.iam.policies import Access
from local_stack.aws.iam.s3_accesses import bucket_arn, object_arn


class NoSuchBucketError(LookupError):
    """No bucket of this name; the message is the name."""


@dataclass(frozen=True)
class StoredFile:
    """An object: its ``s3://`` URI, its size in bytes, and a tag that changes with its content."""

    uri: str
    size: int
    tag: str


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an ``s3://`` URI.

    >>> split_uri("s3://bucket/a/b")
    ('bucket', 'a/b')
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _bucket(name: str) -> tuple[Any, Any]:
    """moto's backend that owns a bucket, and the bucket."""
    owner = s3_backends.bucket_accounts.get(name)
    if owner is None:
        raise NoSuchBucketError(name)
    partition, account_id = owner
    backend = s3_backends[account_id][partition]
    return backend, backend.buckets[name]


def check_bucket(uri: str) -> None:
    """Want the bucket of a URI to exist.

    Raises:
        NoSuchBucketError: it does not.
    """
    name, _ = split_uri(uri)
    require(Access("s3:GetBucketLocation", bucket_arn(name)))
    _bucket(name)


def check_readable(folder_uri: str) -> None:
    """Want the caller to be allowed to read all objects of a folder, which somebody else will read."""
    bucket, key = split_uri(folder_uri)
    require(Access("s3:GetObject", object_arn(bucket, f"{key.rstrip('/')}/*")))


def list_files(prefix_uri: str) -> list[StoredFile]:
    """Objects under a prefix, by key.

    Raises:
        NoSuchBucketError: the bucket does not exist.
    """
    name, prefix = split_uri(prefix_uri)
    require(Access("s3:ListBucket", bucket_arn(name)))
    _, bucket = _bucket(name)
    found = [
        StoredFile(f"s3://{name}/{key_name}", key.size, key.etag)
        for key_name, key in list(bucket.keys.items())
        if key_name.startswith(prefix) and not isinstance(key, FakeDeleteMarker)
    ]
    return sorted(found, key=lambda file: file.uri)


def read_file(uri: str) -> bytes:
    """An object's content.

    Raises:
        FileNotFoundError: there is none.
        NoSuchBucketError: the bucket does not exist.
    """
    return bytes(_key(uri).value)


def write_file(uri: str, content: bytes) -> None:
    """Put an object.

    Raises:
        NoSuchBucketError: the bucket does not exist.
    """
    name, key = split_uri(uri)
    require(Access("s3:PutObject", object_arn(name, key)))
    backend, _ = _bucket(name)
    backend.put_object(name, key, content)


def open_file(uri: str) -> io.RawIOBase:
    """An object to be read in parts, without copying it.

    Raises:
        FileNotFoundError: there is none.
        NoSuchBucketError: the bucket does not exist.
    """
    return _OpenFile(_key(uri))


def _key(uri: str) -> Any:
    name, key_name = split_uri(uri)
    require(Access("s3:GetObject", object_arn(name, key_name)))
    _, bucket = _bucket(name)
    key = bucket.keys.get(key_name)
    if not isinstance(key, FakeKey):
        raise FileNotFoundError(uri)
    return key


class _OpenFile(io.RawIOBase):
    """Reads moto's buffer of an object under its lock."""

    def __init__(self, key: Any) -> None:
        self._key = key
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._key.size}[whence]
        self._place = base + offset
        return self._place

    def read(self, size: int = -1) -> bytes:
        with self._key.lock:
            self._key._value_buffer.seek(self._place)
            data = bytes(self._key._value_buffer.read(size))
        self._place += len(data)
        return data
