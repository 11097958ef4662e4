"""Faults that are ordered hit the next requests, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from botocore.exceptions import ClientError

from local_stack.aws.faults import FAULTS_PATH
from tests.support.emulated_aws import EmulatedAws

pytestmark = pytest.mark.aws

BUCKET = "faults-ordered"


@pytest.fixture
def faults(emulated_aws: EmulatedAws) -> Iterator[str]:
    """Where to order them; none are left afterwards. They hit only what this file asks for."""
    url = emulated_aws.endpoint + FAULTS_PATH
    yield url
    assert httpx.delete(url).json()["waiting"] == 0


def code_of(emulated_aws: EmulatedAws, key: str) -> str:
    """The code with which a GET of an object is refused."""
    with pytest.raises(ClientError) as refused:
        emulated_aws.client("s3").get_object(Bucket=BUCKET, Key=key)
    code: str = refused.value.response["Error"]["Code"]
    return code


def test_the_next_requests_are_refused_and_then_no_more(emulated_aws: EmulatedAws, faults: str) -> None:
    order = [{"service": "s3", "operation": "GET", "path": f"{BUCKET}/some", "remaining": 2, "skip": 1}]
    assert httpx.post(faults, json=order).json() == {"waiting": 2, "held": 0}
    codes = [code_of(emulated_aws, "some-key") for _ in range(4)]
    assert codes == ["NoSuchBucket", "SlowDown", "SlowDown", "NoSuchBucket"]


def test_other_services_and_paths_are_spared(emulated_aws: EmulatedAws, faults: str) -> None:
    order = [
        {"service": "glue", "operation": "GetDataCatalogEncryptionSettings", "code": "ThrottlingException"},
        {"service": "s3", "path": f"{BUCKET}/other"},
    ]
    httpx.post(faults, json=order).raise_for_status()
    assert code_of(emulated_aws, "some-key") == "NoSuchBucket"
    emulated_aws.client("glue").get_databases()


def test_a_json_service_is_refused_in_its_own_words(emulated_aws: EmulatedAws, faults: str) -> None:
    order = {"service": "glue", "operation": "GetTable", "status": 400, "code": "ThrottlingException"}
    httpx.post(faults, json=[order]).raise_for_status()
    with pytest.raises(ClientError, match="ThrottlingException"):
        emulated_aws.client("glue").get_table(DatabaseName="none", Name="none")


def test_only_requests_with_the_content_are_refused(emulated_aws: EmulatedAws, faults: str) -> None:
    order = {"service": "glue", "operation": "GetTable", "content": '"Name": "one"', "code": "Throttled"}
    httpx.post(faults, json=[order]).raise_for_status()
    glue = emulated_aws.client("glue")
    for name, code in (("another", "EntityNotFoundException"), ("one", "Throttled")):
        with pytest.raises(ClientError, match=code):
            glue.get_table(DatabaseName="none", Name=name)


def test_a_request_may_be_carried_out_and_its_answer_be_lost(emulated_aws: EmulatedAws, faults: str) -> None:
    order = {"service": "glue", "operation": "CreateDatabase", "is_carried_out": True, "code": "Lost"}
    httpx.post(faults, json=[order]).raise_for_status()
    glue = emulated_aws.client("glue")
    with pytest.raises(ClientError, match="Lost"):
        glue.create_database(DatabaseInput={"Name": "made_all_the_same"})
    glue.delete_database(Name="made_all_the_same")


def test_a_request_is_held_until_the_faults_are_dropped(emulated_aws: EmulatedAws, faults: str) -> None:
    order = {"service": "glue", "operation": "GetDatabases", "hold_seconds": 60, "code": "Held"}
    httpx.post(faults, json=[order]).raise_for_status()
    with ThreadPoolExecutor() as threads:
        refused = threads.submit(emulated_aws.client("glue").get_databases)
        while httpx.post(faults, json=[]).json()["held"] == 0:
            assert not refused.done()
        httpx.delete(faults).raise_for_status()
        with pytest.raises(ClientError, match="Held"):
            refused.result(timeout=30)


def test_a_wrong_order_is_refused(faults: str) -> None:
    refused = httpx.post(faults, json=[{"service": "s3", "how_often": 3}])
    assert refused.status_code == 400
    assert "how_often" in refused.text
