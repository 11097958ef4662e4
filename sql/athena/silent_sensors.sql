-- Sensors that have reported, but not on the newest day with events: longest silence first.
-- Columns:
--   sensor_id    number of the sensor
--   last_event   time of its last event, UTC
--   silent_days  days from its last event's date to the newest date with events
--   last_status  the status that it reported last
--   events       all its events, count
WITH newest AS (
  SELECT date(max(event_time)) AS day FROM clickstream_events
),
sensors AS (
  SELECT
    sensor_id,
    max(event_time) AS last_event,
    max_by(status, event_time) AS last_status,
    count(*) AS events
  FROM clickstream_events
  GROUP BY sensor_id
)
SELECT
  sensor_id,
  last_event,
  date_diff('day', date(last_event), newest.day) AS silent_days,
  last_status,
  events
FROM sensors
CROSS JOIN newest
WHERE date(last_event) < newest.day
ORDER BY silent_days DESC, sensor_id
LIMIT 100
