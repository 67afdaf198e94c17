-- Jobs that shared one call share its cost: rows of this kind move money between them and sum to nothing for each attempt.
ALTER TYPE ledger_kind ADD VALUE 'share';
