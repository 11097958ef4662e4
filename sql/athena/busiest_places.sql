-- The places with the most events in the last seven days with events.
-- Columns:
--   latitude         degrees, 6 decimals
--   longitude        degrees, 6 decimals
--   events           events measured there, count
--   sensors          distinct sensors that measured there, count
--   share_pct        share of all events of the week, percent
--   faulty_pct       share of faulty events there, percent
--   avg_temperature  mean temperature measured there, °C; null without any
WITH newest AS (
  SELECT date(max(event_time)) AS day FROM clickstream_events
),
week AS (
  SELECT
    round(location.latitude, 6) AS latitude,
    round(location.longitude, 6) AS longitude,
    sensor_id,
    status,
    temperature
  FROM clickstream_events
  CROSS JOIN newest
  WHERE date(event_time) > newest.day - INTERVAL '7' DAY
)
SELECT
  latitude,
  longitude,
  count(*) AS events,
  count(DISTINCT sensor_id) AS sensors,
  100e0 * count(*) / sum(count(*)) OVER () AS share_pct,
  100e0 * count_if(status = 'faulty') / count(*) AS faulty_pct,
  avg(temperature) AS avg_temperature
FROM week
GROUP BY latitude, longitude
ORDER BY events DESC, latitude, longitude
LIMIT 20
