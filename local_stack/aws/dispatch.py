"""How a request finds its service, its region and its account.

Accounts are moto's: an access key that CreateAccessKey registered in an account selects it, the
header ``x-moto-account-id`` overrides, and any other key (``test``) is the default account.

What a caller may do is settled before a request comes here: see ``iam.guard``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs

import moto.backends
import moto.core.responses
from moto.core.common_models import BaseModel
from moto.core.responses import BaseResponse
from moto.core.utils import camelcase_to_underscores, method_names_from_class
from moto.emr.responses import ElasticMapReduceResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from local_stack.aws.context import ServerContext
from local_stack.aws.errors import NotEmulatedError

_SCOPE = re.compile(r"Credential=[^/\s]+/\d{8}/(?P<region>[a-z0-9-]+)/")


class Dispatcher(DomainDispatcherApplication):
    """moto's dispatcher, which remembers the service of a host and refuses unknown services by name."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self.get_backend_for_host = lru_cache(maxsize=1024)(self._backend_for_host)

    def _backend_for_host(self, host: str | None) -> str | None:
        backend = super().get_backend_for_host(host)
        if backend is None and host is not None:
            raise NotEmulatedError(host.partition(".")[0], "any operation")
        return backend


def install(context: ServerContext) -> None:
    """Mend moto's dispatch."""
    _remember_modules()
    _remember_method_names()
    _forget_instances()
    _take_region_from_signature(context.region)
    _refuse_unknown_operations()


def _remember_modules() -> None:
    """moto lists its folders (175 stat calls) on every request, under a global lock."""
    modules = frozenset(moto.backends.list_of_moto_modules())
    moto.backends.list_of_moto_modules = lambda: modules


def _remember_method_names() -> None:
    """moto inspects the whole class of a service on every request."""
    moto.core.responses.method_names_from_class = lru_cache(maxsize=None)(method_names_from_class)


def _forget_instances() -> None:
    """moto keeps every model object it ever made alive, for a dashboard that nobody opens here."""

    def new(cls: type[BaseModel], *_args: Any, **_kwargs: Any) -> BaseModel:
        return object.__new__(cls)

    BaseModel.__new__ = new


def signed_region(headers: Any, query: str) -> str | None:
    """Region that a request was signed for, by its header or its presigned query; None if unsigned."""
    match = _SCOPE.search(headers.get("Authorization", ""))
    if match:
        return match["region"]
    for credential in parse_qs(query).get("X-Amz-Credential", []):
        parts = credential.split("/")
        if len(parts) == 5:
            return parts[2]
    return None


def _take_region_from_signature(default_region: str) -> None:
    """moto looks at host names and user agents first, which say nothing (or us-east-1) on loopback."""

    def get_region_from_url(self: BaseResponse, request: Any, full_url: str) -> str:
        return signed_region(request.headers, full_url.partition("?")[2]) or default_region

    BaseResponse.get_region_from_url = get_region_from_url
    ElasticMapReduceResponse.get_region_from_url = get_region_from_url


def _refuse_unknown_operations() -> None:
    """moto answers 404 or a 500 that SDKs retry for minutes; here it is a 501 with the name."""

    call_action = BaseResponse.call_action

    def refusing_call_action(self: BaseResponse) -> Any:
        action = self._get_action()
        if not action:
            raise NotEmulatedError(self.boto3_service_name, f"{self.method} {self.path}")
        if not callable(getattr(self, camelcase_to_underscores(action), None)):
            raise NotEmulatedError(self.boto3_service_name, action)
        try:
            return call_action(self)
        except NotImplementedError as error:
            raise NotEmulatedError(self.boto3_service_name, f"{action} ({error})") from error

    BaseResponse.call_action = refusing_call_action
