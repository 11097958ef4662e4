"""Buckets and their policies."""

from __future__ import annotations

import json
from typing import Any

from local_stack.aws.cloudformation.errors import ResourceError
from local_stack.aws.cloudformation.resources.base import Call, ResourceType, ignoring, only, renamed

_RULE_FIELDS = (
    "AbortIncompleteMultipartUpload",
    "ExpirationInDays",
    "Id",
    "NoncurrentVersionExpiration",
    "Prefix",
    "Status",
    "Transitions",
)


def lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule of AWS::S3::Bucket in the form of PutBucketLifecycleConfiguration."""
    only(rule, _RULE_FIELDS, "a lifecycle rule")
    translated: dict[str, Any] = {
        "Status": rule["Status"],
        "Filter": {"Prefix": rule.get("Prefix", "")},
    }
    if "Id" in rule:
        translated["ID"] = rule["Id"]
    if "ExpirationInDays" in rule:
        translated["Expiration"] = {"Days": rule["ExpirationInDays"]}
    if "Transitions" in rule:
        names = {"StorageClass": "StorageClass", "TransitionInDays": "Days"}
        translated["Transitions"] = [renamed(item, names, "a transition") for item in rule["Transitions"]]
    if "NoncurrentVersionExpiration" in rule:
        translated["NoncurrentVersionExpiration"] = rule["NoncurrentVersionExpiration"]
    if "AbortIncompleteMultipartUpload" in rule:
        translated["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
    _check_days(translated)
    return translated


def _check_days(rule: dict[str, Any]) -> None:
    """S3 refuses to expire an object before or as it moves it."""
    expiry = rule.get("Expiration", {}).get("Days")
    for transition in rule.get("Transitions", ()):
        if expiry is not None and expiry <= transition["Days"]:
            raise ResourceError(
                "'Days' in the Expiration action for filter "
                f"'{rule['Filter']['Prefix']}' must be greater than 'Days' in the Transition action"
            )


class Bucket(ResourceType):
    """AWS::S3::Bucket."""

    type_name = "AWS::S3::Bucket"
    supported = frozenset(
        {
            "BucketEncryption",
            "BucketName",
            "LifecycleConfiguration",
            "LoggingConfiguration",
            "OwnershipControls",
            "PublicAccessBlockConfiguration",
            "Tags",
            "VersioningConfiguration",
        }
    )

    def create(self, call: Call) -> None:
        """Make the bucket, then each of its settings."""
        s3 = call.client("s3")
        name = call.name("BucketName", lower=True, limit=63)
        location = {} if call.region == "us-east-1" else {"LocationConstraint": call.region}
        arguments: dict[str, Any] = {"CreateBucketConfiguration": location} if location else {}
        ownership = call.properties.get("OwnershipControls")
        if ownership:
            arguments["ObjectOwnership"] = ownership["Rules"][0]["ObjectOwnership"]
        try:
            s3.create_bucket(Bucket=name, **arguments)
        except s3.exceptions.BucketAlreadyOwnedByYou:
            raise ResourceError(f"{name} already exists") from None
        except s3.exceptions.BucketAlreadyExists:
            raise ResourceError(f"{name} already exists") from None
        call.physical_id = name
        call.attributes = {
            "Arn": f"arn:{call.partition}:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{call.region}.amazonaws.com",
        }
        self._configure(call)

    def update(self, call: Call) -> None:
        """Bring every setting to what is declared now."""
        self._configure(call)

    def delete(self, call: Call) -> None:
        """Remove the bucket; S3 refuses while it holds anything."""
        s3 = call.client("s3")
        ignoring(s3, "NoSuchBucket")("delete_bucket", Bucket=call.physical_id)

    def _configure(self, call: Call) -> None:
        s3, bucket, properties = call.client("s3"), call.physical_id, call.properties
        if rules := properties.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration"):
            names = {
                "BucketKeyEnabled": "BucketKeyEnabled",
                "ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault",
            }
            encryption = {"Rules": [renamed(rule, names, "BucketEncryption") for rule in rules]}
            s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=encryption)
        else:
            s3.delete_bucket_encryption(Bucket=bucket)
        if ownership := properties.get("OwnershipControls"):
            s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=ownership)
        else:
            s3.delete_bucket_ownership_controls(Bucket=bucket)
        if block := properties.get("PublicAccessBlockConfiguration"):
            s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
        else:
            s3.delete_public_access_block(Bucket=bucket)
        versioning = properties.get("VersioningConfiguration")
        if versioning or call.previous.get("VersioningConfiguration"):
            status = versioning or {"Status": "Suspended"}
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=status)
        if rules := properties.get("LifecycleConfiguration", {}).get("Rules"):
            configuration = {"Rules": [lifecycle_rule(rule) for rule in rules]}
            s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=configuration)
        else:
            s3.delete_bucket_lifecycle(Bucket=bucket)
        self._log(call)
        if tags := properties.get("Tags"):
            s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
        else:
            s3.delete_bucket_tagging(Bucket=bucket)

    def _log(self, call: Call) -> None:
        logging = call.properties.get("LoggingConfiguration")
        status: dict[str, Any] = {}
        if logging:
            names = {"DestinationBucketName": "TargetBucket", "LogFilePrefix": "TargetPrefix"}
            status = {"LoggingEnabled": renamed(logging, names, "LoggingConfiguration")}
        call.client("s3").put_bucket_logging(Bucket=call.physical_id, BucketLoggingStatus=status)


class BucketPolicy(ResourceType):
    """AWS::S3::BucketPolicy."""

    type_name = "AWS::S3::BucketPolicy"
    supported = frozenset({"Bucket", "PolicyDocument"})

    def create(self, call: Call) -> None:
        """Set the policy; the bucket names the resource."""
        s3, bucket = call.client("s3"), call.properties["Bucket"]
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(call.properties["PolicyDocument"]))
        call.physical_id = bucket

    def update(self, call: Call) -> None:
        """Set the policy again."""
        self.create(call)

    def delete(self, call: Call) -> None:
        """Remove the policy."""
        s3 = call.client("s3")
        ignoring(s3, "NoSuchBucket")("delete_bucket_policy", Bucket=call.physical_id)


TYPES: tuple[type[ResourceType], ...] = (Bucket, BucketPolicy)
