"""The logs of a step, as EMR copies them to S3: a few minutes late on AWS, at once on the emulation."""

from __future__ import annotations

import gzip
import re
import zlib
from typing import Any, Literal

from botocore.exceptions import ClientError

from lakehouse.steps import StepStatus

Stream = Literal["stdout", "stderr", "controller"]
STREAMS: tuple[Stream, ...] = ("stdout", "stderr", "controller")

TAIL_LINES = 40


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
    """The last lines of a text."""
    return "\n".join(text.splitlines()[-lines:])


def explain_failure(emr: Any, s3: Any, cluster_id: str, step_id: str, status: StepStatus) -> str:
    """What a person needs to know of a step that did not complete, the reason in the first line.

    Then where its log lies, and the end of stderr where S3 has it.
    Never raises for a log that cannot be read: the failure itself is the news.
    """
    reason = f": {status.reason}" if status.reason else ""
    said = [f"Step {status.name} ({step_id}) on cluster {cluster_id} is {status.state}{reason}"]
    uri = step_log_uri(emr, cluster_id, step_id, "stderr")
    if uri is None:
        return "\n".join([*said, "The cluster keeps no logs (it has no LogUri)."])
    said.append(f"Log: {uri}")
    try:
        text = read_log(s3, uri)
    except (ClientError, OSError, EOFError, zlib.error) as error:
        return "\n".join([*said, f"It cannot be read: {error}"])
    if text is None:
        again = f"python airflow/emr_boto_helper.py logs --cluster {cluster_id} --step {step_id}"
        said.append(f"It is not in S3 yet: EMR copies logs every few minutes. Read it later: {again}")
    elif text.strip():
        said.append(f"The end of stderr:\n{tail(text)}")
    else:
        said.append("stderr is empty.")
    return "\n".join(said)
