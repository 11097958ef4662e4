"""Glue: moto's catalog with AWS's optimistic locking and the column statistics that it lacks."""

from __future__ import annotations

import threading
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.glue.exceptions import GlueClientError
from moto.glue.models import GlueBackend
from moto.glue.responses import GlueResponse

from local_stack.aws.context import ServerContext

_LOCK = threading.RLock()
"""Guards what reads a table and then changes it. Catalog calls are rare and short: one for all."""


def install(_context: ServerContext) -> None:
    """Mend moto's Glue."""
    GlueResponse.update_table = _update_table
    for name in ("create_database", "delete_database", "create_table", "delete_table"):
        setattr(GlueBackend, name, _locked(getattr(GlueBackend, name)))
    for kind in ("table", "partition"):
        for verb, answer in (
            ("get", _get_statistics),
            ("update", _update_statistics),
            ("delete", _delete_statistics),
        ):
            setattr(GlueResponse, f"{verb}_column_statistics_for_{kind}", answer)


def _locked(function: Any) -> Any:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with _LOCK:
            return function(*args, **kwargs)

    wrapper.__name__ = function.__name__
    return wrapper


def _update_table(self: GlueResponse) -> EmptyResult:
    """UpdateTable: refused if VersionId is not the current one; SkipArchive forgets the one replaced.

    Iceberg's commits rely on it: moto takes every update, so that concurrent commits overwrite
    each other.
    """
    request = self.parameters
    table_input = request["TableInput"]
    expected = request.get("VersionId")
    with _LOCK:
        table = self.glue_backend.get_table(request["DatabaseName"], table_input["Name"])
        replaced = str(table._current_version)
        if expected is not None and str(expected) != replaced:
            raise GlueClientError(
                "ConcurrentModificationException",
                f"Update table failed due to concurrent modifications: the version is {replaced}, "
                f"not {expected}.",
            )
        table.update(table_input)
        if request.get("SkipArchive"):
            table.versions.pop(replaced, None)
    return EmptyResult()


def _statistics(response: GlueResponse) -> dict[str, dict[str, Any]]:
    """Statistics by column of the table or partition that a request names."""
    request = response.parameters
    owner = response.glue_backend.get_table(request["DatabaseName"], request["TableName"])
    if "PartitionValues" in request:
        owner = owner.get_partition([str(value) for value in request["PartitionValues"]])
    statistics: dict[str, dict[str, Any]] = vars(owner).setdefault("column_statistics", {})
    return statistics


def _get_statistics(self: GlueResponse) -> ActionResult:
    names = self.parameters["ColumnNames"]
    missing = {"ErrorCode": "EntityNotFoundException", "ErrorMessage": "No column statistics"}
    with _LOCK:
        statistics = _statistics(self)
        return ActionResult(
            {
                "ColumnStatisticsList": [statistics[name] for name in names if name in statistics],
                "Errors": [
                    {"ColumnName": name, "Error": missing} for name in names if name not in statistics
                ],
            }
        )


def _update_statistics(self: GlueResponse) -> ActionResult:
    with _LOCK:
        statistics = _statistics(self)
        for column in self.parameters["ColumnStatisticsList"]:
            statistics[column["ColumnName"]] = column
    return ActionResult({"Errors": []})


def _delete_statistics(self: GlueResponse) -> EmptyResult:
    with _LOCK:
        _statistics(self).pop(self.parameters["ColumnName"], None)
    return EmptyResult()
