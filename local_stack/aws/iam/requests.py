"""What a request asks for: the service, the operation and its parameters, read from the wire."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, unquote

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_CREDENTIAL = re.compile(
    r"Credential=(?P<key>[^/\s]+)/\d{8}/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request"
)


@dataclass(frozen=True)
class Signature:
    """Who signed a request, and for which region and service."""

    access_key: str
    region: str
    service: str


@dataclass(frozen=True)
class AwsRequest:
    """A request to a service other than S3. ``account_id`` is the caller's."""

    service: str
    operation: str
    parameters: Mapping[str, Any]
    account_id: str
    region: str


@dataclass(frozen=True)
class S3Request:
    """A request to S3: bucket and key may be empty. ``query`` has the names of all parameters."""

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def read_signature(environ: WSGIEnvironment) -> Signature | None:
    """The signature of a request, in its header or its query; None if it is not signed."""
    match = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if match is None and "X-Amz-Credential" in environ.get("QUERY_STRING", ""):
        (credential, *_) = parse_qs(environ["QUERY_STRING"])["X-Amz-Credential"]
        match = _CREDENTIAL.search(f"Credential={credential}")
    return Signature(match["key"], match["region"], match["service"]) if match else None


def _read_body(environ: WSGIEnvironment) -> bytes:
    """The request's body, which stays readable for the service."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def read_aws_request(environ: WSGIEnvironment, service: str, account_id: str, region: str) -> AwsRequest:
    """A request in the JSON or the query protocol; of another one only method and path are known."""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return AwsRequest(
            service, target.rpartition(".")[2], json.loads(_read_body(environ) or b"{}"), account_id, region
        )
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        form = dict(parse_qsl(_read_body(environ).decode()))
        return AwsRequest(service, form.get("Action", ""), form, account_id, region)
    operation = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    return AwsRequest(service, operation, {}, account_id, region)


def read_s3_request(environ: WSGIEnvironment) -> S3Request:
    """A request to S3 in path style."""
    path = unquote((environ.get("RAW_URI") or environ["PATH_INFO"]).partition("?")[0])
    bucket, _, key = path.lstrip("/").partition("/")
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    method = environ["REQUEST_METHOD"]
    # Its body names the keys; others hold data.
    body = _read_body(environ) if method == "POST" and "delete" in query else b""
    headers = {"copy-source": environ.get("HTTP_X_AMZ_COPY_SOURCE", "")}
    return S3Request(method, bucket, key, query, headers, body)
