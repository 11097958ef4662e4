"""Starts the emulated AWS as its own process, for tests: the shared one (fixture) or a private one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from config.project_config import DEFAULT_REGION

STOP_TIMEOUT_SECONDS = 60


_MAKING_CLIENTS = threading.Lock()


@cache
def _session(access_key: str, region: str) -> boto3.session.Session:
    """One session for many clients: each would read the service descriptions anew."""
    return boto3.session.Session(access_key, "test", region_name=region)


@dataclass(frozen=True)
class EmulatedAws:
    """A running emulated AWS: where it listens, and how to talk to it."""

    endpoint: str
    state_dir: Path
    process: subprocess.Popen[str]
    region: str = DEFAULT_REGION

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead boto3, pyiceberg and child processes here."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }

    def client(self, service: str, access_key: str = "test", **config: Any) -> Any:
        """A boto3 client that retries nothing; may be made in any thread. ``config`` goes to botocore."""
        settings = Config(**{"max_pool_connections": 32, "retries": {"total_max_attempts": 1}, **config})
        with _MAKING_CLIENTS:  # clients may be shared by threads, sessions may not
            session = _session(access_key, self.region)
            return session.client(service, endpoint_url=self.endpoint, config=settings)

    @property
    def log(self) -> str:
        """What the process wrote to its log so far."""
        return (self.state_dir / "log.txt").read_text()

    def stop(self) -> int:
        """Stop it cleanly, so that it saves its state; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_TIMEOUT_SECONDS)


def lead_process_to(environment: Mapping[str, str], patch: pytest.MonkeyPatch) -> None:
    """Let this process's own AWS clients use this environment, until ``patch`` is undone."""
    for name, value in environment.items():
        patch.setenv(name, value)
    # boto3.client() goes through a session of its own that keeps the first keys it saw.
    patch.setattr(boto3, "DEFAULT_SESSION", None)


@contextmanager
def run_emulated_aws(state_dir: Path, *options: str) -> Iterator[EmulatedAws]:
    """Run a private instance on a free port with its state below ``state_dir``; stopped on exit.

    ``options`` go to its command line (``--fresh``).
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "local_stack.aws", "--port", "0", "--state", str(state_dir), *options]
    with (state_dir / "log.txt").open("a") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ})
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, f"The emulated AWS did not start:\n{(state_dir / 'log.txt').read_text()}"
        aws = EmulatedAws(json.loads(line)["endpoint"], state_dir, process)
        yield aws
        aws.stop()
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
