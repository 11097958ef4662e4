"""What a delivery stream's S3 destination says, read from moto's copy of the request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from local_stack.aws.errors import NotEmulatedError
from local_stack.aws.firehose.prefixes import PrefixError, check_prefixes

DEFAULT_SIZE_MB = 5
DEFAULT_CONVERSION_SIZE_MB = 128
MIN_CONVERSION_SIZE_MB = 64
DEFAULT_INTERVAL_SECONDS = 300

_CODECS = {"SNAPPY": "snappy", "GZIP": "gzip", "UNCOMPRESSED": "none"}

_OTHER_PROCESSING = ("ProcessingConfiguration", "DynamicPartitioningConfiguration")


class DestinationError(ValueError):
    """A configuration that Firehose refuses."""


@dataclass(frozen=True)
class ParquetConversion:
    """Conversion of JSON to Parquet by the columns of a Glue table, which ``role`` (an ARN) may read."""

    catalog_id: str | None
    database: str
    table: str
    region: str | None
    version: str
    role: str
    codec: str
    text_is_number: bool


@dataclass(frozen=True)
class Destination:
    """Where and how to deliver, in which role (an ARN). Sizes are in bytes, the interval in seconds."""

    bucket: str
    prefix: str
    error_prefix: str
    buffer_bytes: int
    interval_seconds: float
    is_gzip: bool
    extension: str | None
    time_zone: ZoneInfo
    conversion: ParquetConversion | None
    log_group: str | None
    log_stream: str | None
    role: str

    @property
    def suffix(self) -> str:
        """End of the delivered objects' names."""
        if self.extension:
            return self.extension
        return ".parquet" if self.conversion else ".gz" if self.is_gzip else ""


def read_destination(config: dict[str, Any]) -> Destination:
    """Read an ExtendedS3 or S3 destination.

    Raises:
        DestinationError: AWS would refuse it.
        NotEmulatedError: AWS would take it, the emulation cannot.
    """
    _refuse_unknown(config)
    prefix, error_prefix = config.get("Prefix") or "", config.get("ErrorOutputPrefix") or ""
    try:
        check_prefixes(prefix, error_prefix)
    except PrefixError as error:
        raise DestinationError(str(error)) from error
    conversion = _read_conversion(config.get("DataFormatConversionConfiguration") or {}, config["RoleARN"])
    hints = config.get("BufferingHints") or {}
    default_size = DEFAULT_CONVERSION_SIZE_MB if conversion else DEFAULT_SIZE_MB
    size = int(hints.get("SizeInMBs") or default_size)
    compression = config.get("CompressionFormat") or "UNCOMPRESSED"
    if conversion and size < MIN_CONVERSION_SIZE_MB:
        raise DestinationError(
            f"BufferingHints.SizeInMBs must be at least {MIN_CONVERSION_SIZE_MB} when data format "
            "conversion is enabled."
        )
    if conversion and compression != "UNCOMPRESSED":
        raise DestinationError(
            "CompressionFormat must be UNCOMPRESSED when data format conversion is enabled."
        )
    if not 1 <= size <= 128:
        raise DestinationError("BufferingHints.SizeInMBs must be between 1 and 128.")
    interval = hints.get("IntervalInSeconds")
    interval = DEFAULT_INTERVAL_SECONDS if interval is None else int(interval)
    if not 0 <= interval <= 900:
        raise DestinationError("BufferingHints.IntervalInSeconds must be between 0 and 900.")
    logging = config.get("CloudWatchLoggingOptions") or {}
    is_logging = bool(logging.get("Enabled"))
    return Destination(
        bucket=str(config["BucketARN"]).rpartition(":")[2],
        prefix=prefix,
        error_prefix=error_prefix,
        buffer_bytes=size * 1024 * 1024,
        interval_seconds=float(interval),
        is_gzip=compression == "GZIP",
        extension=config.get("FileExtension") or None,
        time_zone=ZoneInfo(config.get("CustomTimeZone") or "UTC"),
        conversion=conversion,
        log_group=logging.get("LogGroupName") if is_logging else None,
        log_stream=logging.get("LogStreamName") if is_logging else None,
        role=config["RoleARN"],
    )


def _refuse_unknown(config: dict[str, Any]) -> None:
    for name in _OTHER_PROCESSING:
        if (config.get(name) or {}).get("Enabled"):
            raise NotEmulatedError("firehose", name)
    if config.get("S3BackupMode") == "Enabled":
        raise NotEmulatedError("firehose", "S3BackupMode=Enabled")
    if (compression := config.get("CompressionFormat") or "UNCOMPRESSED") not in ("UNCOMPRESSED", "GZIP"):
        raise NotEmulatedError("firehose", f"CompressionFormat={compression}")


def _read_conversion(config: dict[str, Any], role: str) -> ParquetConversion | None:
    if not config or config.get("Enabled") is False:
        return None
    deserializer = (config.get("InputFormatConfiguration") or {}).get("Deserializer") or {}
    serializer = (config.get("OutputFormatConfiguration") or {}).get("Serializer") or {}
    schema = config.get("SchemaConfiguration") or {}
    missing = [name for name in ("DatabaseName", "TableName") if not schema.get(name)]
    if missing or not deserializer or not serializer:
        raise DestinationError(
            "Data format conversion needs an input format, an output format, and a schema with "
            "DatabaseName and TableName."
        )
    if "ParquetSerDe" not in serializer:
        raise NotEmulatedError("firehose", "OrcSerDe")
    if mappings := (deserializer.get("OpenXJsonSerDe") or {}).get("ColumnToJsonKeyMappings"):
        raise NotEmulatedError("firehose", f"OpenXJsonSerDe.ColumnToJsonKeyMappings={mappings}")
    return ParquetConversion(
        catalog_id=schema.get("CatalogId"),
        database=schema["DatabaseName"],
        table=schema["TableName"],
        region=schema.get("Region"),
        version=schema.get("VersionId") or "LATEST",
        role=schema.get("RoleARN") or role,
        codec=_CODECS[serializer["ParquetSerDe"].get("Compression") or "SNAPPY"],
        text_is_number="HiveJsonSerDe" not in deserializer,
    )
