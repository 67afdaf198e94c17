#include "latency.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MOST_MS 3600000.0

bool latency_parse(struct latency *latency, const char *text, struct error *err)
{
	struct latency l = {.shape = LATENCY_FIXED};
	bool read;

	if (sscanf(text, "uniform:%lf,%lf", &l.a, &l.b) == 2)
		l.shape = LATENCY_UNIFORM, read = l.b >= l.a;
	else if (sscanf(text, "lognormal:%lf,%lf", &l.a, &l.b) == 2)
		l.shape = LATENCY_LOGNORMAL, read = l.a > 0 && l.b >= l.a;
	else
		read = sscanf(text, "fixed:%lf", &l.a) == 1 || sscanf(text, "%lf", &l.a) == 1;
	if (!read || !(l.a >= 0) || l.a > MOST_MS || l.b > MOST_MS)
		return error_set(err, ERROR_FATAL,
				 "latency \"%s\" is not fixed:MS, uniform:MS,MS or "
				 "lognormal:MEDIAN,P99",
				 text);
	*latency = l;
	return true;
}

nsec latency_draw(const struct latency *latency, struct dice *dice)
{
	double ms = latency->a;

	if (latency->shape == LATENCY_UNIFORM)
		ms += (latency->b - latency->a) * dice_unit(dice);
	else if (latency->shape == LATENCY_LOGNORMAL)
		ms *= exp(log(latency->b / latency->a) / 2.3263 * dice_normal(dice));
	return (nsec)((ms < MOST_MS ? ms : MOST_MS) * 1e6);
}
