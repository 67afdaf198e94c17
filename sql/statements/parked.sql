-- How many jobs of each business unit wait for a budget, a breaker or their unit's share, the most first.
SELECT business_unit, count(*) AS jobs FROM jobs WHERE state = 'PARKED' AND reason IN ('budget', 'breaker', 'share') GROUP BY business_unit ORDER BY 2 DESC LIMIT 10000
