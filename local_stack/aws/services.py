"""The services of the emulated AWS, in the order in which they are installed."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable

from local_stack.aws import dispatch, kinesis, s3
from local_stack.aws.context import ServerContext, Worker

Install = Callable[[ServerContext], Worker | None]

INSTALLS: list[Install] = [dispatch.install, s3.install, kinesis.install]
for _name in ("glue", "firehose", "emr", "athena", "cloudformation"):
    try:
        INSTALLS.append(importlib.import_module(f"local_stack.aws.{_name}").install)
    except (ImportError, AttributeError, SyntaxError):
        logging.getLogger(__name__).exception("%s is not there yet", _name)


def install_all(context: ServerContext) -> list[Worker]:
    """Mend moto and return the workers, not yet started."""
    workers = [install(context) for install in INSTALLS]
    return [worker for worker in workers if worker is not None]
