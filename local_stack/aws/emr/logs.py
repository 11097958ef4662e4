"""What is kept of a step or bootstrap action: its logs under LogUri, and why it failed."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from local_stack.aws.emr.model import Failure

LOG_NAMES = ("controller", "stdout", "stderr")

_TAIL_BYTES = 64 * 1024
_ERROR_LINE = re.compile(r"^(?:[\w.$]*(?:Error|Exception|Failure)\b|Exception in thread|Caused by:)")


@dataclass(frozen=True)
class Result:
    """How a command ended: ``exit_code`` as a shell gives it, times in UTC."""

    command: tuple[str, ...]
    folder: Path
    pid: int
    exit_code: int
    started: datetime
    ended: datetime

    @property
    def seconds(self) -> int:
        """How long it ran."""
        return round((self.ended - self.started).total_seconds())


def controller_log(result: Result) -> str:
    """The controller log of EMR's step runner, in its wording."""
    command = " ".join(result.command)
    begin, end = (
        f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z" for time in (result.started, result.ended)
    )
    verdict = (
        f"{end} INFO Step succeeded with exitCode 0 and took {result.seconds} seconds"
        if result.exit_code == 0
        else f"{end} WARN Step failed with exitCode {result.exit_code} and took {result.seconds} seconds"
    )
    return "\n".join(
        [
            f"{begin} INFO startExec '{command}'",
            f"{begin} INFO Working dir {result.folder}",
            f"{begin} INFO ProcessRunner started child process {result.pid}",
            f"{end} INFO waitProcessCompletion ended with exit code {result.exit_code} : {command}",
            f"{end} INFO total process run time: {result.seconds} seconds",
            verdict,
            "",
        ]
    )


def upload(s3: Any, folder: Path, log_uri: str, relative: str, names: Iterable[str] = LOG_NAMES) -> str:
    """Put the logs in ``folder`` under ``log_uri``/``relative``/NAME.gz; returns that folder's URI."""
    bucket, _, prefix = log_uri.split("://", 1)[1].partition("/")
    base = f"{prefix.rstrip('/')}/{relative}/".lstrip("/")
    for name in names:
        body = gzip.compress((folder / name).read_bytes())
        s3.put_object(Bucket=bucket, Key=f"{base}{name}.gz", Body=body)
    return f"s3://{bucket}/{base}"


def explain(folder: Path, log_folder: str) -> Failure:
    """Why a command failed, from the end of its logs in ``folder``; not its exit code, as on AWS.

    Standard output counts as well: that is where spark-submit shows what a Python driver threw.
    ``log_folder`` is the URI that ``upload`` gave, or empty.
    """
    name, error = _error_in(folder)
    return Failure("Unknown Error.", error, f"{log_folder}{name}.gz" if log_folder else "")


def _error_in(folder: Path) -> tuple[str, str]:
    """The log that says most about a failure, and its line: one that names an error, else stderr's last."""
    for name in ("stderr", "stdout"):
        errors = [line for line in _last_lines(folder / name) if _ERROR_LINE.match(line)]
        if errors:
            return name, errors[-1]
    return "stderr", (_last_lines(folder / "stderr") or [""])[-1]


def _last_lines(path: Path) -> list[str]:
    """The lines with anything on them at the end of a log."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        text = stream.read().decode(errors="replace")
    return [line.strip() for line in text.splitlines() if line.strip()]
