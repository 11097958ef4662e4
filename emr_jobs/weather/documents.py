"""Small JSON documents that several runs share, changed by compare-and-set.

In dev they lie in S3 (If-Match). In prod their truth is in DynamoDB (conditional put) and each
write leaves a copy in S3.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random

from config.names import CHECKPOINT_TABLE
from config.weather import CHECKPOINT_KEY, CHECKPOINT_PREFIX
from emr_jobs.weather.objects import get_object, replace_object

_ATTEMPTS = 10


class ConflictError(RuntimeError):
    """Another run changed the document since it was read."""


@dataclass(frozen=True)
class Document:
    """A document's text and the version to name when replacing it; both None where there is none."""

    text: str | None
    version: str | None


class DocumentStore(Protocol):
    """Reads documents and replaces them if nobody else did since."""

    def read(self, name: str) -> Document:
        """The document as it stands."""

    def write(self, name: str, text: str, version: str | None) -> None:
        """Replace the version read; None means that there was no document.

        Raises:
            ConflictError: it was changed meanwhile.
        """


class S3Documents:
    """Documents as S3 objects below ``checkpoints/``, versions being their ETags."""

    def __init__(self, bucket: str, client: Any) -> None:
        self._bucket = bucket
        self._s3 = client

    def read(self, name: str) -> Document:
        """The document as it stands."""
        found = get_object(self._s3, self._bucket, CHECKPOINT_PREFIX + name)
        if found is None:
            return Document(None, None)
        return Document(found["Body"].read().decode("utf-8", errors="replace"), found["ETag"])

    def write(self, name: str, text: str, version: str | None) -> None:
        """Replace the version read.

        Raises:
            ConflictError: it was changed meanwhile.
        """
        if not replace_object(self._s3, version, **self._request(name, text)):
            raise ConflictError(f"{name} was changed by another run")

    def overwrite(self, name: str, text: str) -> None:
        """Put the document, whatever is there."""
        self._s3.put_object(**self._request(name, text))

    def _request(self, name: str, text: str) -> dict[str, Any]:
        return {
            "Bucket": self._bucket,
            "Key": CHECKPOINT_PREFIX + name,
            "Body": text.encode(),
            "ContentType": "application/json",
        }


class DynamoDocuments:
    """Documents as items ``{checkpoint, version, body}`` of a DynamoDB table, each write copied to S3."""

    def __init__(self, copies: S3Documents, client: Any, table: str = CHECKPOINT_TABLE) -> None:
        self._copies = copies
        self._table = table
        self._dynamodb = client

    def read(self, name: str) -> Document:
        """The document as it stands."""
        answer = self._dynamodb.get_item(
            TableName=self._table, Key={CHECKPOINT_KEY: {"S": name}}, ConsistentRead=True
        )
        item = answer.get("Item")
        return Document(item["body"]["S"], item["version"]["N"]) if item else Document(None, None)

    def write(self, name: str, text: str, version: str | None) -> None:
        """Replace the version read, then copy it to S3.

        Raises:
            ConflictError: it was changed meanwhile.
        """
        condition: dict[str, Any] = {"ConditionExpression": f"attribute_not_exists({CHECKPOINT_KEY})"}
        if version:
            condition = {
                "ConditionExpression": "#version = :read",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":read": {"N": version}},
            }
        item = {
            CHECKPOINT_KEY: {"S": name},
            "version": {"N": str(int(version or 0) + 1)},
            "body": {"S": text},
        }
        try:
            self._dynamodb.put_item(TableName=self._table, Item=item, **condition)
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise ConflictError(f"{name} was changed by another run") from error
        self._copies.overwrite(name, text)


def open_documents(store: str, bucket: str, session: Any) -> DocumentStore:
    """The documents of a bucket, by the checkpoint store (s3 or dynamodb) and a boto3 session."""
    in_s3 = S3Documents(bucket, session.client("s3"))
    return DynamoDocuments(in_s3, session.client("dynamodb")) if store == "dynamodb" else in_s3


def update(
    documents: DocumentStore, name: str, change: Callable[[str | None], dict[str, Any] | None]
) -> None:
    """Read, change and write a document until no other run comes in between.

    ``change`` maps the text (None if absent) to the new content, or to None to leave it as it is;
    it may run several times.

    Raises:
        ConflictError: it was lost to others many times in a row.
    """
    for attempt in Retrying(
        retry=retry_if_exception_type(ConflictError),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_random(0, 0.2),
        reraise=True,
    ):
        with attempt:
            document = documents.read(name)
            content = change(document.text)
            if content is not None:
                documents.write(name, json.dumps(content, indent=1, sort_keys=True), document.version)
