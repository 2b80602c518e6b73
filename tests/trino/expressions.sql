7 / 2
-7 / 2
7 % -3
-7 % 3
i / 2
i % 4
b / 3
i * 2
b * 2
i + 1
abs(i)
-i
-b
1 + 1.5
m + m
m * m
m * m * m
m - w
w + w
w * 2
w * w
m * 1.1
m * 3
i * m
x * 3
x / 3
x / 0
0e0 / 0
i / 0
i % 0
1.0 / 3e0
m + x
m > x
x = 0.3
x + 0.2 = 0.3
x + 0.2e0 = 0.3e0
0.1 + 0.2
1e0 / 3
round(x)
round(x, 1)
round(2.5e0)
round(-2.5e0)
round(3.5e0)
round(0.5e0)
round(1.005e0, 2)
round(2.675e0, 2)
round(1e15 + 0.3e0, 1)
round(123456.789e0, -2)
round(i, -1)
round(15, -1)
round(25, -1)
round(-15, -1)
round(b, -3)
ceil(x)
floor(x)
ceiling(-0.5e0)
sign(x)
sign(i)
sqrt(x)
sqrt(-1e0)
power(i, 2)
pow(2, 0.5e0)
exp(x)
ln(x)
ln(0e0)
mod(i, 3)
greatest(1, 2, NULL)
greatest(i, b)
least(m, x)
greatest(t, 'b')
coalesce(i, 0)
coalesce(m, 0)
coalesce(m, 0.001)
coalesce(i, b, 1.5)
nullif(i, 0)
nullif(t, 'apple')
if(i > 0, 'pos', 'neg')
if(i > 0, 1)
CASE WHEN i > 0 THEN 1 WHEN i < 0 THEN -1.5 END
CASE i WHEN 7 THEN 'seven' ELSE t END
CAST(x AS integer)
CAST(2.5e0 AS bigint)
CAST(-2.5e0 AS bigint)
CAST(0.49999999999999994e0 AS bigint)
CAST(x AS bigint)
CAST(x AS decimal(10,2))
CAST(1.005e0 AS decimal(10,2))
CAST(2.675e0 AS decimal(10,2))
CAST(1e10 AS decimal(5,2))
CAST(m AS integer)
CAST(m AS bigint)
CAST(2.5 AS integer)
CAST(-2.5 AS bigint)
CAST(m AS decimal(10,1))
CAST(m AS decimal(4,2))
CAST(w AS double)
CAST(m AS double)
CAST(w AS decimal(18,2))
CAST(i AS decimal(12,2))
CAST(b AS integer)
CAST(b AS double)
CAST(9007199254740993 AS double)
CAST(i AS varchar)
CAST(m AS varchar)
CAST(w AS varchar)
CAST(f AS varchar)
CAST(d AS varchar)
CAST(d AS timestamp)
CAST(ts AS date)
CAST(ts AS timestamp(3))
CAST(ts AS timestamp(0))
CAST(f AS integer)
CAST('2024-02-29' AS date)
CAST('2023-02-29' AS date)
CAST('2024-1-5' AS date)
CAST('2024-01-31 12:30' AS timestamp)
CAST('2024-01-31 12:30:15.123456' AS timestamp)
CAST(substr(t,1,10) AS date)
DATE '2024-02-29'
TIMESTAMP '2024-02-29 13:45:06'
TIMESTAMP '2024-02-29 13:45:06.123456'
TIMESTAMP '2024-02-29 13:45:06.1234567'
date(ts)
date('2024-01-31')
lower(t)
upper(t)
upper('straße')
lower('İ')
length(t)
length('😀é')
concat(t, '-x')
t || '!'
t || NULL
substr(t, 2)
substr(t, 2, 3)
substr(t, 100)
substring(t, 1, 1)
substring(t from 2 for 2)
replace(t, 'p')
replace(t, 'p', 'q')
replace(t, '', 'z')
strpos(t, 'p')
strpos(t, '')
strpos(t, 'zz')
lpad(t, 8, '*')
rpad(t, 3, 'ab')
lpad(t, 0, 'x')
lpad(t, 8, '')
starts_with(t, 'a')
starts_with(t, '')
t LIKE 'a%'
t LIKE 'b\_c%'
t LIKE 'b#_c#%d' ESCAPE '#'
t LIKE '%😀'
t NOT LIKE '%a%'
t = 'apple '
'abc' = 'abc '
t < 'a'
t > 'Z'
t BETWEEN 'A' AND 'b'
t IN ('apple', 'Zebra')
t IN ('apple', NULL)
i NOT IN (1, NULL)
i IS DISTINCT FROM 7
i IS NOT DISTINCT FROM NULL
NOT f
f AND NULL
f OR NULL
format('%d', i)
format('%05d', i)
format('%02d', 5)
format('%s-%s', t, t)
format('%s', 'ab')
format('%d%%', i)
format('%d', b)
date_trunc('month', d)
date_trunc('week', d)
date_trunc('quarter', d)
date_trunc('year', ts)
date_trunc('hour', ts)
date_trunc('second', ts)
date_trunc('week', ts)
date_diff('day', d, DATE '2024-03-01')
date_diff('day', ts, TIMESTAMP '2024-03-01 00:00:00')
date_diff('week', d, DATE '2024-03-01')
date_diff('hour', ts, TIMESTAMP '2024-03-01 00:30:00')
date_diff('second', ts, TIMESTAMP '2024-03-01 00:00:00')
date_diff('minute', TIMESTAMP '2024-03-01 00:00:00', ts)
date_add('month', 1, DATE '2024-01-31')
date_add('month', -1, DATE '2024-03-31')
date_add('year', 1, DATE '2024-02-29')
date_add('quarter', 1, DATE '2023-11-30')
date_add('day', i, DATE '2024-01-01')
date_add('hour', 25, ts)
date_add('week', 1, d)
date_add('second', 1, ts)
date_add('day', 1, d)
date_format(ts, '%Y-%m-%d %H:%i:%s')
date_format(d, '%Y%m')
date_format(ts, '%Y-%m-%d %H:%i:%S')
year(d)
month(ts)
quarter(d)
week(d)
week_of_year(ts)
day(d)
day_of_month(ts)
day_of_year(d)
doy(d)
day_of_week(d)
dow(ts)
hour(ts)
minute(ts)
second(ts)
extract(year FROM d)
extract(week FROM d)
extract(dow FROM ts)
extract(doy FROM d)
extract(day_of_week FROM d)
d + INTERVAL '1' MONTH
d + INTERVAL '1' DAY
d - INTERVAL '1' YEAR
d + INTERVAL '2' WEEK
ts + INTERVAL '1' HOUR
ts - INTERVAL '1' MONTH
DATE '2024-03-31' - INTERVAL '1' MONTH
DATE '2024-01-31' + INTERVAL '1' MONTH
ts > DATE '2024-01-31'
d = TIMESTAMP '2024-01-31 00:00:00'
d > '2024-01-01'
ts >= '2024-01-01'
i = '7'
i = 7.0
m = 10.25
m = 10.25e0
9223372036854775807 + 1
2147483647 + 1
i * i
b + b
abs(-9223372036854775807 - 1)
abs(i - 1)
-2147483648
99999999999999999999
99999999999999999999999999999999999999 + 1
x * 1e308
1e308 * 10
0.1
.5
1.
00012
1e2
1E-7
123456789.123
1e7
1e-3
1e21
'it''s'
'\n'
U&'\00e9'
"t"
x'65'
true
NULL
try_cast('x' AS integer)
try(1/0)
CAST('12' AS integer)
CAST('abc' AS integer)
CAST(x AS varchar)
CAST(ts AS varchar)
CAST('abc' AS varchar(2))
CAST('ab' AS char(5))
CAST('ab' AS char(5)) = 'ab'
CAST(300 AS tinyint)
regexp_like(t, '^a')
regexp_extract(t, '([a-z]+) (\w+)', 2)
regexp_replace(t, '[aeiou]', '_')
split(t, 'p')
split_part(t, 'p', 2)
trim(t)
ltrim(t)
rtrim(t)
trim(BOTH ' ' FROM t)
reverse(t)
position('p' IN t)
levenshtein_distance(t, 'apple')
concat_ws('-', t, 'z')
chr(65)
codepoint('A')
to_hex(to_utf8(t))
md5(to_utf8(t))
sha256(to_utf8(t))
url_extract_host('http://a.b/c')
json_extract_scalar('{"a": 1}', '$.a')
json_extract('{"a": [1]}', '$.a')
json_parse('[1,2]')
json_format(json_parse('{"b":1,"a":2}'))
CAST(json_parse('[1,2]') AS array(integer))
ARRAY[1, 2, NULL]
ARRAY[1,2][1]
element_at(ARRAY[1,2], 5)
ARRAY[1,2][5]
cardinality(ARRAY[1,2])
contains(ARRAY[1,2], 2)
array_join(ARRAY['a', NULL, 'b'], ',')
array_distinct(ARRAY[1,1,2])
array_sort(ARRAY[3,NULL,1])
sequence(1, 5)
transform(ARRAY[1,2], e -> e * 2)
filter(ARRAY[1,2], e -> e > 1)
reduce(ARRAY[1,2], 0, (s, e) -> s + e, s -> s)
MAP(ARRAY['a'], ARRAY[1])
MAP(ARRAY['a'], ARRAY[1])['a']
ROW(1, 'a')
CAST(ROW(1, 'a') AS ROW(x integer, y varchar)).x
date_parse('2024-01-31', '%Y-%m-%d')
date_format(ts, '%b %e %y')
date_format(ts, '%W %M %D')
format_datetime(ts, 'yyyy-MM-dd')
parse_datetime('2024-01-31', 'yyyy-MM-dd')
from_unixtime(1700000000)
to_unixtime(ts)
from_iso8601_date('2024-01-31')
from_iso8601_timestamp('2024-01-31T00:00:00Z')
to_iso8601(d)
last_day_of_month(d)
date_diff('month', d, DATE '2024-03-01')
date_diff('year', d, DATE '2024-03-01')
d - DATE '2024-01-01'
ts - TIMESTAMP '2024-01-01 00:00:00'
ts AT TIME ZONE 'America/New_York'
at_timezone(CAST(ts AS timestamp with time zone), 'America/New_York')
with_timezone(ts, 'Europe/Berlin')
current_timezone()
year_of_week(d)
yow(d)
millisecond(ts)
extract(epoch FROM ts)
timezone_hour(CAST(ts AS timestamp with time zone))
TIMESTAMP '2024-01-01 00:00:00 UTC'
INTERVAL '1' DAY
interval '2' day * 3
truncate(x)
truncate(m, 1)
log10(x)
log(2, 8)
log2(8)
cbrt(27)
pi()
rand() < 2
width_bucket(x, 0, 10, 5)
bitwise_and(i, 3)
from_base('ff', 16)
to_base(255, 16)
is_nan(nan())
infinity()
m / 3
1.0 / 3
100.0 * 1 / 3
10 / 4.0
m % 3
round(m, 1)
round(m)
ceil(m)
floor(m)
avg(m) OVER ()
x % 2
5.5 % 2
greatest(x, nan())
typeof(1.5)
uuid() IS NOT NULL
i BETWEEN 7 AND -7
i BETWEEN SYMMETRIC 7 AND -7
i::varchar
t ~ 'a'
i // 2
i != 7
i <> 7
i == 7
t ILIKE 'a%'
t GLOB 'a*'
t SIMILAR TO 'a%'
[1,2]
{'a': 1}
strftime(ts, '%Y')
len(t)
list_value(1)
ifnull(i, 0)
nvl(i, 0)
datediff('day', d, d)
dayofweek(d)
dayofyear(d)
weekday(d)
isodow(d)
left(t, 2)
right(t, 2)
instr(t, 'p')
charindex('p', t)
string_agg(t, ',')
epoch(ts)
to_char(ts, 'YYYY')
now() IS NOT NULL
current_date > DATE '2000-01-01'
current_timestamp IS NOT NULL
localtimestamp IS NOT NULL
date_add('day', 1, '2024-01-01')
date_add('day', 1.5, d)
substr(t, -3)
substr(t, 0)
substr(t, 2, -1)
length(CAST('ab' AS char(5)))
replace('aaa', 'a', NULL)
format('%.2f', x)
format('%,d', i)
format('%s', x)
format('%s', d)
format('%10s|', t)
format('%-10s|', t)
format('%x', i)
count(*) + 1
hash(t)
xxhash64(to_utf8(t))
normalize('é', NFD)
translate(t, 'ap', 'xy')
soundex(t)
word_stem('apples')
hamming_distance('ab', 'ac')
