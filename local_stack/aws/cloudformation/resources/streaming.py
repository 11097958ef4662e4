"""Kinesis streams and Firehose delivery streams."""

from __future__ import annotations

from typing import Any

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from local_stack.aws.cloudformation.errors import ResourceError
from local_stack.aws.cloudformation.resources.base import Call, ResourceType, ignoring, only, tag_mapping

_DEFAULT_RETENTION_HOURS = 24
_SETTLE_SECONDS = 30


def _until(settled: Any) -> None:
    """Wait until ``settled()`` is true."""
    waiting = Retrying(
        retry=retry_if_result(lambda done: not done),
        wait=wait_fixed(0.05),
        stop=stop_after_delay(_SETTLE_SECONDS),
    )
    waiting(settled)


class Stream(ResourceType):
    """AWS::Kinesis::Stream."""

    type_name = "AWS::Kinesis::Stream"
    supported = frozenset(
        {"Name", "RetentionPeriodHours", "ShardCount", "StreamEncryption", "StreamModeDetails", "Tags"}
    )

    def create(self, call: Call) -> None:
        """Make the stream and wait until it takes records."""
        kinesis, properties = call.client("kinesis"), call.properties
        name = call.name("Name", limit=128)
        mode = properties.get("StreamModeDetails", {}).get("StreamMode", "PROVISIONED")
        arguments: dict[str, Any] = {"StreamModeDetails": {"StreamMode": mode}}
        if mode == "PROVISIONED":
            arguments["ShardCount"] = properties.get("ShardCount", 1)
        elif "ShardCount" in properties:
            raise ResourceError("ShardCount must not be set for an on-demand stream")
        kinesis.create_stream(StreamName=name, **arguments)
        call.physical_id = name
        call.attributes = {"Arn": call.arn("kinesis", f"stream/{name}")}
        self._settle(call)
        self._configure(call)

    def update(self, call: Call) -> None:
        """Change mode, shards, retention, encryption and tags."""
        kinesis, properties = call.client("kinesis"), call.properties
        if call.changed("StreamModeDetails"):
            kinesis.update_stream_mode(
                StreamARN=call.attributes["Arn"], StreamModeDetails=properties["StreamModeDetails"]
            )
            self._settle(call)
        if call.changed("ShardCount") and "ShardCount" in properties:
            kinesis.update_shard_count(
                StreamName=call.physical_id,
                TargetShardCount=properties["ShardCount"],
                ScalingType="UNIFORM_SCALING",
            )
            self._settle(call)
        self._configure(call)

    readable = frozenset({"RetentionPeriodHours", "ShardCount", "StreamModeDetails"})

    def read(self, call: Call) -> dict[str, Any] | None:
        """Mode, shards and retention."""
        kinesis = call.client("kinesis")
        try:
            summary = kinesis.describe_stream_summary(StreamName=call.physical_id)["StreamDescriptionSummary"]
        except kinesis.exceptions.ResourceNotFoundException:
            return None
        return {
            "RetentionPeriodHours": summary["RetentionPeriodHours"],
            "ShardCount": summary["OpenShardCount"],
            "StreamModeDetails": summary["StreamModeDetails"],
        }

    def delete(self, call: Call) -> None:
        """Remove the stream and what it holds."""
        ignoring(call.client("kinesis"), "ResourceNotFoundException")(
            "delete_stream", StreamName=call.physical_id, EnforceConsumerDeletion=True
        )

    def _settle(self, call: Call) -> None:
        kinesis = call.client("kinesis")

        def is_active() -> bool:
            summary = kinesis.describe_stream_summary(StreamName=call.physical_id)
            return bool(summary["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")

        _until(is_active)

    def _configure(self, call: Call) -> None:
        kinesis, properties, stream = call.client("kinesis"), call.properties, call.physical_id
        wanted = properties.get("RetentionPeriodHours", _DEFAULT_RETENTION_HOURS)
        current = call.previous.get("RetentionPeriodHours", _DEFAULT_RETENTION_HOURS)
        if wanted > current:
            kinesis.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=wanted)
        elif wanted < current:
            kinesis.decrease_stream_retention_period(StreamName=stream, RetentionPeriodHours=wanted)
        if call.changed("StreamEncryption"):
            encryption = properties.get("StreamEncryption")
            if encryption:
                kinesis.start_stream_encryption(StreamName=stream, **encryption)
            else:
                kinesis.stop_stream_encryption(StreamName=stream, **call.previous["StreamEncryption"])
        if call.changed("Tags"):
            before, after = (tag_mapping(p.get("Tags", ())) for p in (call.previous, properties))
            if gone := sorted(before.keys() - after.keys()):
                kinesis.remove_tags_from_stream(StreamName=stream, TagKeys=gone)
            if after:
                kinesis.add_tags_to_stream(StreamName=stream, Tags=after)


_S3_DESTINATION = (
    "BucketARN",
    "BufferingHints",
    "CloudWatchLoggingOptions",
    "CompressionFormat",
    "DataFormatConversionConfiguration",
    "EncryptionConfiguration",
    "ErrorOutputPrefix",
    "Prefix",
    "RoleARN",
)


class DeliveryStream(ResourceType):
    """AWS::KinesisFirehose::DeliveryStream from a Kinesis stream, or from direct puts, to S3."""

    type_name = "AWS::KinesisFirehose::DeliveryStream"
    supported = frozenset(
        {
            "DeliveryStreamName",
            "DeliveryStreamType",
            "ExtendedS3DestinationConfiguration",
            "KinesisStreamSourceConfiguration",
            "Tags",
        }
    )

    def create(self, call: Call) -> None:
        """Make the delivery stream and wait until it is active."""
        firehose = call.client("firehose")
        name = call.name("DeliveryStreamName")
        only(call.properties["ExtendedS3DestinationConfiguration"], _S3_DESTINATION, self.type_name)
        made = firehose.create_delivery_stream(**{**call.properties, "DeliveryStreamName": name})
        call.physical_id = name
        call.attributes = {"Arn": made["DeliveryStreamARN"]}

        def is_active() -> bool:
            return bool(self._describe(call)["DeliveryStreamStatus"] == "ACTIVE")

        _until(is_active)

    def update(self, call: Call) -> None:
        """Change the destination's settings and the tags."""
        firehose, name = call.client("firehose"), call.physical_id
        if call.changed("ExtendedS3DestinationConfiguration"):
            destination = call.properties["ExtendedS3DestinationConfiguration"]
            only(destination, _S3_DESTINATION, self.type_name)
            described = self._describe(call)
            firehose.update_destination(
                DeliveryStreamName=name,
                CurrentDeliveryStreamVersionId=described["VersionId"],
                DestinationId=described["Destinations"][0]["DestinationId"],
                ExtendedS3DestinationUpdate=destination,
            )
        if call.changed("Tags"):
            before, after = (p.get("Tags", []) for p in (call.previous, call.properties))
            if gone := sorted(tag_mapping(before).keys() - tag_mapping(after).keys()):
                firehose.untag_delivery_stream(DeliveryStreamName=name, TagKeys=gone)
            if after:
                firehose.tag_delivery_stream(DeliveryStreamName=name, Tags=after)

    def delete(self, call: Call) -> None:
        """Remove it."""
        ignoring(call.client("firehose"), "ResourceNotFoundException")(
            "delete_delivery_stream", DeliveryStreamName=call.physical_id
        )

    def _describe(self, call: Call) -> dict[str, Any]:
        answer = call.client("firehose").describe_delivery_stream(DeliveryStreamName=call.physical_id)
        description: dict[str, Any] = answer["DeliveryStreamDescription"]
        return description


TYPES: tuple[type[ResourceType], ...] = (Stream, DeliveryStream)
