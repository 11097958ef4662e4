-- Per day: how far the sensors' mean temperature lies from the weather's at the nearest grid point (Open-Meteo.com).
-- Columns:
--   day                 UTC date
--   places              places with a measurement and weather, count
--   mean_difference     mean of measured less weather, °C
--   largest_difference  largest distance of the two at one place, °C
--   within_range        places whose mean lies between the weather's lowest and highest temperature, count
SELECT
  day,
  count(*) AS places,
  avg(avg_temp - weather_temperature_avg) AS mean_difference,
  max(abs(avg_temp - weather_temperature_avg)) AS largest_difference,
  count_if(avg_temp BETWEEN weather_temperature_min AND weather_temperature_max) AS within_range
FROM sensor_weather_daily
WHERE avg_temp IS NOT NULL AND weather_temperature_avg IS NOT NULL
GROUP BY day
ORDER BY day DESC
LIMIT 30
