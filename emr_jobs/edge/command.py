"""What every command on tables does: a session, the work, one line of JSON, an exit status."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

from pyspark.sql import SparkSession

from emr_jobs.edge.logs import log_to_stderr
from emr_jobs.lake.errors import LakeError
from emr_jobs.lake.session import open_session

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Report = TypeVar("Report", bound=DataclassInstance)
else:
    Report = TypeVar("Report")

logger = logging.getLogger(__name__)


def as_fields(report: DataclassInstance) -> object:
    """A report's fields."""
    return asdict(report)


def succeed(report: object) -> int:
    """The status of a command that has done what it should."""
    return 0


def run_command(
    name: str,
    warehouse: str,
    work: Callable[[SparkSession], Report],
    describe: Callable[[Report], object] = as_fields,
    judge: Callable[[Report], int] = succeed,
) -> int:
    """Do the work of the command ``name`` in a session, and say what was done as one JSON line on stdout.

    ``describe`` makes the report something for JSON. Returns the exit status: what ``judge`` makes of the
    report, or 1 after a LakeError, whose message is logged.
    """
    log_to_stderr()
    try:
        spark = open_session(name, warehouse)
        try:
            report = work(spark)
        finally:
            spark.stop()
    except LakeError as error:
        logger.error("%s failed: %s", name, error)
        return 1
    sys.stdout.write(json.dumps(describe(report), sort_keys=True) + "\n")
    return judge(report)
