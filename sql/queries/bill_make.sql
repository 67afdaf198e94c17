-- Where a provider's bill is put to be compared; gone with the connection.
CREATE TEMPORARY TABLE bill_lines (request text, id text NOT NULL, amount numeric NOT NULL, at timestamptz);
CREATE TEMPORARY TABLE bill_ends (request text, id text NOT NULL, delivered boolean NOT NULL);
