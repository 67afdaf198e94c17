-- What the sweep had to put right within a day.
SELECT kind AS repair, sum(count)::text AS "times#", to_char(max(hour), 'YYYY-MM-DD HH24:00') AS "last in the hour of"
FROM repairs WHERE hour >= now() - interval '1 day' GROUP BY kind ORDER BY sum(count) DESC, 1
