-- What keys may use now. $1 key ids, $2 units, $3 used already, $4 least of use, $5 most
SELECT place, granted, level FROM key_turn($1, $2, $3, $4, $5)
