"""The services of the emulated AWS, in the order in which they are installed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable

from local_stack.aws import dispatch, s3
from local_stack.aws.context import ServerContext, Worker

Install = Callable[[ServerContext], Worker | None]

INSTALLS: list[Install] = [dispatch.install, s3.install]
for _name in ("kinesis", "glue", "firehose", "emr", "athena", "cloudformation"):
    if importlib.util.find_spec(f"local_stack.aws.{_name}"):
        _module = importlib.import_module(f"local_stack.aws.{_name}")
        if hasattr(_module, "install"):
            INSTALLS.append(_module.install)


def install_all(context: ServerContext) -> list[Worker]:
    """Mend moto and return the workers, not yet started."""
    workers = [install(context) for install in INSTALLS]
    return [worker for worker in workers if worker is not None]
