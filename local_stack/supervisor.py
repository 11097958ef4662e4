"""Starts, watches and stops the processes of the local stack.

Every process carries a mark of its checkout in its environment, and so do its children: the next
start finds what a ``kill -9`` left behind by that mark, and only that.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

import psutil
from mirakuru import HTTPExecutor, SimpleExecutor
from mirakuru.exceptions import ProcessExitedWithError, ProcessFinishedWithError, TimeoutExpired

MARK = "LAKEHOUSE_LOCAL_STACK"
"""Environment variable that marks our processes; its value is the state folder of the checkout."""

LOG_TAIL_LINES = 25


class StackError(RuntimeError):
    """The local stack cannot go on; the message says what to do."""


@dataclass(frozen=True)
class Service:
    """A process to run.

    ``ready_url`` answers 2xx once it serves, None if it serves nobody. ``timeout_seconds`` is how
    long it may take to get ready, and to stop before it is killed.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready_url: str | None = None
    timeout_seconds: int = 120


def log_tail(log: Path, lines: int = LOG_TAIL_LINES) -> str:
    """The last lines of a log, for a message."""
    if not log.exists():
        return "(no log yet)"
    with log.open(errors="replace") as stream:
        return "".join(deque(stream, maxlen=lines)).rstrip() or "(the log is empty)"


class Supervisor:
    """Runs services with logs under ``state_dir/logs`` and stops all of them on exit, newest first.

    One supervisor per state folder: a second raises StackError while the first lives.
    """

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.log_dir = state_dir / "logs"
        self._running: dict[str, tuple[SimpleExecutor, IO[str]]] = {}
        self._changes = threading.Lock()
        self._stopping = False
        self._lock_file: IO[str] | None = None

    def __enter__(self) -> Supervisor:
        self.log_dir.mkdir(parents=True, exist_ok=True)
        self._lock_file = (self.state_dir / "supervisor.lock").open("w")
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock_file.close()
            raise StackError(
                f"This checkout's local stack is already running (it holds {self._lock_file.name}). "
                "Stop it with Ctrl-C in its terminal first."
            ) from None
        kill_leftovers(self.state_dir)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop_all()
        if self._lock_file is not None:
            self._lock_file.close()

    def log_path(self, name: str) -> Path:
        """Where a service's output goes."""
        return self.log_dir / f"{name}.log"

    def start(self, service: Service) -> None:
        """Start a service and wait until it is ready.

        Raises:
            StackError: it exited or did not get ready in time, with the end of its log; or everything is
                being stopped.
        """
        self._refuse_while_stopping()
        log = self.log_path(service.name).open("w")
        options = {
            # A process that changes its title (Airflow's do) would overwrite the mark in its environment.
            "envvars": {**service.env, MARK: str(self.state_dir), "SPT_NOENV": "1"},
            "stdin": subprocess.DEVNULL,
            "stdout": log,
            "stderr": subprocess.STDOUT,
            "timeout": service.timeout_seconds,
        }
        executor: SimpleExecutor = (
            HTTPExecutor(list(service.argv), service.ready_url, method="GET", request_timeout=5, **options)
            if service.ready_url
            else SimpleExecutor(list(service.argv), **options)
        )
        with self._changes:
            self._running[service.name] = (executor, log)
        try:
            executor.start()
        except (ProcessExitedWithError, TimeoutExpired) as error:
            what = (
                "exited while it started"
                if isinstance(error, ProcessExitedWithError)
                else f"was not ready after {service.timeout_seconds} s"
            )
            raise StackError(self._report(service.name, what)) from error

    def check(self) -> None:
        """Raise StackError if a service has died, with the end of its log, or everything is being stopped."""
        self._refuse_while_stopping()
        for name, (executor, _) in list(self._running.items()):
            if not executor.running():
                raise StackError(self._report(name, "stopped unexpectedly"))

    def stop(self, name: str) -> None:
        """Stop one service: SIGTERM, and SIGKILL for it and its children if it does not heed."""
        with self._changes:
            executor, log = self._running.pop(name)
        with contextlib.suppress(ProcessFinishedWithError):
            executor.stop()
        executor.kill()
        log.close()

    def stop_all(self) -> None:
        """Stop everything, the newest first; nothing can be started any more."""
        self._stopping = True
        for name in reversed(list(self._running)):
            self.stop(name)
        kill_leftovers(self.state_dir)

    def _refuse_while_stopping(self) -> None:
        if self._stopping:
            raise StackError("The local stack is being stopped.")

    def _report(self, name: str, what: str) -> str:
        log = self.log_path(name)
        return f"{name} {what}. The end of {log}:\n\n{log_tail(log)}\n"


def kill_leftovers(state_dir: Path) -> list[int]:
    """Kill every process that carries this state folder's mark, but for this one; returns their ids.

    They are what a killed supervisor, or a killed part of it, left behind.
    """
    leftovers = [process for process in psutil.process_iter() if _is_ours(process, state_dir)]
    for process in leftovers:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(leftovers, timeout=10)
    return [process.pid for process in leftovers]


def _is_ours(process: psutil.Process, state_dir: Path) -> bool:
    try:
        return process.pid != os.getpid() and process.environ().get(MARK) == str(state_dir)
    except psutil.Error:
        return False
