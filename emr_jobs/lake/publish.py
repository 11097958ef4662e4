"""The one way to publish: write on a branch, audit it, move main there if main has not moved itself.

Readers see the table before or after. What a run has written does not count until main is at it; a run
that lost to another one, or was killed, leaves a branch that nobody reads and that expiry drops.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from py4j.protocol import Py4JJavaError
from pyspark.errors.exceptions.captured import CapturedException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from config.tables import TableSpec
from emr_jobs.lake.errors import ConcurrentPublishError
from emr_jobs.lake.tables import Snapshot, load_table

logger = logging.getLogger(__name__)

MAIN = "main"

BRANCH_RETENTION_MS = 24 * 3600 * 1000
"""An abandoned branch older than this no longer keeps files from expiring."""

METADATA_ATTEMPTS = 20
"""Tries of a commit that changes metadata only: others commit to their own branches meanwhile."""

FRESH_STARTS = 8
"""Runs that start over: each loss is somebody else's success."""

_CONFLICTS = (
    "org.apache.iceberg.exceptions.ValidationException",
    "org.apache.iceberg.exceptions.CommitFailedException",
)

T = TypeVar("T")


def no_hook(point: str) -> None:
    """What happens at a commit point: nothing."""


commit_point: Callable[[str], None] = no_hook
"""Called with a name just before each commit, and after the last one: tests put their faults here."""


def no_audit(branch: DataFrame) -> None:
    """Publish whatever was written."""


def publish(
    spark: SparkSession,
    name: str,
    write: Callable[[str], None],
    *,
    base: Snapshot | None,
    audit: Callable[[DataFrame], None] = no_audit,
    properties: Mapping[str, str] | Callable[[int], Mapping[str, str]] | None = None,
) -> Snapshot:
    """Let ``write`` write to a branch of the table, and publish the branch if nobody else has published.

    ``write`` gets the name of the branch as a table in Spark SQL, and may commit to it any number of times
    (or not at all). ``audit`` sees all rows of the branch, and raises to stop the publish. ``base`` is what
    :func:`current_snapshot` said before the run read its state: the branch starts there. ``properties`` of
    the table are set in the same commit as main is moved; they may be a function of the id of the snapshot
    that main is moved to. Returns that snapshot.

    Raises:
        ConcurrentPublishError: somebody else published since ``base``: start over from fresh state.
    """
    table = load_table(spark, name)
    branch = f"run_{uuid.uuid4().hex}"
    commit_point(f"{name}: create the branch")
    _commit(
        table,
        lambda transaction: _create_branch(transaction, branch, base),
        require=lambda: _require_base(table, name, base),
    )
    branch_name = f"{name}.branch_{branch}"
    try:
        commit_point(f"{name}: write on the branch")
        write(branch_name)
        audit(spark.table(branch_name))
        table.refresh()
        wanted = table.refs()[branch].snapshotId()
        stated = properties(wanted) if callable(properties) else properties
        commit_point(f"{name}: publish the branch")
        _commit(
            table,
            lambda transaction: _move_main(transaction, branch, stated or {}),
            require=lambda: _require_base(table, name, base),
            is_done=lambda: _is_in_main(table, branch, wanted),
        )
    except Exception as error:
        _drop_branch(table, branch)
        if is_conflict(error):
            raise ConcurrentPublishError(f"{name} changed since this run looked at it") from error
        raise
    commit_point(f"{name}: published")
    published = table.snapshot(wanted)
    return Snapshot(id=wanted, rows=int(published.summary()["total-records"]))


def replacing(rows: DataFrame, spec: TableSpec, replaced: Column | None = None) -> Callable[[str], None]:
    """To write ``rows`` instead of all that the table holds.

    ``replaced`` limits that to the rows it is true for; it must hold for whole partitions.
    """

    def write(branch: str) -> None:
        # Not overwritePartitions: it appends to an unpartitioned table, and leaves what became empty.
        condition = F.lit(True) if replaced is None else replaced
        rows.select(*spec.column_names).writeTo(branch).overwrite(condition)

    return write


def start_over(run: Callable[[], T], attempts: int = FRESH_STARTS) -> T:
    """Run until nobody publishes in between: each attempt must look at the tables anew.

    Raises:
        ConcurrentPublishError: somebody else was faster each time.
    """
    for _ in range(attempts - 1):
        try:
            return run()
        except ConcurrentPublishError as error:
            logger.warning("%s: starting over", error)
    return run()


def is_conflict(error: Exception) -> bool:
    """Whether Iceberg's validation of a commit is among the causes."""
    if isinstance(error, Py4JJavaError):
        cause = error.java_exception
    elif isinstance(error, CapturedException):
        cause = error._origin
    else:
        return False
    while cause is not None:
        if cause.getClass().getName() in _CONFLICTS:
            return True
        cause = cause.getCause()
    return False


def _require_base(table: Any, name: str, base: Snapshot | None) -> None:
    current = table.currentSnapshot()
    if (current and current.snapshotId()) != (base and base.id):
        raise ConcurrentPublishError(f"{name} changed since this run looked at it")


def _commit(
    table: Any,
    change: Callable[[Any], None],
    require: Callable[[], None] = lambda: None,
    is_done: Callable[[], bool] = lambda: False,
) -> None:
    """Commit a change of metadata in one transaction, again if others changed the metadata meanwhile.

    ``require`` looks at the table before each try, and raises if the change is no longer to be made. An error
    does not tell whether the commit arrived (a timeout, a lost answer): ``is_done`` looks at the table.
    """
    for attempt in range(METADATA_ATTEMPTS):
        table.refresh()
        require()
        transaction = table.newTransaction()
        try:
            change(transaction)
            transaction.commitTransaction()
        except Py4JJavaError as error:
            table.refresh()
            if is_done():
                logger.warning("%s: the commit arrived in spite of: %s", table.name(), error.java_exception)
                return
            if not is_conflict(error) or attempt == METADATA_ATTEMPTS - 1:
                raise
        else:
            return


def _create_branch(transaction: Any, branch: str, base: Snapshot | None) -> None:
    snapshots = transaction.manageSnapshots()
    if base is None:
        snapshots.createBranch(branch)
    else:
        snapshots.createBranch(branch, base.id)
    snapshots.setMaxRefAgeMs(branch, BRANCH_RETENTION_MS).commit()


def _move_main(transaction: Any, branch: str, properties: Mapping[str, str]) -> None:
    # Refused if main is no ancestor of the branch.
    transaction.manageSnapshots().fastForwardBranch(MAIN, branch).removeBranch(branch).commit()
    if properties:
        update = transaction.updateProperties()
        for key, value in properties.items():
            update.set(key, value)
        update.commit()


def _is_in_main(table: Any, branch: str, snapshot_id: int) -> bool:
    """Whether main was moved to the snapshot: the branch goes in the same commit."""
    known = [entry.snapshotId() for entry in table.history()]
    return snapshot_id in known and branch not in table.refs()


def _drop_branch(table: Any, branch: str) -> None:
    """Drop what a failed run has left, if that is easily done: expiry drops it later."""
    try:
        table.refresh()
        if branch in table.refs():
            _commit(table, lambda transaction: transaction.manageSnapshots().removeBranch(branch).commit())
    except Py4JJavaError as error:
        logger.warning("branch %s is left behind: %s", branch, error.java_exception)
