"""Faults that are ordered hit the next requests, and no others."""

from __future__ import annotations

from collections.abc import Iterator

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
    assert httpx.delete(url).json() == {"waiting": 0}


def code_of(emulated_aws: EmulatedAws, key: str) -> str:
    """The code with which a GET of an object is refused."""
    with pytest.raises(ClientError) as refused:
        emulated_aws.client("s3").get_object(Bucket=BUCKET, Key=key)
    code: str = refused.value.response["Error"]["Code"]
    return code


def test_the_next_requests_are_refused_and_then_no_more(emulated_aws: EmulatedAws, faults: str) -> None:
    order = [{"service": "s3", "operation": "GET", "path": f"{BUCKET}/some", "remaining": 2, "skip": 1}]
    assert httpx.post(faults, json=order).json() == {"waiting": 2}
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


def test_a_wrong_order_is_refused(faults: str) -> None:
    refused = httpx.post(faults, json=[{"service": "s3", "how_often": 3}])
    assert refused.status_code == 400
    assert "how_often" in refused.text
