"""What was reconciled so far, kept with the table ``_reconciled_manifests``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from config.reconciliation import Account, KpiTotal
from config.tables import RECONCILED_MANIFESTS
from emr_jobs.lake.manifests import ManifestPart, read_parts
from emr_jobs.lake.publish import publish
from emr_jobs.lake.tables import current_snapshot, ensure_table, load_table

PROPERTY = "lakehouse.reconciled"

_SPEC = RECONCILED_MANIFESTS


@dataclass(frozen=True)
class Reconciled:
    """The last reconciliation without a difference.

    Days of arrival before ``since`` (``YYYY-MM-DD``) are settled: no file comes into them any more; they hold
    ``settled`` records. ``seen`` is the digest of all that the run looked at, ``account`` what it found.
    """

    since: str = ""
    settled: int = 0
    seen: str = ""
    account: Account = field(default_factory=Account)

    @classmethod
    def load(cls, spark: SparkSession, name: str) -> Reconciled:
        """What the table ``name`` says, which is made where it is absent."""
        ensure_table(spark, name, _SPEC)
        stored = load_table(spark, name).properties().get(PROPERTY)
        if not stored:
            return cls()
        known = json.loads(stored)
        kpis = tuple(KpiTotal(**kpi) for kpi in known["account"]["kpis"])
        account = Account(**{**known["account"], "kpis": kpis})
        return cls(known["since"], known["settled"], known["seen"], account)


def known_parts(spark: SparkSession, name: str) -> dict[str, int]:
    """URIs of the parts of manifests that are done with, and their records."""
    rows = spark.table(name).select("part", "acked").collect()
    return {row.part: row.acked for row in rows}


def count_acked(spark: SparkSession, parts: Sequence[ManifestPart]) -> dict[str, int]:
    """Records of each part."""
    if not parts:
        return {}
    counted = read_parts(spark, parts).groupBy("part").count().collect()
    return {**{part.uri: 0 for part in parts}, **{row.part: row["count"] for row in counted}}


def remember(
    spark: SparkSession, name: str, done: dict[str, int], forget: bool, reconciled: Reconciled, now: datetime
) -> None:
    """Add parts that are done with, and set what was reconciled, in one commit; ``forget`` all others first.

    Raises:
        ConcurrentPublishError: another reconciliation was faster.
    """
    rows = spark.createDataFrame(
        [(part, acked, now) for part, acked in sorted(done.items())], _SPEC.schema_ddl
    )

    def write(branch: str) -> None:
        if forget:
            rows.writeTo(branch).overwrite(F.lit(True))
        elif done:
            rows.writeTo(branch).append()

    base = current_snapshot(spark, name)
    publish(spark, name, write, base=base, properties={PROPERTY: json.dumps(asdict(reconciled))})


def digest(*seen: object) -> str:
    """One text for all that a run looked at.

    >>> digest(["a"], 1) == digest(["a"], 1), digest(["a"], 1) == digest(["a"], 2)
    (True, False)
    """
    return hashlib.sha256(json.dumps(seen, default=str).encode()).hexdigest()
