"""The look of the notebooks' charts, and the way they ask Athena."""

from __future__ import annotations

from typing import Any

import boto3
import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes

from config.project_config import Settings
from ops.athena import run_query

GOOD, BAD, NEUTRAL, RAIN = "#2a6f97", "#c8553d", "#8d99ae", "#89c2d9"

STYLE = {
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e5e5e5",
    "font.size": 10,
    "legend.frameon": False,
}


def use_style() -> None:
    """Set the look of all charts that follow."""
    mpl.rcParams.update(STYLE)


def name_source(axes: Axes, text: str) -> None:
    """Write where a chart's data come from below its left corner."""
    axes.figure.supxlabel(f"Source: {text}", x=0.01, ha="left", fontsize=8, color="#6c757d")


class Athena:
    """Athena as a function: SQL in, a DataFrame out. Names of tables are those of the lakehouse's database."""

    def __init__(self, settings: Settings) -> None:
        self._client: Any = boto3.client("athena", region_name=settings.aws_region)
        self._database = settings.glue_database

    def __call__(self, sql: str) -> pd.DataFrame:
        """The rows of a query.

        Raises:
            QueryError: with Athena's reason and the query.
        """
        result = run_query(self._client, sql, database=self._database)
        return pd.DataFrame(result.rows, columns=list(result.columns))
