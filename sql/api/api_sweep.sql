-- What nobody can see any more. $1: pieces of uploads that never ended are older than this id
SELECT api_sweep($1) AS gone
