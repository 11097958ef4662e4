"""docs/roles.md says what the templates and the chain's evidence say."""

from __future__ import annotations

import json

from ops.role_docs import EVIDENCE, ROOT, render

PAGE = ROOT / "docs" / "roles.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == render(), "python -m ops.role_docs > docs/roles.md"


def test_every_action_has_a_test_or_a_reason() -> None:
    page = PAGE.read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) >= 50
    assert [row for row in rows if row.endswith("|  |")] == []
    evidence = json.loads(EVIDENCE.read_text())
    known = {*evidence["needed_by"], *evidence["exceptions"]}
    shown = {
        f"{section.splitlines()[0]} {action}"
        for section in page.split("\n## ")[1:]
        for action in (row.split("`")[1] for row in section.splitlines() if row.startswith("| `"))
    }
    assert {f"{key.split()[0]} {key.split()[2]}" for key in known} <= shown


def test_the_chain_has_the_tests_that_it_names() -> None:
    chain = (ROOT / "tests" / "chain" / "test_chain.py").read_text()
    tests = set(json.loads(EVIDENCE.read_text())["needed_by"].values())
    assert [test for test in sorted(tests) if f"def {test}(" not in chain] == []
