"""Measured climate beside the weather of the nearest grid point. Pure."""

from __future__ import annotations

import math

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

_EARTH_RADIUS_KM = 6371.0088


def to_sensor_weather(climate: DataFrame, weather: DataFrame, max_distance_km: float) -> DataFrame:
    """The table ``sensor_weather_daily``: every row of ``temp_humidity_kpis`` with that day's weather.

    Weather is that of the nearest grid point (``weather_daily`` knows where they stand), all null
    where that is farther than ``max_distance_km`` or has no row for the day.
    """
    nearest = _nearest_points(climate, weather, max_distance_km)
    of_the_day = weather.select(
        F.col("dt").alias("day"),
        F.col("sensor_id").alias("weather_sensor_id"),
        F.col("latitude").alias("point_latitude"),
        F.col("longitude").alias("point_longitude"),
        F.col("temperature_max").alias("weather_temperature_max"),
        F.col("temperature_min").alias("weather_temperature_min"),
        F.col("temperature_avg").alias("weather_temperature_avg"),
        F.col("precipitation").alias("weather_precipitation"),
        "temp_category",
        "precipitation_level",
    )
    point = ["weather_sensor_id", "point_latitude", "point_longitude"]
    return climate.join(nearest, ["latitude", "longitude"], "left").join(of_the_day, ["day", *point], "left")


def _nearest_points(climate: DataFrame, weather: DataFrame, max_distance_km: float) -> DataFrame:
    """latitude, longitude, weather_sensor_id, its place and distance_km: for places within the limit."""
    places = climate.select("latitude", "longitude").distinct()
    points = weather.select(
        F.col("sensor_id").alias("weather_sensor_id"),
        F.col("latitude").alias("point_latitude"),
        F.col("longitude").alias("point_longitude"),
    ).distinct()
    distance = _distance_km(
        F.col("latitude"), F.col("longitude"), F.col("point_latitude"), F.col("point_longitude")
    )
    nearest_first = Window.partitionBy("latitude", "longitude").orderBy("distance_km", "weather_sensor_id")
    return (
        places.crossJoin(F.broadcast(points))
        .withColumn("distance_km", F.round(distance, 3))
        .where(F.col("distance_km") <= max_distance_km)
        .withColumn("rank", F.row_number().over(nearest_first))
        .where("rank = 1")
        .drop("rank")
    )


def _distance_km(
    latitude: Column, longitude: Column, other_latitude: Column, other_longitude: Column
) -> Column:
    """Great-circle distance by the haversine formula; right across the date line."""
    half = math.pi / 360
    vertical = F.sin((other_latitude - latitude) * half)
    horizontal = F.sin((other_longitude - longitude) * half)
    cosines = F.cos(F.radians(latitude)) * F.cos(F.radians(other_latitude))
    chord = F.least(F.lit(1.0), vertical * vertical + cosines * horizontal * horizontal)
    return F.lit(2 * _EARTH_RADIUS_KM) * F.asin(F.sqrt(chord))
