"""The API of workgroups: what moto leaves out of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from moto.athena.models import AthenaBackend, WorkGroup
from moto.athena.responses import AthenaResponse

from local_stack.aws.athena.errors import InvalidRequestError
from local_stack.aws.athena.paging import page

MIN_SCAN_LIMIT = 10_000_000
"""AWS takes no lower BytesScannedCutoffPerQuery."""

MAX_LISTED = 50
_MANY = "ENABLED", "DISABLED"


def find_work_group(backend: AthenaBackend, name: str) -> WorkGroup:
    """A workgroup by its name.

    Raises:
        InvalidRequestError: there is none.
    """
    work_group = backend.work_groups.get(name)
    if work_group is None:
        raise InvalidRequestError(f"WorkGroup {name} is not found.")
    return work_group


def create_work_group(response: AthenaResponse) -> str:
    """CreateWorkGroup."""
    request = json.loads(response.body)
    configuration = request.get("Configuration") or {}
    _check_configuration(configuration)
    made = response.athena_backend.create_work_group(
        name=request["Name"],
        configuration=configuration,
        description=request.get("Description", ""),
        tags=request.get("Tags") or [],
    )
    if made is None:
        raise InvalidRequestError(f"WorkGroup {request['Name']} is already created.")
    made.created = time.time()
    return json.dumps({})


def get_work_group(response: AthenaResponse) -> str:
    """GetWorkGroup."""
    work_group = find_work_group(response.athena_backend, json.loads(response.body)["WorkGroup"])
    return json.dumps({"WorkGroup": {**_summary(work_group), "Configuration": work_group.configuration}})


def list_work_groups(response: AthenaResponse) -> str:
    """ListWorkGroups."""
    groups = [_summary(work_group) for work_group in response.athena_backend.work_groups.values()]
    return json.dumps(page("WorkGroups", groups, json.loads(response.body or "{}"), MAX_LISTED))


def _summary(work_group: WorkGroup) -> dict[str, Any]:
    return {
        "Name": work_group.name,
        "State": work_group.state,
        "Description": work_group.description,
        "CreationTime": getattr(work_group, "created", 0.0),
        "EngineVersion": work_group.configuration["EngineVersion"],
    }


def update_work_group(response: AthenaResponse) -> str:
    """UpdateWorkGroup."""
    request = json.loads(response.body)
    work_group = find_work_group(response.athena_backend, request["WorkGroup"])
    updates = dict(request.get("ConfigurationUpdates") or {})
    _check_configuration(updates)
    configuration = dict(work_group.configuration)
    results = dict(configuration.get("ResultConfiguration") or {})
    for name, value in (updates.pop("ResultConfigurationUpdates", None) or {}).items():
        if not name.startswith("Remove"):
            results[name] = value
        elif value:
            results.pop(name.removeprefix("Remove"), None)
    configuration["ResultConfiguration"] = results
    if updates.pop("RemoveBytesScannedCutoffPerQuery", False):
        configuration.pop("BytesScannedCutoffPerQuery", None)
    configuration.update(updates)
    work_group.configuration = configuration
    if request.get("State"):
        if request["State"] not in _MANY:
            raise InvalidRequestError(f"Unknown state {request['State']}")
        work_group.state = request["State"]
    work_group.description = request.get("Description", work_group.description)
    return json.dumps({})


def _check_configuration(configuration: dict[str, Any]) -> None:
    limit = configuration.get("BytesScannedCutoffPerQuery")
    if limit is not None and limit < MIN_SCAN_LIMIT:
        raise InvalidRequestError(f"BytesScannedCutoffPerQuery must be at least {MIN_SCAN_LIMIT}")


def delete_work_group(response: AthenaResponse) -> str:
    """DeleteWorkGroup: one with saved queries only if asked to delete those too."""
    request = json.loads(response.body)
    backend = response.athena_backend
    work_group = find_work_group(backend, request["WorkGroup"])
    if work_group.name == "primary":
        raise InvalidRequestError("WorkGroup primary cannot be deleted.")
    saved = [each.id for each in backend.named_queries.values() if each.workgroup.name == work_group.name]
    prepared = [each for each in backend.prepared_statements if each.startswith(f"{work_group.name}/")]
    if (saved or prepared) and not request.get("RecursiveDeleteOption"):
        raise InvalidRequestError(f"WorkGroup {work_group.name} is not empty")
    for query_id in saved:
        del backend.named_queries[query_id]
    for key in prepared:
        del backend.prepared_statements[key]
    backend.delete_work_group(work_group.name)
    return json.dumps({})


OPERATIONS: dict[str, Callable[[AthenaResponse], str]] = {
    "create_work_group": create_work_group,
    "get_work_group": get_work_group,
    "list_work_groups": list_work_groups,
    "update_work_group": update_work_group,
    "delete_work_group": delete_work_group,
}
