"""The one DuckDB of the process: extensions from PyPI packages, bounded memory, a connection per query."""

from __future__ import annotations

import importlib.util
import logging
import threading
from pathlib import Path

import duckdb

from local_stack.aws.athena.engine.types import text

log = logging.getLogger(__name__)

EXTENSIONS = ("avro", "httpfs", "iceberg")
MEMORY_LIMIT = "2GB"
THREADS = 2
MAX_SPILL = "20GB"


class DuckDb:
    """Made at the first query, since loading the extensions takes a second.

    ``endpoint`` is where S3 listens. Queries' reads are logged inside DuckDB, which tells how many
    bytes each scanned.
    """

    def __init__(self, endpoint: str, region: str, spill_dir: Path) -> None:
        self._endpoint = endpoint
        self._region = region
        self._spill_dir = spill_dir
        self._lock = threading.Lock()
        self._root: duckdb.DuckDBPyConnection | None = None
        self._open = 0

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A connection for one query; give it back with ``release``."""
        with self._lock:
            if self._root is None:
                self._root = self._create()
            self._open += 1
            return self._root.cursor()

    def release(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Close a connection; the log of reads is emptied once nobody needs it."""
        with self._lock:
            connection.close()
            self._open -= 1
            if self._open == 0 and self._root is not None:
                self._root.execute("CALL truncate_duckdb_logs()")

    def close(self) -> None:
        """End it; running queries fail."""
        with self._lock:
            if self._root is not None:
                self._root.close()
                self._root = None

    def _create(self) -> duckdb.DuckDBPyConnection:
        self._spill_dir.mkdir(parents=True, exist_ok=True)
        root = duckdb.connect(
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "memory_limit": MEMORY_LIMIT,
                "threads": str(THREADS),
                "temp_directory": str(self._spill_dir),
                "max_temp_directory_size": MAX_SPILL,
            }
        )
        for name in EXTENSIONS:
            root.execute(f"LOAD {text(str(extension_file(name)))}")
        host = self._endpoint.partition("://")[2]
        root.execute(
            f"CREATE SECRET (TYPE S3, KEY_ID 'test', SECRET 'test', ENDPOINT {text(host)}, "
            f"REGION {text(self._region)}, URL_STYLE 'path', USE_SSL false)"
        )
        root.execute("SET GLOBAL TimeZone = 'UTC'")
        # An object may be replaced under its name between two queries.
        root.execute("SET GLOBAL enable_external_file_cache = false")
        root.execute((Path(__file__).parent / "macros.sql").read_text())
        root.execute("CALL enable_logging('HTTP', storage = 'memory')")
        return root


def extension_file(name: str) -> Path:
    """The extension that the package duckdb-extension-NAME holds for this version of DuckDB.

    Raises:
        FileNotFoundError: the package is missing or of another version.
    """
    package = importlib.util.find_spec(f"duckdb_extension_{name}")
    folders = package.submodule_search_locations if package else None
    for folder in folders or []:
        file = Path(folder) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        if file.exists():
            return file
    raise FileNotFoundError(f"duckdb-extension-{name} for DuckDB {duckdb.__version__} is not installed")


_SCANNED_BYTES = r"""
    WITH read AS (
        SELECT regexp_extract(request.headers['Range'], 'bytes=([0-9]+)-([0-9]+)', ['first', 'last']) AS span
        FROM duckdb_logs_parsed('HTTP')
        WHERE connection_id = current_connection_id() AND request.url LIKE '%.parquet'
    )
    SELECT coalesce(sum(CAST(span.last AS BIGINT) - CAST(span.first AS BIGINT) + 1), 0)
    FROM read
    WHERE span.first <> ''
"""


def scanned_bytes(connection: duckdb.DuckDBPyConnection) -> int:
    """Bytes of data files that the connection's queries read from S3."""
    row = connection.execute(_SCANNED_BYTES).fetchone()
    return int(row[0]) if row else 0
