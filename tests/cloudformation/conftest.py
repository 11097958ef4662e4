"""The templates as parsed documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from local_stack.aws.cloudformation.template import Template, parse
from ops.deployment.planning import TEMPLATES


@pytest.fixture(scope="session")
def templates() -> Mapping[str, Template]:
    """Every template by its file name."""
    return {path.name: parse(path.read_text(encoding="utf-8")) for path in sorted(TEMPLATES.glob("*.yaml"))}


@pytest.fixture(scope="session")
def all_resources(templates: Mapping[str, Template]) -> list[tuple[str, str, dict[str, Any]]]:
    """(template, logical id, resource) of every declared resource."""
    return [
        (name, logical_id, resource)
        for name, template in templates.items()
        for logical_id, resource in template.resources.items()
    ]
