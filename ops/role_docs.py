"""Print docs/roles.md: what each role may do, and the test that fails without it.

python -m ops.role_docs > docs/roles.md

The roles come from the templates. tests/chain/role_actions.json names, for each action, the chain test that
needs it or why none does; the chain's own last test holds that file to what was measured.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = ROOT / "cloudformation"
EVIDENCE = ROOT / "tests" / "chain" / "role_actions.json"

_HEADER = """\
# Roles

Written by `python -m ops.role_docs > docs/roles.md` from the templates and the chain's `role_actions.json`;
tests hold the three together. The emulated AWS judges every request by these policies, as they are deployed.
The chain's tests record what each role asks for and judge it again without each action: one that nobody needs
fails them, but for those whose reason stands here in place of a test.

`test` / `test` and the keys of IAM users are an administrator's in the emulation. To work in a role there:
`aws sts assume-role --role-arn arn:aws:iam::ACCOUNT:role/ROLE --role-session-name me`.
"""


class _Loader(yaml.SafeLoader):
    """Reads templates; a function's short form becomes a text with placeholders, or its arguments."""


def _function(loader: _Loader, name: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):
        arguments = loader.construct_sequence(node, deep=True)
        return arguments[0] if name == "Sub" else arguments
    value = str(node.value)
    return value if name == "Sub" else f"${{{value}}}"


_Loader.add_multi_constructor("!", _function)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _roles() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every role of the templates: its name without prefix, and its properties."""
    for file in sorted(TEMPLATES.glob("*.yaml")):
        template = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::IAM::Role":
                properties = resource["Properties"]
                yield properties["RoleName"].removeprefix("${RolePrefix}"), properties


def _statements(properties: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Statements, each with the condition of the template under which it is there."""
    for policy in properties["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            if isinstance(statement, list):
                condition, conditional, _ = statement
                yield condition, conditional
            else:
                yield "", statement


def _resource(text: str) -> str:
    """A resource without what all have in common."""
    for common in ("arn:${AWS::Partition}:", "${AWS::Region}:${AWS::AccountId}:"):
        text = text.replace(common, "")
    return f"`{text}`"


def render() -> str:
    """The page: a section a role, a row an action."""
    evidence = json.loads(EVIDENCE.read_text(encoding="utf-8"))
    sections = [_HEADER]
    for name, properties in _roles():
        sections.append(f"\n## {name}\n\n{properties['Description']}.\n")
        if managed := properties.get("ManagedPolicyArns"):
            policies = ", ".join(_resource(arn) for arn in managed)
            sections.append(
                f"\nBesides AWS's own {policies}: the calls to EC2 by which EMR makes machines, which the "
                "emulation does not make.\n"
            )
        sections.append("\n| action | on | needed by |\n|---|---|---|\n")
        for condition, statement in _statements(properties):
            resources = "<br>".join(_resource(each) for each in _listed(statement["Resource"]))
            for action in _listed(statement["Action"]):
                key = f"{name} {statement['Sid']} {action}"
                test = evidence["needed_by"].get(key)
                why = (
                    f"`{test}`" if test else evidence["exceptions"].get(key, f"only where {condition} holds")
                )
                sections.append(f"| `{action}` | {resources} | {why} |\n")
    return "".join(sections)


if __name__ == "__main__":
    sys.stdout.write(render())
