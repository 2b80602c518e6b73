SELECT sum(i), sum(b/10), sum(m), sum(x), sum(w/1e0) FROM battery WHERE id < 100
SELECT sum(b) FROM battery WHERE id IN (3, 9)
SELECT sum(b) FROM battery WHERE id IN (1, 3)
SELECT sum(w) FROM battery
SELECT avg(i), avg(b), avg(x) FROM battery
SELECT avg(m) FROM battery
SELECT avg(b) FROM battery WHERE id IN (3,1)
SELECT min(t), max(t), min(d), max(ts), min(f), max(m) FROM battery
SELECT count(*), count(i), count(DISTINCT f), count(DISTINCT i/2) FROM battery
SELECT count(DISTINCT (i, f)) FROM battery
SELECT count_if(f), count_if(i > 100000000000), bool_and(f), bool_or(f) FROM battery
SELECT count(*), sum(i), avg(x), max(t), count_if(f), bool_and(f) FROM battery WHERE id > 1000
SELECT stddev(x), variance(i), stddev_pop(x), var_pop(i) FROM battery WHERE id IN (5,7,8,9,10)
SELECT stddev(x), var_samp(x), stddev_pop(x) FROM battery WHERE id = 5
SELECT stddev(b) FROM battery
SELECT max_by(t, i), min_by(t, i), max_by(i, t) FROM battery
SELECT max_by(t, x) FROM battery WHERE id IN (1, 6)
SELECT any_value(t) FROM battery WHERE id = 1
SELECT arbitrary(t) FROM battery WHERE id = 6
SELECT f, count(*) AS n, sum(i % 5) AS s FROM battery GROUP BY f ORDER BY f
SELECT f, count(*) AS n FROM battery GROUP BY 1 HAVING count(*) > 1 ORDER BY 2 DESC, 1
SELECT f, i % 2 AS p, count(*) AS n FROM battery GROUP BY ROLLUP (f, i % 2) ORDER BY 1, 2, 3
SELECT f, i % 2 AS p, count(*) AS n FROM battery GROUP BY CUBE (f, i % 2) ORDER BY 1, 2, 3
SELECT f, i % 2 AS p, count(*) AS n, grouping(f, i % 2) AS g FROM battery GROUP BY GROUPING SETS ((f), (i % 2), ()) ORDER BY 1, 2, 3
SELECT f, count(*) AS n FROM battery GROUP BY GROUPING SETS ((f), ()) ORDER BY 1, 2
SELECT id FROM battery ORDER BY i
SELECT id FROM battery ORDER BY i DESC
SELECT id FROM battery ORDER BY i NULLS FIRST
SELECT id FROM battery ORDER BY i DESC NULLS LAST
SELECT id, t FROM battery ORDER BY t
SELECT id FROM battery ORDER BY f, id
SELECT id FROM battery ORDER BY id LIMIT 3
SELECT id FROM battery ORDER BY id OFFSET 2 LIMIT 3
SELECT id FROM battery ORDER BY id LIMIT 3 OFFSET 2
SELECT id FROM battery ORDER BY id FETCH FIRST 2 ROWS ONLY
SELECT i FROM battery ORDER BY i FETCH FIRST 1 ROW WITH TIES
SELECT id FROM battery ORDER BY id LIMIT ALL
VALUES (1, 'a'), (2, 'b')
SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS v (n, s) ORDER BY n
SELECT * FROM (VALUES 1, 2.5) AS v (n) ORDER BY n
WITH a AS (SELECT id, i FROM battery), b AS (SELECT id FROM a WHERE i > 0) SELECT count(*) AS n FROM b
WITH a(n) AS (SELECT id FROM battery) SELECT max(n) AS m FROM a
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) AS s FROM r
SELECT id FROM battery a WHERE EXISTS (SELECT 1 FROM battery b WHERE b.i = a.i AND b.id <> a.id) ORDER BY id
SELECT id, (SELECT max(b.i) FROM battery b WHERE b.id < a.id) AS p FROM battery a ORDER BY id
SELECT id FROM battery WHERE i = (SELECT max(i) FROM battery)
SELECT (SELECT id FROM battery) AS x
SELECT (SELECT id FROM battery WHERE id = 1000) AS x
SELECT id FROM battery WHERE i IN (SELECT i FROM battery WHERE f) ORDER BY id
SELECT id FROM battery WHERE i NOT IN (SELECT i FROM battery WHERE f OR f IS NULL) ORDER BY id
SELECT id FROM battery WHERE i > ALL (SELECT i FROM battery WHERE id IN (5,7)) ORDER BY id
SELECT i FROM battery UNION SELECT i FROM battery ORDER BY 1
SELECT f FROM battery EXCEPT SELECT true ORDER BY 1
SELECT f FROM battery INTERSECT SELECT f FROM battery WHERE f IS NULL OR f ORDER BY 1
SELECT id FROM battery WHERE id < 3 UNION ALL SELECT b FROM battery WHERE id < 3 ORDER BY 1
SELECT id FROM battery WHERE id = 1 UNION ALL SELECT m FROM battery WHERE id = 1 ORDER BY 1
SELECT id AS v FROM battery WHERE id = 1 UNION ALL SELECT t FROM battery WHERE id = 1
SELECT id, row_number() OVER (ORDER BY i) AS r FROM battery ORDER BY id
SELECT id, rank() OVER (ORDER BY f) AS r, dense_rank() OVER (ORDER BY f DESC) AS q FROM battery ORDER BY id
SELECT id, sum(i % 10) OVER (ORDER BY id) AS s FROM battery ORDER BY id
SELECT id, sum(i % 10) OVER (ORDER BY f) AS s FROM battery ORDER BY id
SELECT id, sum(i % 10) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS s FROM battery ORDER BY id
SELECT id, lag(i) OVER (ORDER BY id) AS p, lead(i, 2, 0) OVER (ORDER BY id) AS n FROM battery ORDER BY id
SELECT id, lag(i) IGNORE NULLS OVER (ORDER BY id) AS p FROM battery ORDER BY id
SELECT id, first_value(t) OVER (PARTITION BY f ORDER BY id) AS a, last_value(t) OVER (PARTITION BY f ORDER BY id) AS z FROM battery ORDER BY id
SELECT id, ntile(3) OVER (ORDER BY id) AS n, percent_rank() OVER (ORDER BY id) AS p FROM battery ORDER BY id
SELECT id, nth_value(t, 2) OVER (ORDER BY id) AS n, cume_dist() OVER (ORDER BY id) AS c FROM battery ORDER BY id
SELECT id, count(*) OVER () AS n, avg(i) OVER (PARTITION BY f) AS a FROM battery ORDER BY id
SELECT id, max(i) OVER w AS n FROM battery WINDOW w AS (PARTITION BY f) ORDER BY id
SELECT id, sum(i % 7) OVER (ORDER BY d RANGE BETWEEN INTERVAL '30' DAY PRECEDING AND CURRENT ROW) AS s FROM battery ORDER BY id
SELECT DISTINCT f FROM battery ORDER BY f
SELECT f, sum(i % 3) FILTER (WHERE id > 3) AS s FROM battery GROUP BY f ORDER BY f
SELECT a.id, b.id AS bid FROM battery a JOIN battery b ON a.i = b.i ORDER BY 1, 2
SELECT a.id, b.id AS bid FROM battery a LEFT JOIN battery b ON a.i = b.id ORDER BY 1, 2
SELECT a.id, b.id AS bid FROM battery a FULL OUTER JOIN battery b ON a.i = b.id ORDER BY 1, 2
SELECT count(*) AS n FROM battery a CROSS JOIN battery b
SELECT count(*) AS n FROM battery a, battery b WHERE a.id = b.id
SELECT id, a.i AS ai FROM battery a JOIN battery b USING (id) ORDER BY id
SELECT * FROM (SELECT id, i FROM battery) a NATURAL JOIN (SELECT id, t FROM battery) b ORDER BY 1
SELECT count(*) AS n FROM battery a JOIN battery b ON a.m = b.x
SELECT count(*) AS n FROM battery a JOIN battery b ON a.i = b.m
SELECT count(*) AS n FROM battery a JOIN battery b ON a.t = b.t
SELECT ID, "id", Id AS "MiXed" FROM Battery ORDER BY 1 LIMIT 1
SELECT q.* FROM battery q ORDER BY q.id LIMIT 1
SELECT id, id FROM battery ORDER BY 1 LIMIT 1
SELECT count(*) FROM battery
SELECT 1 + 1, 'x'
SELECT "i" + 1 AS i FROM battery ORDER BY i
SELECT -i AS i FROM battery ORDER BY i
SELECT i AS x FROM battery ORDER BY x
SELECT id AS k FROM battery WHERE k = 1
SELECT id % 2 AS k, count(*) AS n FROM battery GROUP BY k ORDER BY k
SELECT id, i FROM battery GROUP BY id ORDER BY id
SELECT t FROM battery ORDER BY lower(t), id
SELECT sum(flights) AS s FROM (SELECT count(*) AS flights FROM battery GROUP BY f) AS z
SELECT * FROM battery WHERE f = true AND id < 4 ORDER BY id
SELECT id FROM battery WHERE f ORDER BY id
SELECT id FROM battery WHERE i ORDER BY id
SELECT id FROM battery TABLESAMPLE BERNOULLI (100) ORDER BY id
SELECT id FROM battery LIMIT 0
SELECT id, ts FROM battery ORDER BY ts
SELECT ts, count(*) AS n FROM battery GROUP BY ts ORDER BY ts
SELECT approx_distinct(i) FROM battery
SELECT approx_percentile(x, 0.5) FROM battery
SELECT array_agg(i ORDER BY id) AS a FROM battery
SELECT listagg(t, ',') WITHIN GROUP (ORDER BY id) AS a FROM battery
SELECT map_agg(id, t) AS a FROM battery WHERE id < 3
SELECT histogram(f) AS h FROM battery
SELECT n FROM UNNEST(ARRAY[1, 2, 3]) AS u (n)
SELECT id, u.tag FROM nested CROSS JOIN UNNEST(tags) AS u (tag) ORDER BY 1, 2
SELECT id, address.zip FROM nested ORDER BY id
SELECT id, address FROM nested ORDER BY id
SELECT id, tags FROM nested ORDER BY id
SELECT id, lines FROM nested ORDER BY id
SELECT id, clock FROM nested ORDER BY id
SELECT id, f4 FROM nested ORDER BY id
SELECT id, f4 + 1, f4 * 2, CAST(f4 AS double), round(f4, 1), sum(f4) OVER (ORDER BY id) FROM nested ORDER BY id
SELECT sum(f4), avg(f4), min(f4) FROM nested
SELECT id, f4 = 1.1 AS e, f4 = REAL '1.1' AS g, f4 > 1.1e0 AS h FROM nested ORDER BY id
SELECT id, m9, m18, m38 FROM nested ORDER BY id
SELECT id, m9 * m9, m18 + m9, m38 * 2, m38 + m18, m18 * m18 FROM nested ORDER BY id
SELECT sum(m38), sum(m18), max(m9) FROM nested
SELECT id, at, date_trunc('day', at) FROM nested ORDER BY id
SELECT count(*) FROM nested WHERE address IS NULL
SELECT id, cardinality(tags) FROM nested ORDER BY id
SELECT id FROM nested WHERE tags = ARRAY['n'] ORDER BY id
SELECT id, clock > TIME '12:30' AS x FROM nested ORDER BY id
SELECT * FROM battery FOR TIMESTAMP AS OF TIMESTAMP '2100-01-01 00:00:00 UTC' WHERE id = 1
SELECT count(*) AS n FROM "battery$snapshots"
SELECT count(*) AS n FROM "nested$history"
SELECT operation FROM "nested$snapshots" ORDER BY committed_at
SELECT count(*) AS n FROM "nested$files"
SELECT row_number() OVER () AS r FROM airlines ORDER BY 1 LIMIT 2
SELECT max(CASE WHEN f THEN i END) AS a, sum(CASE WHEN f THEN 1 ELSE 0 END) AS b FROM battery
SELECT sum(CASE WHEN f THEN m ELSE 0 END) AS b FROM battery
SELECT sum(DISTINCT i % 4) AS s, avg(DISTINCT i % 4) AS a FROM battery
SELECT count(*) FILTER (WHERE f) AS a, count(*) AS b FROM battery
SELECT d, t FROM battery WHERE t LIKE '%é%' OR d IS NULL
SELECT CAST(sum(i % 5) AS double) / count(*) AS r, sum(i % 5) / count(*) AS q FROM battery
SELECT sum(i % 5) / count(i) * 100 AS q, 100 * sum(i % 5) / count(i) AS r FROM battery
SELECT round(100.0 * count_if(f) / count(*), 2) AS q FROM battery
SELECT round(1e2 * count_if(f) / count(*), 2) AS q FROM battery
