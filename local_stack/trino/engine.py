"""Athena's engine on a real Trino: ``ATHENA_ENGINE=trino`` puts it in place of the light one.

What is only about Glue (SHOW, DESCRIBE, databases, CREATE EXTERNAL TABLE) stays the light engine's.
"""

from __future__ import annotations

import shutil
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx
from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends

from local_stack.aws.athena.engine import show
from local_stack.aws.athena.engine.catalog import Catalog
from local_stack.aws.athena.engine.errors import Position, QueryCancelledError, QueryError, not_supported
from local_stack.aws.athena.engine.interface import (
    Cancellation,
    Engine,
    Outcome,
    Request,
    ResultColumn,
    RowSink,
    ScanLimitError,
    StatementKind,
)
from local_stack.aws.athena.engine.parameters import bind
from local_stack.aws.iam import callers
from local_stack.ports import free_port
from local_stack.trino.install import TrinoHome
from local_stack.trino.rights import require_readable
from local_stack.trino.server import Lake, Trino, TrinoError, run_trino
from local_stack.trino.statements import Translation, translate
from local_stack.trino.values import as_text, sql_type

_OF_GLUE = {*show.HEADERS, "CREATE_DATABASE", "DROP_DATABASE", "CREATE_TABLE"}
_CANCELLED = "USER_CANCELED"
_SCAN_LIMIT = "EXCEEDED_SCAN_LIMIT"


class TrinoServers:
    """One Trino per account, started when the account asks its first question (20 s, 0.7 GB)."""

    def __init__(self, home: TrinoHome, endpoint: str, folder: Path) -> None:
        self._home = home
        self._endpoint = endpoint
        self._folder = folder
        self._lock = threading.Lock()
        self._running: dict[tuple[str, str], Trino] = {}
        self._stack = ExitStack()

    def get(self, account_id: str, region: str) -> Trino:
        """The account's Trino.

        Raises:
            TrinoError: it does not start.
        """
        with self._lock:
            found = self._running.get((account_id, region))
            if found is None:
                lake = Lake(self._endpoint, region, administrator_key(account_id))
                folder = self._folder / f"{account_id}-{region}"
                shutil.rmtree(folder, ignore_errors=True)
                found = self._stack.enter_context(run_trino(self._home, lake, folder, free_port()))
                self._running[account_id, region] = found
            return found

    def close(self) -> None:
        """Stop them all."""
        with self._lock:
            self._running.clear()
            self._stack.close()


def administrator_key(account_id: str) -> str:
    """A key with which a process outside reaches the account.

    Raises:
        QueryError: NOT_SUPPORTED: the account is another than the default one, and has no user with a key.
    """
    if account_id == DEFAULT_ACCOUNT_ID:
        return "test"
    keys = iam_backends[account_id][callers.PARTITION].access_keys
    if not keys:
        raise not_supported(f"Trino in account {account_id}, which has no access key,")
    return str(next(iter(keys)))


class TrinoEngine:
    """Runs Athena's statements on Trino, which reads and writes as an administrator.

    So a role's session may only ask: its rights on the tables of a query are checked before.
    """

    def __init__(self, servers: TrinoServers, light: Engine) -> None:
        self._servers = servers
        self._light = light

    def kind(self, sql: str) -> StatementKind:
        """What a statement is, by its first words; never fails."""
        return self._light.kind(sql)

    def close(self) -> None:
        """Stop Trino."""
        self._servers.close()
        self._light.close()

    def run(self, request: Request, sink: RowSink, cancellation: Cancellation) -> Outcome:
        """Run a statement to its end. Which files it wrote, Trino does not say.

        Raises:
            QueryError: it fails.
            QueryCancelledError: it was cancelled.
            ScanLimitError: it read too much.
        """
        sql = bind(request.sql, request.parameters)
        kind = self.kind(sql)
        if kind.substatement_type in _OF_GLUE:
            return self._light.run(replace(request, sql=sql, parameters=()), sink, cancellation)
        catalog = Catalog(request.account_id, request.region)
        translation = translate(sql, kind, request, catalog)
        if callers.current() is not None:
            if kind.substatement_type != "SELECT":
                raise not_supported("what a role's session writes through Trino", Position(1, 1))
            require_readable(sql, request.database, catalog)
        try:
            trino = self._servers.get(request.account_id, request.region)
            return self._run(trino, translation, request, sink if kind.has_rows else None, cancellation)
        except TrinoError as error:
            if error.name == _CANCELLED:
                raise QueryCancelledError from error
            if error.name == _SCAN_LIMIT:
                raise ScanLimitError from error
            raise QueryError(error.name, error.message) from error
        except httpx.HTTPError as error:
            raise QueryError("GENERIC_INTERNAL_ERROR", f"Trino does not answer: {error}") from error
        finally:
            cancellation.while_running(None)

    @staticmethod
    def _run(
        trino: Trino,
        translation: Translation,
        request: Request,
        sink: RowSink | None,
        cancellation: Cancellation,
    ) -> Outcome:
        session = dict(translation.session)
        if request.scan_limit is not None:
            session["query_max_scan_physical_bytes"] = f"{request.scan_limit}B"

        def at_page(uri: str) -> None:
            cancellation.while_running(lambda: trino.cancel(uri))

        outcome = Outcome()
        for statement in translation.statements:
            types = None
            for page in trino.pages(statement, request.database, session, at_page):
                cancellation.check()
                if sink and types is None and "columns" in page:
                    types = [sql_type(column["type"]) for column in page["columns"]]
                    names = [column["name"] for column in page["columns"]]
                    sink.begin([ResultColumn(*column) for column in zip(names, types, strict=True)])
                if sink and types is not None:
                    sink.add(
                        [
                            [as_text(type_, value) for type_, value in zip(types, row, strict=True)]
                            for row in page.get("data") or []
                        ]
                    )
                scanned = page["stats"].get("physicalInputBytes", 0)
                outcome = Outcome(max(scanned, outcome.scanned_bytes), page.get("updateCount"))
        return outcome
