"""The logs of a step, as EMR copies them to S3: a few minutes late on AWS, at once on the emulation.

On AWS a running step's logs are copied too, again and again: what lies in S3 at its end may be a part.
"""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Literal

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from lakehouse.diagnosis import JAVA_FRAME, Diagnosis, StepOutcome, diagnose
from lakehouse.objects import ABSENT, bucket_and_key
from lakehouse.steps import StepStatus

Stream = Literal["stdout", "stderr", "controller"]
STREAMS: tuple[Stream, ...] = ("stdout", "stderr", "controller")

TAIL_LINES = 40

LOG_WAIT_SECONDS = 360.0
"""How long a failed task waits for its step's logs: EMR copies them every five minutes."""

LOG_POLL_SECONDS = 15.0


def log_uri_of(emr: Any, cluster_id: str) -> str | None:
    """The folder of a cluster's logs, ``s3://BUCKET/PREFIX/CLUSTER/``; None if it keeps none.

    EMR answers with the scheme s3n, whatever it was given.
    """
    uri = emr.describe_cluster(ClusterId=cluster_id)["Cluster"].get("LogUri")
    if not uri:
        return None
    return re.sub(r"^s3[an]?://", "s3://", uri).rstrip("/") + f"/{cluster_id}/"


def step_log_uri(emr: Any, cluster_id: str, step_id: str, stream: Stream) -> str | None:
    """Where EMR puts one stream of a step's output; None if the cluster keeps no logs."""
    folder = log_uri_of(emr, cluster_id)
    return f"{folder}steps/{step_id}/{stream}.gz" if folder else None


def read_log(s3: Any, uri: str) -> str | None:
    """The text of a gzipped log; None while it is not there.

    Raises:
        ClientError: for another reason than that it is missing.
    """
    found = _fetch(s3, uri)
    return found[0] if found else None


def _fetch(s3: Any, uri: str) -> tuple[str, datetime] | None:
    """The text of a gzipped log, and when it was copied."""
    bucket, key = bucket_and_key(uri)
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            return None
        raise
    return gzip.decompress(answer["Body"].read()).decode(errors="replace"), answer["LastModified"]


def tail(text: str, lines: int = TAIL_LINES) -> str:
    """The last lines of a text, its Java stack frames left out: they would hide what was thrown.

    >>> tail("Caused by: gone\\n\\tat a.B.c(B.java:1)\\n\\tat a.B.d(B.java:2)\\nstopped").splitlines()
    ['Caused by: gone', '    ... 2 frames', 'stopped']
    """
    condensed: list[str] = []
    for is_frame, group in groupby(text.splitlines(), key=lambda line: bool(JAVA_FRAME.match(line))):
        found = list(group)
        condensed += [f"    ... {len(found)} frames"] if is_frame else found
    return "\n".join(condensed[-lines:])


@dataclass(frozen=True)
class StepFailure:
    """A step that did not complete: its diagnosis, and a report whose first line is the reason."""

    diagnosis: Diagnosis
    report: str

    @property
    def summary(self) -> str:
        """The report's first line."""
        return self.report.partition("\n")[0]


def examine_failure(
    emr: Any, s3: Any, cluster_id: str, step_id: str, status: StepStatus, wait_seconds: float = 0.0
) -> StepFailure:
    """Read what a failed step left, and say why it failed.

    EMR copies logs minutes after the end: waits up to ``wait_seconds`` for them, then goes on with what is
    there. A Python traceback is on stdout, for spark-submit joins a Python driver's streams; the JVM's own
    words are on stderr; the exit code is in the controller's log. Never raises for a log that cannot be read:
    the failure itself is the news.
    """
    logs = _await_logs(emr, s3, cluster_id, step_id, status.ended, wait_seconds)
    diagnosis = diagnose(StepOutcome(status.reason, **{stream: log.text for stream, log in logs.items()}))
    said = [f"Step {status.name} ({step_id}) on cluster {cluster_id} is {status.state}: {diagnosis}"]
    if status.reason:
        said.append(f"EMR says: {status.reason}")
    said += [f"{name}: {value}" for name, value in _details(diagnosis).items() if value]
    if not logs:
        return StepFailure(diagnosis, "\n".join([*said, "The cluster keeps no logs (it has no LogUri)."]))
    for stream in ("stderr", "stdout"):
        said += [f"--- the end of {logs[stream].uri}", logs[stream].shown]
    if not all(log.is_final for log in logs.values()):
        again = f"python airflow/emr_boto_helper.py logs --cluster {cluster_id} --step {step_id}"
        waited = f"Waited {wait_seconds:.0f} s for them. " if wait_seconds else ""
        said.append(
            f"EMR copies logs every few minutes: these may be incomplete. {waited}Read them later: {again}"
        )
    return StepFailure(diagnosis, "\n".join(said))


def _details(diagnosis: Diagnosis) -> dict[str, str]:
    return {
        "Missing right": diagnosis.denied_action,
        "Exception": diagnosis.exception,
        "Failed at": diagnosis.stage,
        "What to do": diagnosis.advice,
        "A retry": "can help" if diagnosis.retry_helps else "meets the same again",
    }


@dataclass(frozen=True)
class _Log:
    """A log as it lies in S3; waiting changes nothing about one that is final."""

    uri: str
    text: str | None = None
    problem: str = ""
    is_final: bool = False

    @property
    def shown(self) -> str:
        if self.text is None:
            return self.problem or "It is not in S3 yet."
        return tail(self.text.rstrip()) or "It is empty."


def _await_logs(
    emr: Any, s3: Any, cluster_id: str, step_id: str, ended: datetime | None, wait_seconds: float
) -> dict[Stream, _Log]:
    """All logs of a step, copied after its end if that came in time; empty if the cluster keeps none."""
    folder = log_uri_of(emr, cluster_id)
    if folder is None:
        return {}
    uris: dict[Stream, str] = {stream: f"{folder}steps/{step_id}/{stream}.gz" for stream in STREAMS}
    found: dict[Stream, _Log] = {}

    def look() -> dict[Stream, _Log]:
        found.update({stream: _read(s3, uri, ended) for stream, uri in uris.items()})
        return found

    attempts = Retrying(
        retry=retry_if_result(lambda logs: not all(log.is_final for log in logs.values())),
        stop=stop_after_delay(wait_seconds),
        wait=wait_fixed(LOG_POLL_SECONDS),
        retry_error_callback=lambda state: {},
    )
    attempts(look)
    return found


def _read(s3: Any, uri: str, ended: datetime | None) -> _Log:
    try:
        found = _fetch(s3, uri)
    except (ClientError, OSError, EOFError, zlib.error) as error:
        return _Log(uri, problem=f"It cannot be read: {error}", is_final=isinstance(error, ClientError))
    if found is None:
        return _Log(uri)
    text, copied = found
    # S3 tells whole seconds.
    return _Log(uri, text, is_final=ended is None or copied >= ended.replace(microsecond=0))
