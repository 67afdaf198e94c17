-- The tables of the one protocol: a job is in Kafka until it is claimed, from then on it is a row.
-- Everything lives in the schema "sluice"; migrations run with it as the search path.

CREATE TYPE job_state AS ENUM ('CLAIMED', 'BATCHED', 'PARKED', 'QUEUED', 'DONE', 'DEAD', 'CANCELLED');
CREATE TYPE attempt_state AS ENUM ('sent', 'unknown', 'closed', 'throttled');
CREATE TYPE lane AS ENUM ('express', 'normal', 'batch');
CREATE TYPE ledger_kind AS ENUM ('charge', 'unknown', 'adjustment');

-- Narrow on purpose (about 180 bytes) and written about twice on the happy path.
CREATE TABLE jobs (
	job_id           uuid PRIMARY KEY,
	state            job_state NOT NULL,
	run              integer NOT NULL,
	hop              integer NOT NULL,
	epoch            integer NOT NULL,
	crash_count      smallint NOT NULL DEFAULT 0,
	cancel_requested boolean NOT NULL DEFAULT false,
	day              date NOT NULL,
	lane             lane NOT NULL,
	due              timestamptz,
	created_at       timestamptz NOT NULL DEFAULT now(),
	changed_at       timestamptz NOT NULL DEFAULT now(),
	owner            uuid,
	claim_id         uuid,
	fingerprint      bytea NOT NULL,
	tier             text NOT NULL,
	business_unit    text NOT NULL,
	reason           text,
	progress         text,
	CHECK (state <> 'PARKED' OR (reason IS NOT NULL AND due IS NOT NULL)),
	CHECK (state <> 'CLAIMED' OR owner IS NOT NULL)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.2,
	autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX jobs_parked ON jobs (tier, lane, due) WHERE state = 'PARKED';
CREATE INDEX jobs_claimed ON jobs (owner) WHERE state = 'CLAIMED';
COMMENT ON TABLE jobs IS 'One row per job from its claim on; terminal states never change within a run.';
COMMENT ON COLUMN jobs.epoch IS 'Raised at every claim or take-over; a decision made under an older epoch hits no row.';
COMMENT ON COLUMN jobs.day IS 'UTC day of the first claim: the partition that holds payload and result.';
COMMENT ON COLUMN jobs.progress IS 'What the cascade must remember across hops and parks, as JSON; NULL on the happy path.';
COMMENT ON COLUMN jobs.reason IS 'Why a PARKED job waits, or why a DEAD one died: a code.';

-- What a finished job leaves behind after retention, longer than any topic keeps its message.
CREATE TABLE tombstones (
	job_id      uuid PRIMARY KEY,
	run         integer NOT NULL,
	hop         integer NOT NULL,
	state       job_state NOT NULL,
	fingerprint bytea NOT NULL,
	buried_at   timestamptz NOT NULL DEFAULT now()
);

-- The message as it came, with the tags that money is booked under.
CREATE TABLE payloads (
	day            date NOT NULL,
	job_id         uuid NOT NULL,
	free_plan      boolean NOT NULL,
	business_unit  text NOT NULL,
	feature        text NOT NULL,
	environment    text NOT NULL,
	usage_tier     text NOT NULL,
	user_name      text NOT NULL,
	task           text NOT NULL,
	prompt_name    text NOT NULL,
	prompt_version text NOT NULL,
	headers        text,
	body           bytea COMPRESSION lz4 NOT NULL,
	PRIMARY KEY (day, job_id)
) PARTITION BY RANGE (day);

-- One provider call, or one line of a provider's batch. The row commits before the request leaves.
CREATE TABLE attempts (
	day            date NOT NULL,
	attempt_id     uuid NOT NULL,
	job_id         uuid NOT NULL,
	run            integer NOT NULL,
	hop            integer NOT NULL,
	epoch          integer NOT NULL,
	state          attempt_state NOT NULL DEFAULT 'sent',
	lane           lane NOT NULL,
	worker_id      uuid NOT NULL,
	batch_id       uuid,
	lease_id       uuid,
	sent_at        timestamptz NOT NULL DEFAULT now(),
	closed_at      timestamptz,
	bound          bigint,
	ttfb_ms        integer,
	total_ms       integer,
	status         integer,
	confidence     real,
	provider       text NOT NULL,
	model          text NOT NULL,
	credential     text NOT NULL,
	tier           text NOT NULL,
	mode           text NOT NULL,
	answered_model text,
	reply          text,
	verdict        text,
	signature      text,
	request_id     text,
	error          text,
	PRIMARY KEY (day, attempt_id)
) PARTITION BY RANGE (day);
CREATE INDEX attempts_job ON attempts (job_id);
COMMENT ON COLUMN attempts.bound IS 'The most this call can cost, in pico-dollars; NULL: unpriced.';

CREATE TABLE results (
	day            date NOT NULL,
	job_id         uuid NOT NULL,
	run            integer NOT NULL,
	outcome        job_state NOT NULL,
	degraded       boolean NOT NULL DEFAULT false,
	unmeasured     boolean NOT NULL DEFAULT false,
	is_json        boolean NOT NULL DEFAULT false,
	attempts       smallint NOT NULL DEFAULT 0,
	confidence     real,
	cost           bigint,
	finished_at    timestamptz NOT NULL DEFAULT now(),
	reason         text NOT NULL,
	tier           text,
	provider       text,
	model          text,
	detail         text,
	output         bytea COMPRESSION lz4,
	PRIMARY KEY (day, job_id, run)
) PARTITION BY RANGE (day);
COMMENT ON COLUMN results.cost IS 'What this run cost as far as it is known, in pico-dollars.';

-- Append-only. Partitioned by the month of the intent, so that a late adjustment lands beside its charge.
CREATE TABLE ledger (
	month          date NOT NULL,
	attempt_id     uuid NOT NULL,
	kind           ledger_kind NOT NULL,
	seq            smallint NOT NULL DEFAULT 0,
	job_id         uuid NOT NULL,
	run            integer NOT NULL,
	hop            integer NOT NULL,
	at             timestamptz NOT NULL DEFAULT now(),
	sent_at        timestamptz NOT NULL,
	amount         numeric,
	input          bigint NOT NULL DEFAULT 0,
	cache_read     bigint NOT NULL DEFAULT 0,
	cache_write    bigint NOT NULL DEFAULT 0,
	cache_write_1h bigint NOT NULL DEFAULT 0,
	output         bigint NOT NULL DEFAULT 0,
	reasoning      bigint NOT NULL DEFAULT 0,
	cache_saving   numeric,
	free_plan      boolean NOT NULL,
	lane           lane NOT NULL,
	business_unit  text NOT NULL,
	feature        text NOT NULL,
	environment    text NOT NULL,
	usage_tier     text NOT NULL,
	user_name      text NOT NULL,
	task           text NOT NULL,
	prompt_name    text NOT NULL,
	prompt_version text NOT NULL,
	provider       text NOT NULL,
	model          text NOT NULL,
	credential     text NOT NULL,
	tier           text NOT NULL,
	mode           text NOT NULL,
	purpose        text NOT NULL,
	PRIMARY KEY (month, attempt_id, kind, seq)
) PARTITION BY RANGE (month);
CREATE INDEX ledger_sent ON ledger (sent_at);
CREATE INDEX ledger_job ON ledger (job_id);
COMMENT ON TABLE ledger IS 'Every fraction of a cent: a charge per billed answer, an unknown per lost one, adjustments to either.';
COMMENT ON COLUMN ledger.amount IS 'Pico-dollars (10^-12 USD); NULL: no price is known for the model, never 0.';
COMMENT ON COLUMN ledger.purpose IS 'What the money bought: accepted, or why it bought nothing (repair, escalate, refused, late, unknown …).';

-- Sums by hour. Settle appends deltas, the sweep folds them, views add what is not folded yet.
CREATE TABLE rollups (
	hour           timestamptz NOT NULL,
	business_unit  text NOT NULL,
	feature        text NOT NULL,
	environment    text NOT NULL,
	usage_tier     text NOT NULL,
	task           text NOT NULL,
	provider       text NOT NULL,
	model          text NOT NULL,
	tier           text NOT NULL,
	lane           lane NOT NULL,
	kind           ledger_kind NOT NULL,
	purpose        text NOT NULL,
	calls          bigint NOT NULL,
	unpriced       bigint NOT NULL,
	amount         numeric NOT NULL,
	input          bigint NOT NULL,
	cache_read     bigint NOT NULL,
	cache_write    bigint NOT NULL,
	output         bigint NOT NULL,
	PRIMARY KEY (hour, business_unit, feature, environment, usage_tier, task, provider, model, tier, lane, kind, purpose)
) WITH (fillfactor = 80);
CREATE TABLE rollup_deltas (
	delta_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	LIKE rollups
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);

-- What is owed to the outside: one row per debt and destination, deleted when it is delivered.
CREATE TABLE outbox (
	event_id   uuid PRIMARY KEY,
	job_id     uuid NOT NULL,
	next_try   timestamptz NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	tries      integer NOT NULL DEFAULT 0,
	kind       text NOT NULL,
	topic      text NOT NULL,
	key        text NOT NULL,
	headers    text NOT NULL DEFAULT '',
	body       bytea COMPRESSION lz4 NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX outbox_due ON outbox (next_try);
COMMENT ON COLUMN outbox.kind IS 'result, dead, reply, move, webhook or reject.';

-- Messages that are no job: their bytes, and why. Their dead letter is in the outbox.
CREATE TABLE rejects (
	topic        text NOT NULL,
	partition_no integer NOT NULL,
	offset_no    bigint NOT NULL,
	at           timestamptz NOT NULL DEFAULT now(),
	job_id       uuid,
	reason       text NOT NULL,
	detail       text NOT NULL,
	body         bytea COMPRESSION lz4 NOT NULL,
	PRIMARY KEY (topic, partition_no, offset_no)
);

CREATE TABLE workers (
	worker_id  uuid PRIMARY KEY,
	host       text NOT NULL,
	pid        integer NOT NULL,
	version    text NOT NULL,
	role       text NOT NULL,
	started_at timestamptz NOT NULL DEFAULT now(),
	beat_at    timestamptz NOT NULL DEFAULT now(),
	stopping   boolean NOT NULL DEFAULT false,
	ended_at   timestamptz,
	in_flight  integer NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- How often each kind of repair was needed; watched, because it should be rare.
CREATE TABLE repairs (
	hour  timestamptz NOT NULL,
	kind  text NOT NULL,
	count bigint NOT NULL,
	PRIMARY KEY (hour, kind)
);

CREATE TABLE prices (
	provider            text NOT NULL,
	model               text NOT NULL,
	mode                text NOT NULL CHECK (mode IN ('sync', 'batch', 'flex', 'priority')),
	effective_from      timestamptz NOT NULL,
	input               numeric NOT NULL,
	cache_read          numeric NOT NULL,
	cache_write         numeric NOT NULL,
	cache_write_1h      numeric NOT NULL,
	output              numeric NOT NULL,
	long_prompt         bigint,
	long_input          numeric,
	long_cache_read     numeric,
	long_cache_write    numeric,
	long_cache_write_1h numeric,
	long_output         numeric,
	source              text NOT NULL,
	PRIMARY KEY (provider, model, mode, effective_from)
);
COMMENT ON TABLE prices IS 'Pico-dollars per token of each class, effective-dated; a model without a row is unpriced.';
