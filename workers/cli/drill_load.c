#include "drill_load.h"

#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "sender.h"

/* What sends them. */
struct load_work {
	const struct config *config;
	struct job_reader *reader;
	struct sender *sender;
	json_t *defaults; /* of the scene's jobs */
	size_t lost;
	uint64_t serial;
	nsec every;
	nsec next;
	size_t turn;
};

static void told(void *context, const struct sent *sent)
{
	struct load *load = context;

	load->work->lost += sent->error != NULL;
}

struct load *load_create(const struct config *config, int64_t jobs_per_minute, struct error *err)
{
	AUTO(load_destroy) struct load *load = xcalloc(1, sizeof(*load));
	struct load_work *work = load->work = xcalloc(1, sizeof(*work));

	work->config = config;
	work->every = 60 * NSEC_PER_SEC / (nsec)jobs_per_minute;
	work->reader = job_reader_create(config->kafka.max_message_bytes);
	work->sender = sender_create(&config->kafka, told, load, err);
	return work->sender ? TAKE(load) : NULL;
}

static void forget_crowds(struct load *load)
{
	for (size_t i = 0; i < load->crowd_count; i++)
		for (int part = 0; part < LOAD_PARTS; part++)
			ids_finish(&load->crowds[i].parts[part]);
	load->crowd_count = 0;
}

void load_destroy(struct load *load)
{
	if (!load)
		return;
	forget_crowds(load);
	sender_destroy(load->work->sender);
	job_reader_destroy(load->work->reader);
	json_decref(load->work->defaults);
	free(load->work);
	free(load);
}

void load_begin(struct load *load, const struct drill_scene *scene, nsec now)
{
	forget_crowds(load);
	for (size_t i = 0; i < scene->task_count; i++)
		load->crowds[load->crowd_count++] = (struct crowd){.task = scene->tasks[i]};
	load->part = LOAD_CALM;
	load->work->next = now;
	json_decref(load->work->defaults);
	load->work->defaults = json_pack("{s:i, s:s, s:s, s:s, s:{s:s, s:s}}", "version", 1,
					 "business_unit", "drill", "feature", "drill",
					 "environment", "drill", "routing", "tier",
					 scene->tier->name, "lane", "normal");
	ENSURE(load->work->defaults);
}

/* No two prompts are alike, so that no answer comes from a cache. */
static char *line_of(struct load_work *work, const struct crowd *crowd)
{
	char id[UUID_TEXT];
	struct uuid salt = uuid_make();
	json_auto_t *job = json_object();
	json_t *message;
	AUTO(xfree)
	char *text = xasprintf("Is this spam? Drill message %llu of %s",
			       (unsigned long long)++work->serial, uuid_format(id, &salt));

	message = json_pack("{s:s, s:s}", "role", "user", "content", text);
	if (*crowd->task->name)
		json_object_set_new(job, "task", json_string(crowd->task->name));
	json_object_set_new(job, "prompt", json_pack("{s:[o]}", "messages", message));
	return json_write(job);
}

static bool send_one(struct load *load, struct crowd *crowd, struct error *err)
{
	struct load_work *work = load->work;
	AUTO(xfree) char *line = line_of(work, crowd);
	struct envelope_rules rules = {
		.config = work->config, .reader = work->reader, .defaults = work->defaults};
	struct parcel parcel;
	bool sent = envelope_pack(&rules, line, strlen(line), clock_wall(), &parcel, err) &&
		    sender_send(work->sender, &parcel, (size_t)work->serial, err);

	if (sent)
		ids_add(&crowd->parts[load->part], &parcel.id);
	parcel_finish(&parcel);
	return sent;
}

bool load_run(struct load *load, nsec now, struct error *err)
{
	struct load_work *work = load->work;

	for (; work->next <= now; work->next += work->every)
		if (!send_one(load, &load->crowds[work->turn++ % load->crowd_count], err))
			return error_wrap(err, "send a job of the drill");
	return work->lost == 0 ||
	       error_set(err, ERROR_RETRY, "Kafka has not taken %zu jobs of the drill", work->lost);
}

bool load_flush(struct load *load, struct error *err)
{
	return sender_finish(load->work->sender, err);
}
