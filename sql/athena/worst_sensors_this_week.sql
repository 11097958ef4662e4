-- The worst sensors of the last seven days with events, and why: faulty, measuring nothing, or silent for days.
-- The week ends with the newest day that has events. Silence counts on the days on which half of the fleet reported.
-- Columns:
--   sensor_id             number of the sensor
--   worst_pct             the largest of the three shares below, percent
--   why                   which one it is: faulty, unmeasured or silent
--   faulty_pct            share of its events with status faulty, percent
--   unmeasured_pct        share of its events without temperature or without humidity, percent
--   silent_pct            share of the days on which half of the fleet reported, but not it, percent
--   events                its events of the week, count
--   usual_faulty_reports  what its faulty events mostly are (event_type); null without any
WITH newest AS (
  SELECT date(max(event_time)) AS day FROM clickstream_events
),
week AS (
  SELECT
    sensor_id,
    date(event_time) AS day,
    status,
    event_type,
    temperature IS NULL OR humidity IS NULL AS is_unmeasured
  FROM clickstream_events
  CROSS JOIN newest
  WHERE date(event_time) > newest.day - INTERVAL '7' DAY
),
days AS (
  SELECT day
  FROM week
  GROUP BY day
  HAVING count(DISTINCT sensor_id) * 2 >= (SELECT count(*) FROM sensor_health)
),
reports AS (
  SELECT sensor_id, event_type, count(*) AS events
  FROM week
  WHERE status = 'faulty'
  GROUP BY sensor_id, event_type
),
usual AS (
  SELECT
    sensor_id,
    event_type,
    row_number() OVER (PARTITION BY sensor_id ORDER BY events DESC, event_type) AS place
  FROM reports
),
silence AS (
  SELECT
    sensor_health.sensor_id,
    100e0 * count_if(week.sensor_id IS NULL) / count(*) AS silent_pct
  FROM sensor_health
  CROSS JOIN days
  LEFT JOIN (SELECT DISTINCT sensor_id, day FROM week) AS week
    ON week.sensor_id = sensor_health.sensor_id AND week.day = days.day
  GROUP BY sensor_health.sensor_id
),
measured AS (
  SELECT
    sensor_id,
    count(*) AS events,
    100e0 * count_if(status = 'faulty') / count(*) AS faulty_pct,
    100e0 * count_if(is_unmeasured) / count(*) AS unmeasured_pct
  FROM week
  GROUP BY sensor_id
),
shares AS (
  SELECT
    silence.sensor_id,
    coalesce(measured.events, 0) AS events,
    coalesce(measured.faulty_pct, 0e0) AS faulty_pct,
    coalesce(measured.unmeasured_pct, 0e0) AS unmeasured_pct,
    silence.silent_pct
  FROM silence
  LEFT JOIN measured ON measured.sensor_id = silence.sensor_id
)
SELECT
  shares.sensor_id,
  greatest(faulty_pct, unmeasured_pct, silent_pct) AS worst_pct,
  CASE greatest(faulty_pct, unmeasured_pct, silent_pct)
    WHEN faulty_pct THEN 'faulty'
    WHEN unmeasured_pct THEN 'unmeasured'
    ELSE 'silent'
  END AS why,
  faulty_pct,
  unmeasured_pct,
  silent_pct,
  events,
  usual.event_type AS usual_faulty_reports
FROM shares
LEFT JOIN usual ON usual.sensor_id = shares.sensor_id AND usual.place = 1
WHERE greatest(faulty_pct, unmeasured_pct, silent_pct) > 0
ORDER BY worst_pct DESC, faulty_pct DESC, shares.sensor_id
LIMIT 20
