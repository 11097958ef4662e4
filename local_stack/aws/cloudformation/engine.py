"""The engine in the process: clients for the resources, and operations that a stop waits for."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Any

import boto3
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from moto.cloudformation import urls
from moto.cloudformation.models import cloudformation_backends

from local_stack.aws.cloudformation.responses import CloudFormationResponse
from local_stack.aws.cloudformation.state import IN_PROGRESS
from local_stack.aws.context import ServerContext

STOP_SECONDS = 15.0

_account: ContextVar[str] = ContextVar("account")


class Engine:
    """Replaces moto's CloudFormation; as a worker it has no thread of its own between operations."""

    def __init__(self, context: ServerContext) -> None:
        self._endpoint = context.endpoint
        self._running: dict[str, threading.Thread] = {}
        self._session = boto3.session.Session()
        self._clients: dict[tuple[str, str], Any] = {}
        self._making = threading.Lock()

    def install(self) -> None:
        """Answer CloudFormation's requests from now on."""
        CloudFormationResponse.clients = staticmethod(self.client)
        CloudFormationResponse.running = self._running
        urls.url_paths["{0}/$"] = CloudFormationResponse.dispatch

    def start(self) -> None:
        """Own up to operations that the last stop cut short: their stacks are in doubt."""
        for _, _, backend in cloudformation_backends.iter_backends():
            for stack in backend.stacks.values():
                if stack.is_busy:
                    failed = stack.status.removesuffix("_CLEANUP_IN_PROGRESS").replace(IN_PROGRESS, "_FAILED")
                    stack.set_status(failed, "The emulation was stopped in the middle of this operation")

    def stop(self) -> None:
        """Wait for the operations under way."""
        for thread in list(self._running.values()):
            thread.join(STOP_SECONDS)

    def client(self, service: str, region: str, account_id: str) -> Any:
        """A client for the calling thread's operation, which works in this account from now on."""
        _account.set(account_id)
        with self._making:  # sessions are not safe to share; their clients are
            if (service, region) not in self._clients:
                self._clients[service, region] = self._make_client(service, region)
            return self._clients[service, region]

    def _make_client(self, service: str, region: str) -> Any:
        make: Any = self._session.client
        client = make(
            service,
            region_name=region,
            endpoint_url=self._endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the emulation's administrator
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )
        client.meta.events.register("before-send", _as_account)
        return client


def _as_account(request: AWSRequest, **_: object) -> None:
    request.headers["x-moto-account-id"] = _account.get()
