"""Listing the files that Firehose has delivered: only the days that may hold something new."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from emr_jobs.lake.commits import by_folder
from emr_jobs.lake.ledger import Ledger, hour_of

_DAY = re.compile(r"dt=(\d{4}-\d\d-\d\d)")


def list_delivered(spark: SparkSession, root: str, closed: str) -> list[str]:
    """URIs of the files below ``root`` that arrived in hour ``closed`` (``YYYY-MM-DDTHH``) or later.

    The days' folders lie below ``root`` or below its folders (Firehose sorts failures by their kind).
    Hidden files (``_`` or ``.`` first) and what lies in no hour's folder are no delivery. One request lists
    the days, one or more (1,000 files each) a day. A root that does not exist holds nothing.
    """
    path = spark._jvm.org.apache.hadoop.fs.Path(root)
    files = path.getFileSystem(spark._jsc.hadoopConfiguration())
    if not files.exists(path):
        return []
    folders = _day_folders(files, path)
    return [
        file
        for day, folder in folders
        if day >= closed[:10]
        for file in _files_below(files, folder)
        if (hour_of(file) or "") >= closed and not file.rpartition("/")[2].startswith(("_", "."))
    ]


def existing(spark: SparkSession, files: Collection[str]) -> list[str]:
    """Which of some files are there: the folder of each is listed once."""
    listed: set[str] = set()
    for folder in by_folder(files):
        path = spark._jvm.org.apache.hadoop.fs.Path(folder)
        found = path.getFileSystem(spark._jsc.hadoopConfiguration())
        if found.exists(path):
            listed.update(_files_below(found, path))
    return sorted(listed.intersection(files))


def is_taken_in(ledger: Ledger) -> Column:
    """Whether a row's ``source_file`` is in, as ``Ledger.has_taken`` says of a file; never null."""
    day, hour = (F.regexp_extract("source_file", r"/dt=(\d{4}-\d\d-\d\d)/hour=(\d\d)/", n) for n in (1, 2))
    is_closed = F.concat(day, F.lit("T"), hour) < ledger.closed
    file = F.col("source_file")
    return (is_closed | file.isin(sorted(ledger.taken))) & ~file.isin(sorted(ledger.owed))


def qualified_path(spark: SparkSession, root: str) -> str:
    """A folder as the listed files begin with it: with its scheme, without a slash at its end."""
    path = spark._jvm.org.apache.hadoop.fs.Path(root)
    qualified: str = path.getFileSystem(spark._jsc.hadoopConfiguration()).makeQualified(path).toString()
    return qualified.rstrip("/")


def _day_folders(files: Any, root: Any) -> list[tuple[str, Any]]:
    """The days' folders below ``root``, with their dates."""
    found: list[tuple[str, Any]] = []
    for status in files.listStatus(root):
        if not status.isDirectory():
            continue
        folder = status.getPath()
        day = _DAY.fullmatch(folder.getName())
        if day:
            found.append((day[1], folder))
        elif "=" not in folder.getName():
            found += _day_folders(files, folder)
    return found


def _files_below(files: Any, folder: Any) -> list[str]:
    found = files.listFiles(folder, True)
    listed: list[str] = []
    while found.hasNext():
        listed.append(found.next().getPath().toString())
    return listed
