"""The grid of places where the fleet's sensors stand; the weather is fetched for the same points."""

from __future__ import annotations

from dataclasses import dataclass

from config.events import LATITUDE_MAX, LONGITUDE_MAX, LONGITUDE_MIN

_DECIMALS = 6


@dataclass(frozen=True)
class Grid:
    """A rectangle of evenly spaced points, numbered row by row from the south-west.

    Coordinates and ``spacing`` are degrees; the centre lies in the middle of the rectangle. It may
    cross the date line: longitudes are between -180 and 180.
    """

    centre_latitude: float = 52.52
    centre_longitude: float = 13.405
    spacing: float = 0.05
    rows: int = 10
    columns: int = 10

    def __post_init__(self) -> None:
        """Refuse a grid that is none.

        Raises:
            ValueError: no rows or columns, no spacing, or rows beyond a pole.
        """
        if self.rows < 1 or self.columns < 1 or self.spacing <= 0:
            raise ValueError(f"a grid has rows, columns and a spacing above 0, not {self}")
        farthest = abs(self.centre_latitude) + (self.rows - 1) / 2 * self.spacing
        if farthest > LATITUDE_MAX:
            raise ValueError(f"the grid's last row would lie beyond a pole, at {farthest:.3f} degrees")

    @property
    def size(self) -> int:
        """How many points the grid has."""
        return self.rows * self.columns

    def place(self, number: int) -> tuple[float, float]:
        """Latitude and longitude of point ``number`` (row ``number // columns``), 6 decimals.

        >>> GRID.place(0), GRID.place(42)
        ((52.295, 13.18), (52.495, 13.28))

        Raises:
            ValueError: there is no such point.
        """
        if not 0 <= number < self.size:
            raise ValueError(f"the grid has points 0 to {self.size - 1}, not {number}")
        row, column = divmod(number, self.columns)
        latitude = self.centre_latitude + (row - (self.rows - 1) / 2) * self.spacing
        longitude = self.centre_longitude + (column - (self.columns - 1) / 2) * self.spacing
        return round(latitude, _DECIMALS), _around_the_globe(round(longitude, _DECIMALS))


def _around_the_globe(longitude: float) -> float:
    if LONGITUDE_MIN <= longitude <= LONGITUDE_MAX:
        return longitude
    return round((longitude - LONGITUDE_MIN) % 360 + LONGITUDE_MIN, _DECIMALS)


GRID = Grid()
"""The platform's grid: 10 x 10 points around Berlin."""


def sensor_name(number: int) -> str:
    """The sensor's name in the weather tables.

    >>> sensor_name(42)
    'SENSOR_0042'
    """
    return f"SENSOR_{number:04d}"
