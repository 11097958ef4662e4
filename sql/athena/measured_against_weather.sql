-- Per day: how far the sensors' mean temperature lies from the weather's at the nearest grid point (Open-Meteo.com).
SELECT
  day,
  count(*) AS places,
  avg(avg_temp - weather_temperature_avg) AS mean_difference,
  max(abs(avg_temp - weather_temperature_avg)) AS largest_difference,
  sum(CASE WHEN avg_temp BETWEEN weather_temperature_min AND weather_temperature_max THEN 1 ELSE 0 END) AS within_range
FROM sensor_weather_daily
WHERE weather_temperature_avg IS NOT NULL
GROUP BY day
ORDER BY day DESC
LIMIT 30
