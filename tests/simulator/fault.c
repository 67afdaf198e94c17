#include "fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	enum fault_stage stage;
	const char *what;
} faults[] = {
#define FAULT(constant, name, stage, what) {name, STAGE_##stage, what},
	FAULTS(FAULT)
#undef FAULT
};

const char *fault_name(enum fault fault)
{
	return faults[fault].name;
}

enum fault_stage fault_stage(enum fault fault)
{
	return faults[fault].stage;
}

bool fault_parse(const char *name, size_t len, enum fault *fault)
{
	for (size_t i = 0; i < COUNT_OF(faults); i++)
		if (strlen(faults[i].name) == len && memcmp(faults[i].name, name, len) == 0) {
			*fault = (enum fault)i;
			return true;
		}
	return false;
}

const char *fault_help(void)
{
	static char text[8192];
	size_t len = 0;

	if (text[0])
		return text;
	for (size_t i = 1; i < COUNT_OF(faults); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "    %-20s %s\n",
					faults[i].name, faults[i].what);
	return text;
}

static bool add_rule(struct fault_plan *plan, const char *name, size_t name_len, double rate,
		     const char *scope, struct error *err)
{
	struct fault_rule *rule = &plan->rules[plan->count];

	if (plan->count == FAULT_MAX_RULES)
		return error_set(err, ERROR_REJECT, "more than %d fault rules", FAULT_MAX_RULES);
	*rule = (struct fault_rule){.rate = rate};
	if (!fault_parse(name, name_len, &rule->fault))
		return error_set(err, ERROR_REJECT, "there is no fault \"%.*s\"; see --help",
				 (int)name_len, name);
	if (!(rate >= 0 && rate <= 1))
		return error_set(err, ERROR_REJECT, "the rate of %.*s is not between 0 and 1",
				 (int)name_len, name);
	snprintf(rule->scope, sizeof(rule->scope), "%s", scope);
	plan->count++;
	return true;
}

bool fault_plan_add(struct fault_plan *plan, const char *text, struct error *err)
{
	for (const char *p = text; *p;) {
		size_t len = strcspn(p, ","), name_len = strcspn(p, "@=,");
		const char *equals = memchr(p, '=', len);
		char scope[96] = "", *end;
		double rate;

		if (!equals)
			return error_set(err, ERROR_REJECT, "\"%.*s\" is not NAME[@SCOPE]=RATE",
					 (int)len, p);
		if (p[name_len] == '@')
			snprintf(scope, sizeof(scope), "%.*s",
				 (int)(equals - p - 1 - (long)name_len), p + name_len + 1);
		rate = strtod(equals + 1, &end);
		if (end == equals + 1 || end != p + len)
			return error_set(err, ERROR_REJECT, "\"%.*s\" has no rate", (int)len, p);
		if (!add_rule(plan, p, name_len, rate, scope, err))
			return false;
		p += len + (p[len] == ',');
	}
	return true;
}

static bool add_scheduled(struct fault_plan *plan, const char *line, struct error *err)
{
	char to[32], name[64], scope[96] = "";
	double from, rate;

	if (sscanf(line, "%lf %31s %63s %lf %95s", &from, to, name, &rate, scope) < 4 || from < 0)
		return error_set(err, ERROR_REJECT, "\"%s\" is not FROM TO NAME RATE [SCOPE]",
				 line);
	if (!add_rule(plan, name, strlen(name), rate, scope, err))
		return false;
	plan->rules[plan->count - 1].from = (nsec)(from * 1e9);
	plan->rules[plan->count - 1].to = strcmp(to, "-") == 0 ? 0 : (nsec)(atof(to) * 1e9);
	return true;
}

bool fault_plan_schedule(struct fault_plan *plan, const char *text, struct error *err)
{
	int number = 1;

	for (const char *p = text; *p; number++) {
		size_t len = strcspn(p, "\n");
		char line[256];

		snprintf(line, sizeof(line), "%.*s", (int)len, p);
		line[strcspn(line, "#\r")] = '\0';
		if (line[strspn(line, " \t")] != '\0' && !add_scheduled(plan, line, err))
			return error_wrap(err, "schedule line %d", number);
		p += len + (p[len] == '\n');
	}
	return true;
}

static bool in_scope(const struct fault_rule *rule, const char *const *scopes, size_t count)
{
	if (rule->scope[0] == '\0')
		return true;
	for (size_t i = 0; i < count; i++)
		if (strcmp(rule->scope, scopes[i]) == 0)
			return true;
	return false;
}

static bool in_force(const struct fault_rule *rule, nsec elapsed)
{
	return elapsed >= rule->from && (rule->to == 0 || elapsed < rule->to);
}

enum fault fault_plan_draw(const struct fault_plan *plan, nsec elapsed, const char *const *scopes,
			   size_t scope_count, struct dice *dice)
{
	double chance = dice_unit(dice);

	for (size_t i = 0; i < plan->count; i++) {
		const struct fault_rule *rule = &plan->rules[i];

		if (fault_stage(rule->fault) == STAGE_BATCH || !in_force(rule, elapsed) ||
		    !in_scope(rule, scopes, scope_count))
			continue;
		if (chance < rule->rate)
			return rule->fault;
		chance -= rule->rate;
	}
	return FAULT_NONE;
}

enum fault fault_plan_draw_in(const struct fault_plan *plan, nsec elapsed, const char *scope,
			      struct dice *dice)
{
	double chance = dice_unit(dice);

	for (size_t i = 0; i < plan->count; i++) {
		const struct fault_rule *rule = &plan->rules[i];

		if (fault_stage(rule->fault) == STAGE_BATCH || strcmp(rule->scope, scope) != 0 ||
		    !in_force(rule, elapsed))
			continue;
		if (chance < rule->rate)
			return rule->fault;
		chance -= rule->rate;
	}
	return FAULT_NONE;
}

bool fault_plan_strikes(const struct fault_plan *plan, enum fault fault, nsec elapsed,
			const char *const *scopes, size_t scope_count, struct dice *dice)
{
	double chance = dice_unit(dice);

	for (size_t i = 0; i < plan->count; i++) {
		const struct fault_rule *rule = &plan->rules[i];

		if (rule->fault != fault || !in_force(rule, elapsed) ||
		    !in_scope(rule, scopes, scope_count))
			continue;
		if (chance < rule->rate)
			return true;
		chance -= rule->rate;
	}
	return false;
}
