"""One Trino process over an emulated Glue and S3, with Athena's one catalog for Iceberg and Hive tables."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from local_stack.trino.install import TrinoHome

CATALOG = "awsdatacatalog"
HIVE_CATALOG = "hive"
READY_SECONDS = 180
REQUEST_SECONDS = 60

CATALOG_SECONDS = 60
"""A server that answers may still need so long to take up its catalogs."""

_PAUSE_SECONDS = 0.5
_NOT_YET = ("NO_NODES_AVAILABLE", "SERVER_STARTING_UP")

_JVM = (
    "-Xmx1G",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseG1GC",
    "-Duser.timezone=UTC",
    "-Djdk.attach.allowAttachSelf=true",
    "-Dfile.encoding=UTF-8",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)
_NODE = ("-Dnode.environment=local", "-Dnode.bind-ip=127.0.0.1", "-Dnode.internal-address=127.0.0.1")
"""Without them it listens everywhere, and calls itself by another address."""


class TrinoError(RuntimeError):
    """Trino did not start, or refuses a query; the message is its own. ``name`` is that of the error."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message


@dataclass(frozen=True)
class Lake:
    """Where the tables are: an emulated AWS, and the keys of an account in it."""

    endpoint: str
    region: str
    access_key: str
    secret_key: str = "test"  # noqa: S105 - the emulation's


@dataclass(frozen=True)
class Answer:
    """Columns with Trino's types, and rows as JSON has them."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[list[Any]]


@dataclass(frozen=True)
class Trino:
    """A running Trino."""

    url: str

    def query(self, sql: str, database: str) -> Answer:
        """The rows of a statement.

        Raises:
            TrinoError: it fails, with Trino's name of the error.
        """
        columns: list[Mapping[str, Any]] = []
        rows: list[list[Any]] = []
        for page in self.pages(sql, database):
            columns = page.get("columns") or columns
            rows += page.get("data") or []
        return Answer(
            tuple(column["name"] for column in columns), tuple(column["type"] for column in columns), rows
        )

    def pages(
        self,
        sql: str,
        database: str,
        session: Mapping[str, str] | None = None,
        on_page: Callable[[str], None] = lambda _uri: None,
    ) -> Iterator[Mapping[str, Any]]:
        """The answer in the pages of Trino's protocol (``columns``, ``data``, ``stats``, ``updateCount``).

        A statement that no node takes yet is put again.

        ``session`` are session properties. ``on_page`` is told where the next page is, which is where
        ``cancel`` stops the statement.

        Raises:
            TrinoError: it fails, with Trino's name of the error.
        """
        headers = {"X-Trino-User": "analyst", "X-Trino-Catalog": CATALOG, "X-Trino-Schema": database}
        if session:
            headers["X-Trino-Session"] = ",".join(f"{name}={value}" for name, value in session.items())
        is_begun, deadline = False, time.monotonic() + CATALOG_SECONDS
        with httpx.Client(headers=headers, timeout=REQUEST_SECONDS) as client:
            page = client.post(f"{self.url}/v1/statement", content=sql).json()
            while True:
                if error := page.get("error"):
                    if is_begun or error["errorName"] not in _NOT_YET or time.monotonic() > deadline:
                        raise TrinoError(error["errorName"], error["message"])
                    time.sleep(_PAUSE_SECONDS)
                    page = client.post(f"{self.url}/v1/statement", content=sql).json()
                    continue
                is_begun = is_begun or "columns" in page
                yield page
                if "nextUri" not in page:
                    return
                on_page(page["nextUri"])
                page = client.get(page["nextUri"]).json()

    @staticmethod
    def cancel(next_page: str) -> None:
        """Stop the statement whose next page this is; it fails with USER_CANCELED."""
        httpx.delete(next_page, timeout=REQUEST_SECONDS)


def configuration(lake: Lake, port: int) -> dict[str, str]:
    """Trino's files, by path below ``etc``."""
    glue = {
        "hive.metastore.glue.region": lake.region,
        "hive.metastore.glue.endpoint-url": lake.endpoint,
        "hive.metastore.glue.aws-access-key": lake.access_key,
        "hive.metastore.glue.aws-secret-key": lake.secret_key,
    }
    s3 = {
        "fs.native-s3.enabled": "true",
        "s3.endpoint": lake.endpoint,
        "s3.region": lake.region,
        "s3.path-style-access": "true",
        "s3.aws-access-key": lake.access_key,
        "s3.aws-secret-key": lake.secret_key,
    }
    iceberg = {
        "connector.name": "iceberg",
        "iceberg.catalog.type": "glue",
        "iceberg.hive-catalog-name": HIVE_CATALOG,
        # VACUUM removes what is older than the table's own settings say, not Trino's week.
        "iceberg.expire-snapshots.min-retention": "0s",
        "iceberg.remove-orphan-files.min-retention": "0s",
    }
    hive = {
        "connector.name": "hive",
        "hive.metastore": "glue",
        "hive.iceberg-catalog-name": CATALOG,
        # As in Athena, where it is the table's own setting.
        "hive.partition-projection-enabled": "true",
        "hive.recursive-directories": "true",
        # All of Athena's tables are external.
        "hive.non-managed-table-writes-enabled": "true",
    }
    config = {
        "coordinator": "true",
        "node-scheduler.include-coordinator": "true",
        "http-server.http.port": str(port),
        "discovery.uri": f"http://127.0.0.1:{port}",
        "catalog.management": "static",
    }
    return {
        "config.properties": _properties(config),
        "log.properties": _properties({"io.trino": "WARN"}),
        f"catalog/{CATALOG}.properties": _properties({**iceberg, **glue, **s3}),
        f"catalog/{HIVE_CATALOG}.properties": _properties({**hive, **glue, **s3}),
    }


def _properties(settings: Mapping[str, str]) -> str:
    return "".join(f"{key}={value}\n" for key, value in settings.items())


@contextmanager
def run_trino(home: TrinoHome, lake: Lake, folder: Path, port: int) -> Iterator[Trino]:
    """Run Trino with its files below ``folder`` until the end of the context.

    Raises:
        TrinoError: it does not start; with the end of its log.
    """
    for name, text in configuration(lake, port).items():
        file = folder / "etc" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (folder / "plugin").symlink_to(home.server / "plugin")
    log = folder / "server.log"
    command = [str(home.java), *_JVM, *_NODE, "-cp", f"{home.server}/lib/*", f"-Dnode.data-dir={folder}/data"]
    command += [f"-Dconfig={folder}/etc/config.properties", f"-Dlog.levels-file={folder}/etc/log.properties"]
    command += [f"-Dcatalog.config-dir={folder}/etc/catalog", f"-Dplugin.dir={folder}/plugin"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "io.trino.server.TrinoServer"], cwd=folder, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        trino = Trino(f"http://127.0.0.1:{port}")
        _wait_until_ready(trino, process, log)
        yield trino
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(trino: Trino, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until it takes work: ``/v1/info`` says ready before that."""
    deadline = time.monotonic() + READY_SECONDS
    why = "no answer"
    while time.monotonic() < deadline and process.poll() is None:
        try:
            trino.query("SELECT 1", "default")
        except (httpx.HTTPError, ValueError) as error:
            why = str(error)
        except TrinoError as error:
            if error.name not in _NOT_YET:
                raise
            why = str(error)
        else:
            return
        time.sleep(_PAUSE_SECONDS)
    end = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
    raise TrinoError("NOT_STARTED", f"{why}. The end of {log}:\n{end}")
