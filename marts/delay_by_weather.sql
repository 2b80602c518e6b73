-- What was the weather when flights were late?
-- ---
-- materialized: table
-- description: One row per airport and hour (UTC) with departures, next to the weather observed in that hour.
-- keys: [origin, time_hour]
-- partitioned_by: [month(time_hour)]
-- tests:
--   - not_null: [flights, cancelled]
-- ---
WITH departures AS (
    SELECT
        origin,
        time_hour,
        count(*) AS flights,
        count_if(dep_time IS NULL) AS cancelled,
        count_if(dep_delay >= 15) AS late,
        sum(dep_delay) AS dep_delay_minutes,
        round(avg(dep_delay), 1) AS avg_dep_delay
    FROM flights
    GROUP BY origin, time_hour
)

SELECT
    departures.origin,
    departures.time_hour,
    departures.flights,
    departures.cancelled,
    departures.late,
    departures.dep_delay_minutes,
    departures.avg_dep_delay,
    weather.temp AS temp_fahrenheit,
    weather.wind_speed AS wind_mph,
    weather.wind_gust AS gust_mph,
    weather.precip AS rain_inches,
    weather.visib AS visibility_miles
FROM departures
-- Some hours were never observed: their flights stay, without weather.
LEFT JOIN weather
    ON weather.origin = departures.origin
    AND weather.time_hour = departures.time_hour
