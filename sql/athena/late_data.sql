-- Late data per day of arrival: how many events came more than an hour, a day, three days after they were measured.
-- The hour of arrival is all that is known, so the delay is counted from its start: up to an hour too short.
-- Columns:
--   arrival_day      UTC date of arrival
--   events           events that arrived, count
--   over_1_hour      of these, later than one hour, count
--   over_1_day       of these, later than a day, count
--   over_3_days      of these, later than three days, count
--   late_pct         share of over_1_hour, percent
--   latest_hours     the longest delay, hours
--   oldest_event     UTC date of the oldest event among them
WITH delays AS (
  SELECT
    date(arrival_hour) AS arrival_day,
    date(event_time) AS event_day,
    date_diff('second', event_time, arrival_hour) / 3600e0 AS hours
  FROM clickstream_events
  WHERE arrival_hour IS NOT NULL
)
SELECT
  arrival_day,
  count(*) AS events,
  count_if(hours > 1) AS over_1_hour,
  count_if(hours > 24) AS over_1_day,
  count_if(hours > 72) AS over_3_days,
  100e0 * count_if(hours > 1) / count(*) AS late_pct,
  greatest(max(hours), 0) AS latest_hours,
  min(event_day) AS oldest_event
FROM delays
GROUP BY arrival_day
ORDER BY arrival_day DESC
LIMIT 30
