"""The template of saved queries says what sql/athena says."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_stack.aws.cloudformation.template import parse
from ops.deployment.planning import TEMPLATES
from ops.query_template import render, saved_queries

TEMPLATE = TEMPLATES / "athena_queries.yaml"


def test_the_template_is_current() -> None:
    hint = "python -m ops.query_template > cloudformation/athena_queries.yaml"
    assert TEMPLATE.read_text() == render(), hint


def test_every_query_is_in_it_word_for_word() -> None:
    resources = parse(TEMPLATE.read_text()).resources
    queries = {query.logical_id: query for query in saved_queries()}
    assert resources.keys() == queries.keys()
    assert len(queries) >= 2
    for logical_id, query in queries.items():
        properties = resources[logical_id]["Properties"]
        assert properties["QueryString"].strip() == query.sql
        assert (properties["Name"], properties["Description"]) == (query.name, query.description)


def test_quotes_in_a_description_stay(tmp_path: Path) -> None:
    (tmp_path / "a_query.sql").write_text('-- What "often" means: this.\nSELECT 1\n')
    resources = parse(render(tmp_path)).resources
    assert resources["AQuery"]["Properties"]["Description"] == 'What "often" means: this.'


def test_a_query_says_what_it_answers(tmp_path: Path) -> None:
    (tmp_path / "silent.sql").write_text("SELECT 1\n")
    with pytest.raises(ValueError, match="does not begin with a comment"):
        render(tmp_path)
