-- Days and places whose mean temperature lies outside the weather's range of that day (Open-Meteo.com), worst first.
-- Columns:
--   day              UTC date
--   latitude         degrees
--   longitude        degrees
--   avg_temp         mean measured temperature, °C
--   weather_lowest   lowest temperature of the day at the nearest grid point, °C
--   weather_highest  highest temperature of the day at the nearest grid point, °C
--   degrees_outside  how far the mean lies below the lowest (negative) or above the highest, °C
--   distance_km      distance to the grid point, km
SELECT
  day,
  latitude,
  longitude,
  avg_temp,
  weather_temperature_min AS weather_lowest,
  weather_temperature_max AS weather_highest,
  CASE
    WHEN avg_temp < weather_temperature_min THEN avg_temp - weather_temperature_min
    ELSE avg_temp - weather_temperature_max
  END AS degrees_outside,
  distance_km
FROM sensor_weather_daily
WHERE avg_temp < weather_temperature_min OR avg_temp > weather_temperature_max
ORDER BY
  greatest(weather_temperature_min - avg_temp, avg_temp - weather_temperature_max) DESC,
  day,
  latitude,
  longitude
LIMIT 100
