"""Airflow's REST API."""

from __future__ import annotations

from typing import Any

import httpx


class AirflowClient:
    """A client of the Airflow at ``url``; logs in when asked to, also once its token has expired.

    All that asks raises httpx.HTTPError where Airflow refuses or does not answer.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self._user = {"username": user, "password": password}
        self._client = httpx.Client(base_url=url, timeout=60, headers={"Accept": "application/json"})

    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """A resource below /api/v2."""
        return self._ask("GET", path, params=parameters or None)

    def post(self, path: str, document: object) -> dict[str, Any]:
        """What becomes of a document that is sent to a resource below /api/v2."""
        return self._ask("POST", path, json=document)

    def patch(self, path: str, document: object) -> dict[str, Any]:
        """A resource below /api/v2 after these members of it were changed."""
        return self._ask("PATCH", path, json=document)

    def delete(self, path: str) -> None:
        """Delete a resource below /api/v2."""
        self._ask("DELETE", path)

    def _ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        answer = self._client.request(method, f"/api/v2/{path}", **request)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._log_in()
            answer = self._client.request(method, f"/api/v2/{path}", **request)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def _log_in(self) -> None:
        answer = self._client.post("/auth/token", json=self._user)
        answer.raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
