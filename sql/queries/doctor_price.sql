-- Whether a model has a price, by its name or the name without a date. $1 provider, $2 model
SELECT EXISTS (SELECT FROM prices WHERE provider = $1 AND effective_from <= now() AND (model = $2 OR $2 LIKE model || '-%')) AS priced
