"""The services of the emulated AWS, in the order in which they are installed."""

from __future__ import annotations

from collections.abc import Callable

from local_stack.aws import athena, cloudformation, dispatch, emr, firehose, glue, iam, kinesis, s3
from local_stack.aws.context import ServerContext, Worker

INSTALLS: tuple[Callable[[ServerContext], Worker | None], ...] = (
    dispatch.install,
    iam.install,
    s3.install,
    kinesis.install,
    glue.install,
    firehose.install,
    emr.install,
    athena.install,
    cloudformation.install,
)


def install_all(context: ServerContext) -> list[Worker]:
    """Mend moto and return the workers, not yet started."""
    workers = [install(context) for install in INSTALLS]
    return [worker for worker in workers if worker is not None]
