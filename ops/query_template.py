"""Print cloudformation/athena_queries.yaml: the queries of sql/athena as Athena's named queries.

python -m ops.query_template > cloudformation/athena_queries.yaml

A query is a file NAME.sql with one SELECT. Its first line is a comment that says what it answers; below
``-- Columns:``, a line each, are the columns of the answer with their meaning and unit.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "sql" / "athena"

_COLUMN = re.compile(r"^--   (\w+) {2,}\S", re.MULTILINE)

_HEADER = """\
# Written by `python -m ops.query_template > cloudformation/athena_queries.yaml` from sql/athena.
AWSTemplateFormatVersion: "2010-09-09"
Description: >-
  Sensor lakehouse: the analysts' saved queries, one for each file of sql/athena.

Metadata:
  AWS::CloudFormation::Interface:
    ParameterGroups:
      - Label: {default: Queries}
        Parameters: [DatabaseName, WorkgroupName]

Parameters:
  DatabaseName:
    Type: String
    Description: Glue database of the tables (output DatabaseName of the catalog stack).
    Default: analytics
  WorkgroupName:
    Type: String
    Description: Athena workgroup of the analysts (output WorkgroupName of the Athena stack).
    Default: clickstream-analytics

Resources:
"""

_RESOURCE = """\
  {logical_id}:
    Type: AWS::Athena::NamedQuery
    Properties:
      Name: {name}
      Description: {description}
      Database: !Ref DatabaseName
      WorkGroup: !Ref WorkgroupName
      QueryString: |
{sql}
"""

_OUTPUTS = """\
Outputs:
  WorkgroupName:
    Description: Where the queries are found.
    Value: !Ref WorkgroupName
"""


@dataclass(frozen=True)
class SavedQuery:
    """A query and what it answers."""

    name: str
    description: str
    sql: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the answer, as the comment names them."""
        return tuple(_COLUMN.findall(self.sql))

    @property
    def logical_id(self) -> str:
        """The name as CloudFormation wants it: letters and digits."""
        return "".join(word.capitalize() for word in self.name.split("_"))


def saved_queries(folder: Path = FOLDER) -> Iterator[SavedQuery]:
    """The queries of a folder, by name.

    Raises:
        ValueError: a file does not begin with a comment.
    """
    for file in sorted(folder.glob("*.sql")):
        first, _, sql = file.read_text(encoding="utf-8").partition("\n")
        if not first.startswith("-- "):
            raise ValueError(f"{file} does not begin with a comment that says what it answers")
        yield SavedQuery(file.stem, first.removeprefix("-- "), sql.strip())


def render(folder: Path = FOLDER) -> str:
    """The template."""
    resources = []
    for query in saved_queries(folder):
        indented = "".join(f"        {line}\n" if line else "\n" for line in query.sql.splitlines())
        resources.append(
            _RESOURCE.format(
                logical_id=query.logical_id,
                name=query.name,
                description=json.dumps(query.description),
                sql=indented.rstrip("\n"),
            )
        )
    return _HEADER + "\n".join(resources) + "\n" + _OUTPUTS


if __name__ == "__main__":
    sys.stdout.write(render())
