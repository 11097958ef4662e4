"""What AWS's console shows, as far as the links of Airflow's tasks lead there: a cluster, a table, an object.

    /_local/console/cluster/CLUSTER        state, steps with their logs
    /_local/console/table/DATABASE/TABLE   its first rows, as Athena reads them
    /_local/console/object/BUCKET/KEY      an object; a gzipped log as text

For a browser on this machine, as an administrator of the default account. It only reads.
"""

from __future__ import annotations

import gzip
import mimetypes
import re
from collections.abc import Callable, Iterable
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import boto3
from botocore.exceptions import ClientError

from ops.athena import QueryError, run_query

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONSOLE_PATH = "/_local/console"

ROWS = 100

_NAME = re.compile(r"[A-Za-z0-9_]+")
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;color:#1c2733;margin:24px;max-width:1200px}"
    "table{border-collapse:collapse;font-size:14px}td,th{border-top:1px solid #dfe5ea;padding:4px 14px 4px 0;"
    "text-align:left}a{color:#1d5f8a}"
)


class Console:
    """Answers the console's pages; everything else goes to the application."""

    def __init__(self, application: WSGIApplication, endpoint: str, region: str) -> None:
        """``endpoint`` is the emulation's own, which the pages are made from."""
        self._application = application
        self._endpoint, self._region = endpoint, region
        self._pages: dict[str, Callable[[str], tuple[str, bytes]]] = {
            "cluster": self._cluster,
            "table": self._table,
            "object": self._object,
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", errors="replace")
        kind, _, rest = path.removeprefix(CONSOLE_PATH).lstrip("/").partition("/")
        if not path.startswith(f"{CONSOLE_PATH}/") or environ["REQUEST_METHOD"] != "GET":
            return self._application(environ, start_response)
        try:
            content_type, body = self._pages[kind](rest)
            status = HTTPStatus.OK
        except KeyError:
            status, (content_type, body) = HTTPStatus.NOT_FOUND, _page("No such page", "")
        except (ClientError, QueryError, ValueError) as error:
            message = f"<pre>{escape(str(error))}</pre>"
            status, (content_type, body) = HTTPStatus.NOT_FOUND, _page("Nothing to show", message)
        headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]

    def _client(self, service: str) -> Any:
        session = boto3.session.Session("test", "test", region_name=self._region)
        return session.client(service, endpoint_url=self._endpoint)  # type: ignore[call-overload]

    def _cluster(self, cluster_id: str) -> tuple[str, bytes]:
        emr = self._client("emr")
        cluster = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
        pages = emr.get_paginator("list_steps").paginate(ClusterId=cluster_id)
        steps = [step for page in pages for step in page["Steps"]]
        status = cluster["Status"]
        reason = status.get("StateChangeReason", {}).get("Message", "")
        folder = cluster.get("LogUri", "").partition("://")[2].rstrip("/") + f"/{cluster_id}/steps"
        rows = [
            [
                escape(step["Name"]),
                step["Status"]["State"],
                f"{step['Status']['Timeline'].get('StartDateTime', '')}"[:19],
                f"{step['Status']['Timeline'].get('EndDateTime', '')}"[:19],
                " ".join(
                    f'<a href="{CONSOLE_PATH}/object/{quote(folder)}/{step["Id"]}/{log}.gz">{log}</a>'
                    for log in ("stdout", "stderr", "controller")
                ),
            ]
            for step in steps
        ]
        about = f"<p>{escape(cluster['Name'])}: {status['State']}. {escape(reason)}</p>"
        heads = ("step", "state", "started", "ended", "logs")
        return _page(f"Cluster {cluster_id}", about + _html_table(heads, rows))

    def _table(self, name: str) -> tuple[str, bytes]:
        database, _, table = name.partition("/")
        if not (_NAME.fullmatch(database) and _NAME.fullmatch(table)):
            raise ValueError(f"{name} is not DATABASE/TABLE")
        sql = f'SELECT * FROM "{table}" LIMIT {ROWS}'  # noqa: S608 - a checked name
        result = run_query(self._client("athena"), sql, database=database)
        rows = [["" if value is None else escape(str(value)) for value in row] for row in result.rows]
        about = f"<p><code>{escape(sql)}</code></p>"
        return _page(f"Table {table}", about + _html_table(result.columns, rows))

    def _object(self, name: str) -> tuple[str, bytes]:
        bucket, _, key = name.partition("/")
        found = self._client("s3").get_object(Bucket=bucket, Key=key)
        body: bytes = found["Body"].read()
        if key.endswith(".gz"):
            return "text/plain; charset=utf-8", gzip.decompress(body) or b"(empty)"
        return found.get("ContentType") or mimetypes.guess_type(key)[0] or "application/octet-stream", body


def _html_table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """An HTML table; cells are HTML already."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{lines}</table>"


def _page(title: str, body: str) -> tuple[str, bytes]:
    html = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1>{body}"
    )
    return "text/html; charset=utf-8", html.encode()
