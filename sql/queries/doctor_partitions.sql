-- Whether tomorrow has somewhere to go.
SELECT (to_regclass('payloads' || to_char(today() + 1, '_YYYYMMDD')) IS NOT NULL
	AND to_regclass('ledger' || to_char(today() + 1, '_YYYYMM')) IS NOT NULL)::text AS ready
