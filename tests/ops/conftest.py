"""Deployments in an account of one's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.support.accounts import Account, new_account
from tests.support.emulated_aws import EmulatedAws

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def account(emulated_aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch) -> Account:
    """A fresh account; the process's own clients are led to the emulation."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulated_aws.endpoint)
    return new_account(emulated_aws)


@pytest.fixture
def deploy(account: Account) -> Command:
    """Runs ``python -m ops.deploy`` in the account."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ops.deploy", *arguments]
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        return subprocess.run(
            command,
            env={**inherited, **account.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return run
