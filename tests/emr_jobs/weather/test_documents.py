"""Compare-and-set on S3 and on DynamoDB with copies in S3; the checkpoint that only moves forward."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import boto3
import pytest

from config.names import CHECKPOINT_TABLE
from config.weather import CHECKPOINT, CHECKPOINT_KEY
from emr_jobs.weather.checkpoint import advance, read_last_processed
from emr_jobs.weather.documents import ConflictError, DocumentStore, open_documents, update
from tests.emr_jobs.weather.conftest import BUCKET

TODAY = date(2026, 11, 22)


@pytest.fixture(params=["s3", "dynamodb"])
def documents(request: pytest.FixtureRequest, s3: Any) -> DocumentStore:
    session = boto3.Session(region_name="us-east-1")
    session.client("dynamodb").create_table(
        TableName=CHECKPOINT_TABLE,
        KeySchema=[{"AttributeName": CHECKPOINT_KEY, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": CHECKPOINT_KEY, "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return open_documents(request.param, BUCKET, session)


def test_what_is_written_is_read_and_lies_in_s3(documents: DocumentStore, s3: Any) -> None:
    assert documents.read("doc.json").text is None
    documents.write("doc.json", '{"a": 1}', None)
    documents.write("doc.json", '{"a": 2}', documents.read("doc.json").version)
    assert documents.read("doc.json").text == '{"a": 2}'
    copy = s3.get_object(Bucket=BUCKET, Key="checkpoints/doc.json")["Body"].read()
    assert copy == b'{"a": 2}'


def test_writer_who_read_an_older_version_loses(documents: DocumentStore) -> None:
    documents.write("doc.json", "1", None)
    old = documents.read("doc.json").version
    documents.write("doc.json", "2", old)
    for version in (old, None):
        with pytest.raises(ConflictError, match=r"doc\.json was changed by another run"):
            documents.write("doc.json", "3", version)
    assert documents.read("doc.json").text == "2"


def test_update_starts_over_from_what_the_other_wrote(documents: DocumentStore) -> None:
    interfered = []

    def add_one(text: str | None) -> dict[str, int]:
        if not interfered:
            interfered.append(True)
            documents.write("doc.json", '{"n": 10}', None)
        return {"n": (json.loads(text)["n"] if text else 0) + 1}

    update(documents, "doc.json", add_one)
    assert json.loads(documents.read("doc.json").text or "") == {"n": 11}


def test_update_gives_up_on_a_document_that_never_rests(documents: DocumentStore) -> None:
    count = 0

    def overtaken(text: str | None) -> dict[str, int]:
        nonlocal count
        count += 1
        documents.write("doc.json", json.dumps({"by another": count}), documents.read("doc.json").version)
        return {}

    with pytest.raises(ConflictError):
        update(documents, "doc.json", overtaken)


def test_checkpoint_moves_forward_and_never_back(documents: DocumentStore) -> None:
    assert read_last_processed(documents, TODAY) is None
    advance(documents, date(2026, 11, 20), TODAY)
    advance(documents, date(2026, 11, 10), TODAY)
    assert json.loads(documents.read(CHECKPOINT).text or "") == {
        "last_processed_date": "2026-11-20",
        "next_start_date": "2026-11-21",
    }
    assert read_last_processed(documents, TODAY) == date(2026, 11, 20)


def test_two_runs_at_once_cannot_move_the_checkpoint_back(documents: DocumentStore) -> None:
    advance(documents, date(2026, 11, 1), TODAY)
    slow = _Overtaken(documents, lambda: advance(documents, date(2026, 11, 20), TODAY))
    advance(slow, date(2026, 11, 10), TODAY)
    assert read_last_processed(documents, TODAY) == date(2026, 11, 20)


class _Overtaken:
    """Documents of a run that is overtaken between its first read and its write."""

    def __init__(self, documents: DocumentStore, overtake: Callable[[], None]) -> None:
        self._documents = documents
        self._overtake: Callable[[], None] | None = overtake

    def read(self, name: str) -> Any:
        document = self._documents.read(name)
        if self._overtake:
            overtake, self._overtake = self._overtake, None
            overtake()
        return document

    def write(self, name: str, text: str, version: str | None) -> None:
        self._documents.write(name, text, version)
