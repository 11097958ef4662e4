"""A command under guard: started with an exact environment, and gone with all it started."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from local_stack.aws.emr import guard
from local_stack.aws.emr.model import CancellationOption

_ORDERS = {
    CancellationOption.SEND_INTERRUPT: guard.TERMINATE,
    CancellationOption.TERMINATE_PROCESS: guard.KILL,
}


class GuardedProcess:
    """A running command; standard output and error go to files."""

    def __init__(
        self, command: list[str], *, folder: Path, environment: Mapping[str, str], stdout: Path, stderr: Path
    ) -> None:
        """Start ``command`` in ``folder`` with nothing but ``environment``."""
        with stdout.open("wb") as output, stderr.open("wb") as errors:
            self._process = subprocess.Popen(
                # -I: folder and variables are the step's. By path: our package takes seconds to import.
                [sys.executable, "-I", guard.__file__, *command],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.PIPE,
                bufsize=0,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id of the guard; the command is its child."""
        return self._process.pid

    def order(self, option: CancellationOption) -> None:
        """Ask or force it to end; it may take its time over the first."""
        stdin = self._process.stdin
        if stdin is not None and self._process.poll() is None:
            try:
                stdin.write(_ORDERS[option])
                stdin.flush()
            except (BrokenPipeError, ValueError):
                # It ended in between.
                return

    def end(self) -> None:
        """Ask it to end and, seconds later, force it."""
        stdin = self._process.stdin
        if stdin is not None:
            stdin.close()

    def wait(self, timeout_seconds: float | None = None) -> int:
        """Its exit status once it has ended, 128 + N for signal N.

        Raises:
            subprocess.TimeoutExpired: it still runs after ``timeout_seconds``.
        """
        exit_code = self._process.wait(timeout_seconds)
        self.end()
        return exit_code if exit_code >= 0 else 128 - exit_code
