"""Make the secrets of the stack, each once: ``generate_secrets.py FOLDER``.

They live in a volume that only this stack mounts, and go when ``docker compose down -v`` removes it.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from pathlib import Path

_BYTES = 48


def main(folder: Path, environment: dict[str, str]) -> int:
    """Write what is missing; the password of the UI's user is always the one that was asked for."""

    def once(name: str, text: str) -> str:
        file = folder / name
        if not file.exists():
            file.write_text(text)
        return file.read_text()

    password = once("postgres-password", secrets.token_hex(_BYTES))
    once("sql-alchemy-conn", f"postgresql+psycopg2://airflow:{password}@postgres/airflow")
    once("fernet-key", base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    once("jwt-secret", secrets.token_urlsafe(_BYTES))
    once("api-secret-key", secrets.token_urlsafe(_BYTES))
    (folder / "passwords.json").write_text(json.dumps({"admin": environment["AIRFLOW_PASSWORD"]}))
    print(f"The secrets are in {folder}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), dict(os.environ)))
