-- How much do rain and poor visibility cost?
-- ---
-- materialized: view
-- description: One row per kind of weather and airport, from the hourly mart, always as fresh as that one.
-- keys: [conditions, origin]
-- ---
WITH hours AS (
    SELECT
        *,
        CASE
            WHEN visibility_miles IS NULL THEN 'not observed'
            WHEN visibility_miles < 3 THEN 'poor visibility'
            WHEN rain_inches > 0 THEN 'rain'
            WHEN wind_mph >= 20 THEN 'strong wind'
            ELSE 'fair'
        END AS conditions
    FROM delay_by_weather
)

SELECT
    conditions,
    origin,
    count(*) AS hours,
    sum(flights) AS flights,
    round(CAST(sum(cancelled) AS double) / sum(flights), 4) AS cancelled_share,
    round(CAST(sum(late) AS double) / sum(flights), 4) AS late_share,
    round(CAST(sum(dep_delay_minutes) AS double) / nullif(sum(flights - cancelled), 0), 1) AS avg_dep_delay
FROM hours
GROUP BY conditions, origin
