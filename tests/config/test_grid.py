from __future__ import annotations

import pytest

from config.grid import GRID, Grid, sensor_name


def test_the_grid_is_centred_on_berlin() -> None:
    places = [GRID.place(number) for number in range(GRID.size)]
    assert len(set(places)) == 100
    assert sum(latitude for latitude, _ in places) / 100 == pytest.approx(52.52)
    assert sum(longitude for _, longitude in places) / 100 == pytest.approx(13.405)


def test_a_sensor_stands_at_row_n_div_10_and_column_n_mod_10() -> None:
    south_west_latitude, south_west_longitude = GRID.place(0)
    latitude, longitude = GRID.place(42)
    assert latitude == pytest.approx(south_west_latitude + 4 * 0.05)
    assert longitude == pytest.approx(south_west_longitude + 2 * 0.05)
    assert sensor_name(42) == "SENSOR_0042"


@pytest.mark.parametrize("number", [-1, 6])
def test_there_is_no_point_beyond_the_grid(number: int) -> None:
    with pytest.raises(ValueError, match="points 0 to 5"):
        Grid(rows=2, columns=3).place(number)
