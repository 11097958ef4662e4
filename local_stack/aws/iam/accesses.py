"""What requests to the JSON and query services do: their actions, and the ARNs of what they touch.

Resources are those of the Service Authorization Reference. An operation that is not told about here has the
service's action of its name, on ``*``: only a grant on everything would allow it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from moto.athena.models import athena_backends
from moto.emr.models import emr_backends
from moto.kinesis.utils import decompose_shard_iterator

from local_stack.aws.iam.callers import PARTITION, role_arn, role_of_profile
from local_stack.aws.iam.policies import Access, Context
from local_stack.aws.iam.requests import AwsRequest

FREE = frozenset({("sts", "GetCallerIdentity"), ("sts", "GetAccessKeyInfo")})
"""Operations that need no permission."""

_ACTION_PREFIXES = {"monitoring": "cloudwatch"}
"""Where IAM calls a service otherwise than signatures do."""

EVERYTHING = "*"


def arn(request: AwsRequest, resource: str, *, service: str | None = None, region: str | None = None) -> str:
    """An ARN in the request's account and, unless another is given, its region and service."""
    place = request.region if region is None else region
    return f"arn:{PARTITION}:{service or request.service}:{place}:{request.account_id}:{resource}"


def _kinesis(request: AwsRequest) -> list[str]:
    parameters = request.parameters
    if stream_arn := parameters.get("StreamARN"):
        return [str(stream_arn)]
    name = parameters.get("StreamName")
    if not name and (iterator := parameters.get("ShardIterator")):
        name = decompose_shard_iterator(iterator)[0]
    return [arn(request, f"stream/{name}")] if name else [EVERYTHING]


def _firehose(request: AwsRequest) -> list[str]:
    name = request.parameters.get("DeliveryStreamName")
    return [arn(request, f"deliverystream/{name}")] if name else [EVERYTHING]


def glue_arns(account_id: str, region: str, database: str = "", table: str = "") -> list[str]:
    """The catalog, a database in it and a table in that: Glue wants a permission on all three."""
    base = f"arn:{PARTITION}:glue:{region}:{account_id}"
    arns = [f"{base}:catalog"]
    if database:
        arns.append(f"{base}:database/{database}")
    if table:
        arns.append(f"{base}:table/{database}/{table}")
    return arns


_ALL_TABLES_OF = frozenset({"GetTables", "SearchTables"})
_ALL_DATABASES = frozenset({"GetDatabases"})


def _glue(request: AwsRequest) -> list[str]:
    parameters = request.parameters
    database = parameters.get("DatabaseName") or (parameters.get("DatabaseInput") or {}).get("Name") or ""
    table = parameters.get("TableName") or (parameters.get("TableInput") or {}).get("Name") or ""
    if "Table" in request.operation and not table:
        table = parameters.get("Name") or ""
    elif request.operation.endswith("Database") and not database:
        database = parameters.get("Name") or ""
    if request.operation in _ALL_TABLES_OF:
        table = EVERYTHING
    elif request.operation in _ALL_DATABASES:
        database = EVERYTHING
    return glue_arns(request.account_id, request.region, database, table)


def _athena(request: AwsRequest) -> list[str]:
    parameters, backend = request.parameters, athena_backends[request.account_id][request.region]
    if "CatalogName" in parameters:
        return [arn(request, f"datacatalog/{parameters['CatalogName']}")]
    if request.operation in ("ListWorkGroups", "ListDataCatalogs", "ListEngineVersions"):
        return [EVERYTHING]
    ids = [parameters["QueryExecutionId"]] if "QueryExecutionId" in parameters else []
    ids += parameters.get("QueryExecutionIds", [])
    if ids:
        executions = (backend.executions.get(each) for each in ids)
        groups = {execution.work_group for execution in executions if execution} or {EVERYTHING}
    elif "NamedQueryId" in parameters:
        query = backend.named_queries.get(parameters["NamedQueryId"])
        groups = {query.workgroup.name if query else EVERYTHING}
    else:
        groups = {parameters.get("WorkGroup") or parameters.get("Name") or "primary"}
    return [arn(request, f"workgroup/{group}") for group in sorted(groups)]


def _logs(request: AwsRequest) -> list[str]:
    group = request.parameters.get("logGroupName")
    if not group:
        return [EVERYTHING]
    stream = request.parameters.get("logStreamName")
    return [arn(request, f"log-group:{group}" + (f":log-stream:{stream}" if stream else ":*"))]


def _dynamodb(request: AwsRequest) -> list[str]:
    table = request.parameters.get("TableName")
    if not table:
        return [EVERYTHING]
    return [table if table.startswith("arn:") else arn(request, f"table/{table}")]


def _sns(request: AwsRequest) -> list[str]:
    return [request.parameters.get("TopicArn") or request.parameters.get("TargetArn") or EVERYTHING]


def _ssm(request: AwsRequest) -> list[str]:
    names = [request.parameters["Name"]] if "Name" in request.parameters else []
    names += request.parameters.get("Names", [])
    return [arn(request, f"parameter/{name.lstrip('/')}") for name in names] or [EVERYTHING]


def _sts(request: AwsRequest) -> list[str]:
    return [request.parameters.get("RoleArn") or EVERYTHING]


def _everything(_request: AwsRequest) -> list[str]:
    return [EVERYTHING]


_RESOURCES: dict[str, Callable[[AwsRequest], list[str]]] = {
    "athena": _athena,
    "dynamodb": _dynamodb,
    "firehose": _firehose,
    "glue": _glue,
    "kinesis": _kinesis,
    "logs": _logs,
    "sns": _sns,
    "ssm": _ssm,
    "sts": _sts,
}


def _tags(prefix: str, tags: Iterable[dict[str, str]]) -> Context:
    return tuple((f"{prefix}/{tag['Key']}".lower(), tag["Value"]) for tag in tags)


def _emr(request: AwsRequest) -> list[Access]:
    action, parameters = f"elasticmapreduce:{request.operation}", request.parameters
    if request.operation == "RunJobFlow":
        tags = _tags("aws:RequestTag", parameters.get("Tags", []))
        return [Access(action, EVERYTHING, tags), *_passed_roles(request)]
    ids = parameters.get("JobFlowIds") or [
        parameters[name] for name in ("ClusterId", "JobFlowId", "ResourceId") if name in parameters
    ]
    if not ids:
        return [Access(action, EVERYTHING)]
    clusters = emr_backends[request.account_id][request.region].clusters
    known = {each: clusters[each].tags if each in clusters else [] for each in ids}
    return [
        Access(action, arn(request, f"cluster/{each}"), _tags("aws:ResourceTag", tags))
        for each, tags in known.items()
    ]


def _passed_roles(request: AwsRequest) -> list[Access]:
    """The roles that a new cluster is given: to EMR itself, and to its machines."""
    parameters: Any = request.parameters
    passed = []
    if service_role := parameters.get("ServiceRole"):
        passed.append((role_arn(request.account_id, service_role), "elasticmapreduce.amazonaws.com"))
    if profile := parameters.get("JobFlowRole"):
        passed.append((role_of_profile(request.account_id, profile), "ec2.amazonaws.com"))
    return [pass_role(passed_arn, service) for passed_arn, service in passed]


def pass_role(passed_arn: str, service: str) -> Access:
    """Handing a role to a service."""
    return Access("iam:PassRole", passed_arn, (("iam:passedtoservice", service),))


def accesses_of(request: AwsRequest) -> list[Access]:
    """Everything that the request needs to be allowed to do."""
    if (request.service, request.operation) in FREE:
        return []
    if request.service == "elasticmapreduce":
        return _emr(request)
    action = f"{_ACTION_PREFIXES.get(request.service, request.service)}:{request.operation}"
    resources = _RESOURCES.get(request.service, _everything)(request)
    return [Access(action, resource) for resource in resources]
