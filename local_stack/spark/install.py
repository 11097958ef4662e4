"""``python -m local_stack.spark.install``: what Spark needs on this machine, once.

Jars from Maven Central and the class data archive, into ``.local/spark`` (or ``--into``). A second
call takes a moment and says nothing.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from local_stack.spark import class_data, jars
from local_stack.spark.java import NoJavaError, find_java_home
from local_stack.spark.runtime import DEFAULT_FOLDER, SparkRuntime


def ensure_runtime(
    folder: Path = DEFAULT_FOLDER, tell: Callable[[str], None] = lambda _line: None
) -> SparkRuntime:
    """The runtime in ``folder``, with its jars: downloaded if they are not there.

    Several processes may call it at once: one installs, the others wait.

    Raises:
        NoJavaError: there is no Java 17.
        JarError: the jars cannot be had.
    """
    runtime = SparkRuntime(folder=folder.resolve(), java_home=find_java_home(os.environ))
    with _alone(runtime.folder, "jars"):
        if not jars.is_complete(runtime.jars_folder):
            jars.install(runtime.jars_folder, runtime.java_home, tell)
    return runtime


def ensure_class_data(runtime: SparkRuntime, tell: Callable[[str], None]) -> None:
    """Make the class data archive if there is none for this Java and Spark.

    Without one, or while it is being made, all works, only slower: a failure is told, and its output
    left in ``training.log``.
    """
    with _alone(runtime.folder, "classes"):
        if class_data.is_current(runtime.folder, runtime.java_home):
            return
        tell("Preparing Spark's classes for a fast start (half a minute, only once)")
        log = runtime.folder / "training.log"
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "local_stack.spark.training",
            runtime.folder,
            runtime.java_home,
        ]
        with log.open("wb") as output:
            result = subprocess.run(command, stdout=output, stderr=output)
        if result.returncode != 0:
            class_data.discard(runtime.folder)
            tell(f"That failed; Spark will start more slowly. The log is {log}")


@contextmanager
def _alone(folder: Path, what: str) -> Iterator[None]:
    """Hold the lock of one thing in ``folder``, which is made if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Install; 1 with a message if that is impossible."""
    parser = argparse.ArgumentParser(prog="python -m local_stack.spark.install", description=__doc__)
    parser.add_argument("--into", type=Path, default=DEFAULT_FOLDER, help="folder (%(default)s)")
    options = parser.parse_args()
    started = time.monotonic()
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        print(line, flush=True)

    try:
        ensure_class_data(ensure_runtime(options.into, tell), tell)
    except (NoJavaError, jars.JarError) as error:
        print(error, file=sys.stderr)
        return 1
    if told:
        print(f"Spark is ready ({time.monotonic() - started:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
