#include "models.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "ensure.h"

#define MAX_FILE ((size_t)1024 * 1024)

const char models_format[] =
	"  One line a model, prices in USD per million tokens; '#' starts a comment:\n"
	"    openai NAME snapshot=SNAPSHOT window=TOKENS in= read= out= [write=]\n"
	"           batch_in= batch_read= batch_out= [reasoning] [above=TOKENS above_in=% "
	"above_out=%]\n"
	"    anthropic NAME snapshot=… window= cache_min= in= read= write= write_1h= out= "
	"[no_sampling]\n"
	"  Batch prices not given are half of the others.\n";

/* Read from the providers' price pages; USD per million tokens. */
static const char built_in[] =
	"openai gpt-4o snapshot=gpt-4o-2024-08-06 window=128000 in=2.5 read=1.25 out=10"
	" batch_read=1.25\n"
	"openai gpt-4o-mini snapshot=gpt-4o-mini-2024-07-18 window=128000 in=0.15 read=0.075 "
	"out=0.6"
	" batch_read=0.075\n"
	"openai gpt-4.1 snapshot=gpt-4.1-2025-04-14 window=1047576 in=2 read=0.5 out=8 "
	"batch_read=1\n"
	"openai gpt-4.1-mini snapshot=gpt-4.1-mini-2025-04-14 window=1047576 in=0.4 read=0.1 "
	"out=1.6"
	" batch_read=0.2\n"
	"openai gpt-5 snapshot=gpt-5-2025-08-07 window=400000 in=1.25 read=0.125 out=10 reasoning\n"
	"openai gpt-5-mini snapshot=gpt-5-mini-2025-08-07 window=400000 in=0.25 read=0.025 out=2"
	" reasoning\n"
	"openai gpt-5-nano snapshot=gpt-5-nano-2025-08-07 window=400000 in=0.05 read=0.005 out=0.4"
	" reasoning\n"
	"openai gpt-5.4 snapshot=gpt-5.4 window=1050000 in=2.5 read=0.25 out=15 batch_read=0.13"
	" reasoning above=272000 above_in=200 above_out=150\n"
	"openai gpt-5.4-mini snapshot=gpt-5.4-mini window=400000 in=0.75 read=0.075 out=4.5"
	" reasoning\n"
	"openai gpt-5.5 snapshot=gpt-5.5 window=1050000 in=5 read=0.5 out=30 reasoning"
	" above=272000 above_in=200 above_out=150\n"
	"openai gpt-5.6-sol snapshot=gpt-5.6-sol window=1050000 in=5 read=0.5 write=6.25 out=30"
	" reasoning above=272000 above_in=200 above_out=150\n"
	"openai gpt-5.6-terra snapshot=gpt-5.6-terra window=1050000 in=2 read=0.2 write=2.5 out=12"
	" reasoning above=272000 above_in=200 above_out=150\n"
	"openai gpt-5.6-luna snapshot=gpt-5.6-luna window=1050000 in=0.2 read=0.02 write=0.25 "
	"out=1.2"
	" reasoning above=272000 above_in=200 above_out=150\n"
	"anthropic claude-3-5-haiku snapshot=claude-3-5-haiku-20241022 window=200000 cache_min=2048"
	" in=0.8 read=0.08 write=1 write_1h=1.6 out=4\n"
	"anthropic claude-3-5-sonnet snapshot=claude-3-5-sonnet-20241022 window=200000"
	" in=3 read=0.3 write=3.75 write_1h=6 out=15\n"
	"anthropic claude-haiku-4-5 snapshot=claude-haiku-4-5-20251001 window=200000 cache_min=4096"
	" in=1 read=0.1 write=1.25 write_1h=2 out=5\n"
	"anthropic claude-sonnet-4-5 snapshot=claude-sonnet-4-5-20250929 window=200000"
	" in=3 read=0.3 write=3.75 write_1h=6 out=15\n"
	"anthropic claude-sonnet-4-6 snapshot=claude-sonnet-4-6 window=1000000"
	" in=3 read=0.3 write=3.75 write_1h=6 out=15\n"
	"anthropic claude-sonnet-5 snapshot=claude-sonnet-5 window=1000000"
	" in=2 read=0.2 write=2.5 write_1h=4 out=10 no_sampling\n"
	"anthropic claude-opus-4-8 snapshot=claude-opus-4-8 window=1000000"
	" in=5 read=0.5 write=6.25 write_1h=10 out=25 no_sampling\n"
	"anthropic claude-opus-5 snapshot=claude-opus-5 window=1000000 cache_min=512"
	" in=5 read=0.5 write=6.25 write_1h=10 out=25 no_sampling\n";

struct models {
	struct model *list;
	size_t count;
};

const char *maker_name(enum maker maker)
{
	return maker == OPENAI ? "openai" : "anthropic";
}

const char *bill_mode_name(enum bill_mode mode)
{
	return mode == BILL_SYNC ? "sync" : mode == BILL_FLEX ? "flex" : "batch";
}

/* USD per million tokens, at most six decimals, to pico-dollars a token: exact. */
static bool read_price(const char *text, int64_t *pico_per_token)
{
	int64_t value = 0, unit = 1000000;
	bool fraction = false;

	for (const char *p = text; *p; p++) {
		if (*p == '.' && !fraction) {
			fraction = true;
			continue;
		}
		if (*p < '0' || *p > '9' || value > 1000000000 || (fraction && unit == 1))
			return false;
		value = value * 10 + (*p - '0');
		unit /= fraction ? 10 : 1;
	}
	*pico_per_token = value * unit;
	return *text != '\0';
}

static bool read_count(const char *text, int64_t *value)
{
	char *end;

	*value = strtoll(text, &end, 10);
	return end != text && *end == '\0' && *value >= 0;
}

static bool read_setting(struct model *model, const char *name, const char *value,
			 struct error *err)
{
	static const char *const prices[2][TOKEN_CLASSES] = {
		{"in", "read", "write", "write_1h", "out"},
		{"batch_in", "batch_read", "batch_write", "batch_write_1h", "batch_out"},
	};
	const struct {
		const char *name;
		int64_t *value;
	} counts[] = {{"window", &model->window},
		      {"cache_min", &model->cache_min},
		      {"above", &model->above},
		      {"above_in", &model->above_input_percent},
		      {"above_out", &model->above_output_percent}};

	for (size_t i = 0; i < 2 * TOKEN_CLASSES; i++)
		if (strcmp(name, prices[i / TOKEN_CLASSES][i % TOKEN_CLASSES]) == 0)
			return read_price(value,
					  &model->price[i / TOKEN_CLASSES][i % TOKEN_CLASSES])
				       ? true
				       : error_set(err, ERROR_FATAL, "%s=%s is no price", name,
						   value);
	for (size_t i = 0; i < COUNT_OF(counts); i++)
		if (strcmp(name, counts[i].name) == 0)
			return read_count(value, counts[i].value)
				       ? true
				       : error_set(err, ERROR_FATAL, "%s=%s is no count", name,
						   value);
	if (strcmp(name, "snapshot") != 0)
		return error_set(err, ERROR_FATAL, "there is no setting \"%s\"", name);
	snprintf(model->snapshot, sizeof(model->snapshot), "%s", value);
	return true;
}

static bool read_word(struct model *model, char *word, struct error *err)
{
	char *equals = strchr(word, '=');

	if (equals) {
		*equals = '\0';
		return read_setting(model, word, equals + 1, err);
	}
	if (strcmp(word, "reasoning") == 0)
		model->reasoning = true;
	else if (strcmp(word, "no_sampling") == 0)
		model->no_sampling = true;
	else
		return error_set(err, ERROR_FATAL, "there is no flag \"%s\"", word);
	return true;
}

static bool read_model(char *line, struct model *model, struct error *err)
{
	char *rest, *maker = strtok_r(line, " \t\r", &rest);
	char *name = strtok_r(NULL, " \t\r", &rest);

	*model = (struct model){.window = 128000, .cache_min = 1024};
	for (int class = 0; class < TOKEN_CLASSES; class ++)
		model->price[1][class] = -1;
	if (!name || (strcmp(maker, "openai") != 0 && strcmp(maker, "anthropic") != 0))
		return error_set(err, ERROR_FATAL, "a model starts with openai|anthropic NAME");
	model->maker = strcmp(maker, "openai") == 0 ? OPENAI : ANTHROPIC;
	snprintf(model->name, sizeof(model->name), "%s", name);
	snprintf(model->snapshot, sizeof(model->snapshot), "%s", name);
	for (char *word; (word = strtok_r(NULL, " \t\r", &rest)) != NULL;)
		if (!read_word(model, word, err))
			return error_wrap(err, "%s", model->name);
	model->writes_cost = model->maker == OPENAI && model->price[0][TOKEN_CACHE_WRITE] > 0;
	for (int class = 0; class < TOKEN_CLASSES; class ++)
		if (model->price[1][class] < 0)
			model->price[1][class] = model->price[0][class] / 2;
	return true;
}

static bool read_table(struct models *models, char *text, struct error *err)
{
	char *rest, *line;
	int number = 0;

	for (line = text; line; line = rest) {
		rest = strchr(line, '\n');
		if (rest)
			*rest++ = '\0';
		number++;
		line[strcspn(line, "#")] = '\0';
		if (line[strspn(line, " \t\r")] == '\0')
			continue;
		models->list = xrealloc(models->list, (models->count + 1) * sizeof(*models->list));
		if (!read_model(line, &models->list[models->count], err))
			return error_wrap(err, "line %d", number);
		models->count++;
	}
	return true;
}

static char *read_file(const char *path, struct error *err)
{
	struct buffer text = {.max = MAX_FILE};
	FILE *file = fopen(path, "re");
	char bytes[4096];
	size_t n;

	if (!file) {
		error_set(err, ERROR_FATAL, "can't read %s: %s", path, strerror(errno));
		return NULL;
	}
	while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0 && buffer_append(&text, bytes, n))
		;
	fclose(file);
	return buffer_take(&text);
}

struct models *models_create(const char *path, struct error *err)
{
	AUTO(models_destroy) struct models *models = xcalloc(1, sizeof(*models));
	AUTO(xfree) char *text = path ? read_file(path, err) : xstrdup(built_in);

	if (!text)
		return NULL;
	if (!read_table(models, text, err)) {
		error_wrap(err, "prices %s", path ? path : "(built in)");
		return NULL;
	}
	return TAKE(models);
}

void models_destroy(struct models *models)
{
	if (!models)
		return;
	free(models->list);
	free(models);
}

size_t models_count(const struct models *models)
{
	return models->count;
}

const struct model *models_at(const struct models *models, size_t i)
{
	return &models->list[i];
}

const struct model *models_find(const struct models *models, enum maker maker, const char *name)
{
	for (size_t i = 0; i < models->count; i++) {
		const struct model *model = &models->list[i];

		if (model->maker == maker &&
		    (strcmp(model->name, name) == 0 || strcmp(model->snapshot, name) == 0))
			return model;
	}
	return NULL;
}

int64_t tokens_prompt(const struct tokens *tokens)
{
	int64_t sum = 0;

	for (int class = 0; class < TOKEN_OUTPUT; class ++)
		sum += tokens->of[class];
	return sum;
}

int64_t model_bill(const struct model *model, const struct tokens *tokens, enum bill_mode mode)
{
	bool longer = model->above > 0 && tokens_prompt(tokens) > model->above;
	int64_t sum = 0;

	for (int class = 0; class < TOKEN_CLASSES; class ++) {
		int64_t price = model->price[mode != BILL_SYNC][class];

		if (longer)
			price = price *
				(class == TOKEN_OUTPUT ? model->above_output_percent
						       : model->above_input_percent) /
				100;
		sum += tokens->of[class] * price;
	}
	return sum;
}
