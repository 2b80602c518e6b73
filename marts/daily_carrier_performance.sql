-- How punctual was each carrier on each day?
-- ---
-- materialized: table
-- description: One row per local day and carrier, with flights, cancellations, diversions and delays in minutes.
-- keys: [day, carrier]
-- partitioned_by: [month(day)]
-- tests:
--   - not_null: [flights, cancelled, diverted, late]
-- ---
WITH departures AS (
    SELECT
        CAST(format('%04d-%02d-%02d', year, month, day) AS date) AS day,
        carrier,
        dep_delay,
        arr_delay,
        dep_time IS NULL AS is_cancelled,
        dep_time IS NOT NULL AND arr_delay IS NULL AS is_diverted,
        arr_delay >= 15 AS is_late -- the measure of the US Department of Transportation
    FROM flights
)

SELECT
    departures.day,
    departures.carrier,
    airlines.name AS airline,
    count(*) AS flights,
    count_if(is_cancelled) AS cancelled,
    count_if(is_diverted) AS diverted,
    count_if(is_late) AS late,
    round(CAST(count_if(is_cancelled) AS double) / count(*), 4) AS cancelled_share,
    round(CAST(count_if(NOT is_late) AS double) / count(*), 4) AS on_time_share,
    round(avg(dep_delay), 1) AS avg_dep_delay,
    round(avg(arr_delay), 1) AS avg_arr_delay,
    max(dep_delay) AS max_dep_delay
FROM departures
LEFT JOIN airlines ON airlines.carrier = departures.carrier
GROUP BY departures.day, departures.carrier, airlines.name
