"""Modules of the checkout that a task runs in a process of their own."""

from __future__ import annotations

import logging
import subprocess
import sys

from airflow.sdk.exceptions import AirflowException

from lakehouse.bundle import checkout_root

log = logging.getLogger(__name__)


def run_module(module: str, *arguments: str, failure: type[AirflowException] = AirflowException) -> str:
    """What ``python -m MODULE ARGUMENTS`` says on standard output; all that it says goes to the log.

    Raises:
        AirflowException: it failed (``failure``, to be exact); with the last line that it said.
    """
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=checkout_root(), capture_output=True, text=True, check=False)
    log.info("%s%s", done.stderr, done.stdout)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:]
        raise failure(f"{module} exited with {done.returncode}: {' '.join(reason)}")
    return done.stdout
