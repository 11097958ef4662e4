"""One delivery stream at work: read, buffer, convert, put, and only then move on."""

from __future__ import annotations

import gzip
import io
import logging
import threading
import time
from dataclasses import dataclass
from datetime import datetime

import pyarrow.parquet
from moto.firehose.models import DeliveryStream
from moto.glue.models import glue_backends
from moto.kinesis.models import kinesis_backends
from moto.s3.models import s3_backends

from local_stack.aws import faults, metrics
from local_stack.aws.firehose import prefixes, rights
from local_stack.aws.firehose.buffer import Buffer, DeliveryProgress
from local_stack.aws.firehose.conversion import RecordConverter
from local_stack.aws.firehose.delivery_log import write_error
from local_stack.aws.firehose.destination import Destination, ParquetConversion, read_destination
from local_stack.aws.firehose.failures import CatalogTable, failure_documents
from local_stack.aws.kinesis.shard import LogShard

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 30.0


KILL = "Kill"
"""Operation of a fault for service firehose, its path in the delivery stream's name: it dies when its
objects are written, but not noted as delivered."""


class KilledError(RuntimeError):
    """A drill has killed the delivery."""


class DeliveryError(RuntimeError):
    """The destination is not usable now; ``code`` is AWS's name for it."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True)
class ObjectPut:
    """An object still to be written."""

    bucket: str
    key: str
    body: bytes


@dataclass
class Prepared:
    """A buffer made into objects. Those already written are no longer in ``puts``."""

    puts: list[ObjectPut]
    converted: int
    failed: int


class Delivery:
    """Delivers for one delivery stream in a thread of its own.

    Records count as delivered when all objects of their buffer are written: a crash before that
    delivers them again, so that nothing is lost.
    """

    def __init__(self, account_id: str, region: str, stream: DeliveryStream) -> None:
        self.account_id = account_id
        self.region = region
        self.stream = stream
        self._stop = threading.Event()
        self._is_abandoned = False
        self._buffer: Buffer | None = None
        self._prepared: Prepared | None = None
        name = f"firehose-{stream.delivery_stream_name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def progress(self) -> DeliveryProgress:
        """Positions and inbox, kept with moto's delivery stream."""
        progress: DeliveryProgress = self.stream.progress
        return progress

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether it works; a killed one does not, and another has to go on from its last note."""
        return self._thread.is_alive()

    def abandon(self) -> None:
        """End without delivering what is buffered: the delivery stream was deleted."""
        self._is_abandoned = True
        self._stop.set()

    def stop(self, timeout_seconds: float) -> None:
        """Deliver what is there, once, and end."""
        self._stop.set()
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        retry_seconds = FIRST_RETRY_SECONDS
        while not self._stop.is_set():
            try:
                has_more = self._work(flush=False)
                retry_seconds = FIRST_RETRY_SECONDS
                if not has_more:
                    self._stop.wait(POLL_SECONDS)
            except KilledError:
                log.warning("%s: killed", self.stream.delivery_stream_name)
                return
            except Exception as error:
                self._report(error)
                self._stop.wait(retry_seconds)
                retry_seconds = min(retry_seconds * 2, LAST_RETRY_SECONDS)
        if self._is_abandoned:
            return
        try:
            while self._work(flush=True):
                pass
        except Exception as error:
            self._report(error)

    def _work(self, *, flush: bool) -> bool:
        """Read once, and deliver if the buffer is due or ``flush``; False if there was nothing to read."""
        destination = self._destination()
        if self._buffer is None:
            self._buffer = Buffer(destination.buffer_bytes, destination.interval_seconds)
        has_more = False
        if not self._buffer.is_closed and self._prepared is None:
            has_more = self._buffer.read(self._shards(), self.progress)
        is_due = self._buffer.is_due(destination.interval_seconds)
        if self._buffer.count and (is_due or self._prepared or (flush and not has_more)):
            self._deliver(self._buffer, destination)
            return True
        return has_more

    def _destination(self) -> Destination:
        configured = self.stream.destinations[0]
        return read_destination(configured.get("ExtendedS3") or configured["S3"])

    def _log_error(self, code: str, message: str) -> None:
        write_error(self.account_id, self.region, self.stream, self._destination(), code, message)

    def _shards(self) -> dict[str, LogShard]:
        """The shards to read, by uid."""
        if not self.stream.source:
            return {self.progress.inbox.uid: self.progress.inbox}
        source_arn = self.stream.source["KinesisStreamARN"]
        rights.require(self.stream, self.stream.source["RoleARN"], *rights.reading(source_arn))
        _, _, _, region, account_id, resource = source_arn.split(":", 5)
        source = kinesis_backends[account_id][region].streams.get(resource.partition("/")[2])
        if source is None:
            raise DeliveryError("Kinesis.ResourceNotFound", f"The source {resource} does not exist.")
        return {shard.uid: shard for shard in list(source.shards.values())}

    def _deliver(self, buffer: Buffer, destination: Destination) -> None:
        if self._prepared is None:
            self._prepared = self._prepare(buffer, destination)
        while self._prepared.puts:
            first = self._prepared.puts[0]
            rights.require(self.stream, destination.role, rights.putting(first.bucket, first.key))
            _write(first)
            del self._prepared.puts[0]
        if faults.ORDERS.take("firehose", KILL, self.stream.delivery_stream_name):
            raise KilledError
        buffer.advance(self.progress)
        if not self.stream.source:
            self.progress.inbox.discard(self.progress.positions[self.progress.inbox.uid])
        self._measure(buffer, self._prepared)
        log.info(
            "%s: %d records delivered, %d not converted",
            self.stream.delivery_stream_name,
            self._prepared.converted,
            self._prepared.failed,
        )
        self._buffer = self._prepared = None

    def _prepare(self, buffer: Buffer, destination: Destination) -> Prepared:
        when = datetime.fromtimestamp(buffer.oldest, destination.time_zone)
        version = str(self.stream.version_id)

        def put(prefix: str, error_type: str, suffix: str, body: bytes) -> ObjectPut:
            name = prefixes.object_name(self.stream.delivery_stream_name, version, when, suffix)
            return ObjectPut(destination.bucket, prefixes.expand(prefix, when, error_type) + name, body)

        if destination.conversion is None:
            body = b"".join(buffer.data())
            body = gzip.compress(body) if destination.is_gzip else body
            return Prepared([put(destination.prefix, "", destination.suffix, body)], buffer.count, 0)
        conversion = self._converter(destination.conversion).convert(buffer.data())
        puts = []
        if conversion.tables:
            sink = io.BytesIO()
            pyarrow.parquet.write_table(
                conversion.table, sink, compression=destination.conversion.codec, store_schema=False
            )
            puts.append(put(destination.prefix, "", destination.suffix, sink.getvalue()))
        if conversion.failures:
            table = CatalogTable(self.account_id, self.region, destination.conversion)
            documents = failure_documents(buffer, conversion.failures, table, time.time())
            prefix = destination.error_prefix or destination.prefix
            puts.append(put(prefix, prefixes.FORMAT_CONVERSION_FAILED, "", documents))
            first = conversion.failures[0]
            self._log_error(first.code, f"{len(conversion.failures)} records: {first.message}")
        return Prepared(puts, buffer.count - len(conversion.failures), len(conversion.failures))

    def _converter(self, conversion: ParquetConversion) -> RecordConverter:
        account_id = conversion.catalog_id or self.account_id
        region = conversion.region or self.region
        schema = rights.schema(account_id, region, conversion.database, conversion.table)
        rights.require(self.stream, conversion.role, *schema)
        catalog = glue_backends[account_id][region]
        table = catalog.get_table(conversion.database, conversion.table)
        version = None if conversion.version == "LATEST" else conversion.version
        columns = table.as_dict(version)["StorageDescriptor"]["Columns"]
        return RecordConverter(
            [(column["Name"], column["Type"]) for column in columns],
            text_is_number=conversion.text_is_number,
        )

    def _measure(self, buffer: Buffer, prepared: Prepared) -> None:
        values: dict[str, tuple[float, metrics.Unit]] = {
            "DeliveryToS3.Records": (prepared.converted, "Count"),
            "DeliveryToS3.Bytes": (buffer.size, "Bytes"),
            "DeliveryToS3.DataFreshness": (time.time() - buffer.oldest, "Seconds"),
            "DeliveryToS3.Success": (1, "Count"),
            "SucceedConversion.Records": (prepared.converted, "Count"),
            "FailedConversion.Records": (prepared.failed, "Count"),
        }
        self._record(values)

    def _report(self, error: Exception) -> None:
        """A failed attempt: logged, measured, and tried again."""
        code = getattr(error, "code", None) or type(error).__name__
        name = self.stream.delivery_stream_name
        if isinstance(error, DeliveryError):
            log.warning("%s: %s", name, error)
        else:
            log.warning("%s: delivery failed, it is tried again", name, exc_info=error)
        self._log_error(str(code), str(error))
        if self._buffer is not None and self._buffer.count:
            age = time.time() - self._buffer.oldest
            self._record(
                {"DeliveryToS3.Success": (0, "Count"), "DeliveryToS3.DataFreshness": (age, "Seconds")}
            )

    def _record(self, values: dict[str, tuple[float, metrics.Unit]]) -> None:
        dimension = ("DeliveryStreamName", self.stream.delivery_stream_name)
        metrics.record(self.account_id, self.region, "AWS/Firehose", dimension, values)


def _write(put: ObjectPut) -> None:
    owner = s3_backends.bucket_accounts.get(put.bucket)
    if owner is None:
        raise DeliveryError("S3.NoSuchBucket", f"The bucket {put.bucket} does not exist.")
    partition, account_id = owner
    key = s3_backends[account_id][partition].put_object(put.bucket, put.key, put.body)
    key.set_metadata({"Content-Type": "application/octet-stream"})
