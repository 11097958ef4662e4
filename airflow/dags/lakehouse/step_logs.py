"""The logs of a step, as EMR copies them to S3: a few minutes late on AWS, at once on the emulation."""

from __future__ import annotations

import gzip
import re
import zlib
from itertools import groupby
from typing import Any, Literal

from botocore.exceptions import ClientError

from lakehouse.steps import StepStatus

Stream = Literal["stdout", "stderr", "controller"]
STREAMS: tuple[Stream, ...] = ("stdout", "stderr", "controller")

TAIL_LINES = 40

_JAVA_FRAME = re.compile(r"\s+(at \S+\(.*\)|\.\.\. \d+ more)\s*$")


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
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise
    text: str = gzip.decompress(body).decode(errors="replace")
    return text


def tail(text: str, lines: int = TAIL_LINES) -> str:
    """The last lines of a text, its Java stack frames left out: they would hide what was thrown.

    >>> tail("Caused by: gone\\n\\tat a.B.c(B.java:1)\\n\\tat a.B.d(B.java:2)\\nstopped").splitlines()
    ['Caused by: gone', '    ... 2 frames', 'stopped']
    """
    condensed: list[str] = []
    for is_frame, group in groupby(text.splitlines(), key=lambda line: bool(_JAVA_FRAME.match(line))):
        found = list(group)
        condensed += [f"    ... {len(found)} frames"] if is_frame else found
    return "\n".join(condensed[-lines:])


def explain_failure(emr: Any, s3: Any, cluster_id: str, step_id: str, status: StepStatus) -> str:
    """What a person needs to know of a step that did not complete, the reason in the first line.

    Then where its logs lie, and their ends where S3 has them: a Python traceback is on stdout, for
    spark-submit joins a Python driver's streams; the JVM's own words are on stderr.
    Never raises for a log that cannot be read: the failure itself is the news.
    """
    reason = f": {status.reason}" if status.reason else ""
    said = [f"Step {status.name} ({step_id}) on cluster {cluster_id} is {status.state}{reason}"]
    found = False
    for stream in ("stderr", "stdout"):
        uri = step_log_uri(emr, cluster_id, step_id, stream)
        if uri is None:
            return "\n".join([*said, "The cluster keeps no logs (it has no LogUri)."])
        said.append(f"--- the end of {uri}")
        try:
            text = read_log(s3, uri)
        except (ClientError, OSError, EOFError, zlib.error) as error:
            said.append(f"It cannot be read: {error}")
            continue
        found = found or text is not None
        said.append("It is not in S3 yet." if text is None else tail(text.rstrip()) or "It is empty.")
    if not found:
        again = f"python airflow/emr_boto_helper.py logs --cluster {cluster_id} --step {step_id}"
        said.append(f"EMR copies logs every few minutes. Read them later: {again}")
    return "\n".join(said)
