"""What a delivery stream's roles must allow it."""

from __future__ import annotations

from moto.firehose.models import DeliveryStream

from local_stack.aws.iam.accesses import glue_arns
from local_stack.aws.iam.callers import PARTITION
from local_stack.aws.iam.check import require_for, service_session
from local_stack.aws.iam.policies import Access
from local_stack.aws.iam.s3_accesses import object_arn

SERVICE = "firehose.amazonaws.com"

_READING = ("DescribeStream", "ListShards", "GetShardIterator", "GetRecords")


def require(stream: DeliveryStream, role: str, *accesses: Access) -> None:
    """Want a role (an ARN) to allow this to a delivery stream.

    Raises:
        AccessDeniedError: it does not, does not let Firehose in, or does not exist.
    """
    session = service_session(role, SERVICE, stream.delivery_stream_name, stream.delivery_stream_arn)
    require_for(session, accesses)


def reading(stream_arn: str) -> list[Access]:
    """Reading a Kinesis stream."""
    return [Access(f"kinesis:{operation}", stream_arn) for operation in _READING]


def schema(account_id: str, region: str, database: str, table: str) -> list[Access]:
    """Reading the versions of a Glue table."""
    arns = glue_arns(account_id, region, database, table)
    return [Access("glue:GetTableVersions", arn) for arn in arns]


def putting(bucket: str, key: str) -> Access:
    """Writing an object."""
    return Access("s3:PutObject", object_arn(bucket, key))


def logging(account_id: str, region: str, group: str, stream: str) -> Access:
    """Writing to a log stream."""
    arn = f"arn:{PARTITION}:logs:{region}:{account_id}:log-group:{group}:log-stream:{stream}"
    return Access("logs:PutLogEvents", arn)
