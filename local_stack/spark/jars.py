"""The jars that Spark needs beside its own: Iceberg, its AWS part, and S3A.

They come from Maven Central once, by the Ivy inside pyspark. hadoop-aws declares the 280 MB
aws-java-sdk-bundle; S3A reads and writes with five of its parts (5 MB), so dependencies are listed
here one by one and nothing is taken transitively.
"""

from __future__ import annotations

import hashlib
import logging
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pyspark

log = logging.getLogger(__name__)

SPARK_HOME = Path(pyspark.__file__).parent


class JarError(RuntimeError):
    """The jars could not be had; the message says what to do."""


@dataclass(frozen=True)
class Jar:
    """One artefact of Maven Central, with the digest of the file that was tested."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Its name in the folder of jars."""
        return f"{self.artifact}-{self.version}.jar"


_AWS_SDK_VERSION = "1.12.262"
"""The one that hadoop-aws 3.3.4 was built with, the version of pyspark's Hadoop."""

S3A_JARS = (
    Jar(
        "org.apache.hadoop",
        "hadoop-aws",
        "3.3.4",
        "53f9ae03c681a30a50aa17524bd9790ab596b28481858e54efd989a826ed3a4a",
    ),
    Jar(
        "com.amazonaws",
        "aws-java-sdk-core",
        _AWS_SDK_VERSION,
        "06fed99f929c389e168278c1b111aaf1afb270d07202fbbce92e73d1e4279678",
    ),
    Jar(
        "com.amazonaws",
        "aws-java-sdk-s3",
        _AWS_SDK_VERSION,
        "a0cb7580178bc0d4d3558295a5bb890008478da8a6b3241989c71238b0ed3be5",
    ),
    Jar(
        "com.amazonaws",
        "aws-java-sdk-kms",
        _AWS_SDK_VERSION,
        "c00f5ae7b334255f661d85512e7203af9523a04fb65d0c431c2eea2003ed8ae2",
    ),
    Jar(
        "com.amazonaws",
        "aws-java-sdk-dynamodb",
        _AWS_SDK_VERSION,
        "7af4ba06d0d9b3c2ab435089caecd0567810d203aa285f7aa72861f1964d442e",
    ),
    Jar(
        "com.amazonaws",
        "jmespath-java",
        _AWS_SDK_VERSION,
        "9001ea993a45d82a2d3086edcbda8a40b4e012d049a70fbf071fd329c0fbd777",
    ),
)

ICEBERG_JARS = (
    Jar(
        "org.apache.iceberg",
        "iceberg-spark-runtime-3.5_2.12",
        "1.10.1",
        "39ea09e6c03550a300b9d9ab498949836d2d434e441da4c12a943a086e396940",
    ),
    Jar(
        "org.apache.iceberg",
        "iceberg-aws-bundle",
        "1.10.1",
        "86bf20892ea5b4c17688f19b075399885f6aa5303f6b2dc9f491e76ceef9633b",
    ),
)

JARS = (*S3A_JARS, *ICEBERG_JARS)

_STAMP = "verified"


def is_complete(folder: Path) -> bool:
    """Whether ``folder`` holds every jar, as verified by an earlier ``install``."""
    try:
        verified = (folder / _STAMP).read_text()
    except OSError:
        return False
    return verified == _stamp_text() and all((folder / jar.file_name).is_file() for jar in JARS)


def install(folder: Path, java_home: Path, tell: Callable[[str], None]) -> None:
    """Bring ``folder`` to hold every jar; what is there already and has the right digest is kept.

    ``tell`` is called with each line of progress.

    Raises:
        JarError: a jar cannot be downloaded, or is not the file that was tested.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [jar for jar in JARS if not _has(folder, jar)]
    if missing:
        tell(f"Downloading {len(missing)} jars for Spark from Maven Central (113 MB in all, only once)")
        with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as scratch:
            _download(missing, Path(scratch), folder, java_home, tell)
    (folder / _STAMP).write_text(_stamp_text())


def _download(
    jars: list[Jar], scratch: Path, folder: Path, java_home: Path, tell: Callable[[str], None]
) -> None:
    module = scratch / "ivy.xml"
    module.write_text(_ivy_module(jars))
    command: list[str | Path] = [
        java_home / "bin" / "java",
        "-cp",
        ivy_jar(),
        "org.apache.ivy.Main",
        "-ivy",
        module,
        "-cache",
        scratch / "cache",
        "-types",
        "jar",
        "-retrieve",
        f"{scratch}/[artifact]-[revision].[ext]",
    ]
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            if "[SUCCESSFUL ]" in line:
                tell(f"  {line.split('#')[1].split('!')[0].replace(';', ' ')}")
    if process.returncode != 0:
        raise JarError(_download_failed(folder, lines))
    for jar in jars:
        downloaded = scratch / jar.file_name
        found = _sha256(downloaded)
        if found != jar.sha256:
            raise JarError(
                f"{jar.file_name} from Maven Central has the SHA-256 {found}, but {jar.sha256} was tested: "
                "something on the way replaced it. Nothing was installed from it."
            )
        downloaded.replace(folder / jar.file_name)


def _download_failed(folder: Path, lines: list[str]) -> str:
    reasons = [line for line in lines if any(word in line for word in ("ERROR", "WARN", "Exception"))]
    shown = "\n".join(f"  {line.strip()}" for line in (reasons or lines)[:8])
    listed = "\n".join(f"  {jar.group}:{jar.artifact}:{jar.version}" for jar in JARS)
    return (
        "The jars that Spark needs could not be downloaded from Maven Central. This needs the network once; "
        "behind a proxy set JAVA_TOOL_OPTIONS='-Dhttps.proxyHost=HOST -Dhttps.proxyPort=PORT'. "
        f"Or put these artefacts into {folder} by hand and start again:\n{listed}\nIvy said:\n{shown}"
    )


def ivy_jar() -> Path:
    """The Ivy with which spark-submit resolves --packages."""
    (jar,) = (SPARK_HOME / "jars").glob("ivy-*.jar")
    return jar


def _ivy_module(jars: Iterable[Jar]) -> str:
    dependencies = "".join(
        f"<dependency org={quoteattr(jar.group)} name={quoteattr(jar.artifact)} rev={quoteattr(jar.version)} "
        'transitive="false" conf="default->master"/>'
        for jar in jars
    )
    return (
        '<ivy-module version="2.0"><info organisation="local" module="jars"/>'
        '<configurations><conf name="default"/></configurations>'
        f"<dependencies>{dependencies}</dependencies></ivy-module>"
    )


def _has(folder: Path, jar: Jar) -> bool:
    path = folder / jar.file_name
    return path.is_file() and _sha256(path) == jar.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _stamp_text() -> str:
    return "".join(f"{jar.sha256}  {jar.file_name}\n" for jar in JARS)
