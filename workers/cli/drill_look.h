/*
 * What a drill sees of the fleet in Postgres: where calls went, how jobs stand,
 * which breakers are open. All false or NULL with err when Postgres does not answer.
 */
#ifndef SLUICE_CLI_DRILL_LOOK_H
#define SLUICE_CLI_DRILL_LOOK_H

#include "drill_load.h"
#include "drill_play.h"

/* Where calls of some jobs went. */
struct answers {
	int64_t there, elsewhere;      /* answered by candidates that the outage is at, by others */
	int64_t calls_there;	       /* that ended, however */
	nsec primary_at, elsewhere_at; /* when the first answered one left; 0: none */
};

struct standing {
	int64_t sent, done, dead, fixed, cheaper;
	char reasons[120];
};

/* A scene as it goes. Times are the database's. */
struct scene_state {
	struct drill_play *play;
	const struct drill_scene *scene;
	struct drill_outage outage;
	const struct candidate *primary;
	bool lasts; /* the fault is ordered */
	nsec began_at, opened_at, lifted_at;
	nsec due; /* until a probe may go, when the fault was lifted */
	nsec back_at;
};

/* The breakers of those that the outage is at. opened: since all of them are; 0: not all. */
struct opening {
	nsec opened;
	nsec due; /* of the primary's, or of the longest, from now on */
	size_t open;
};

/* Rows of one of our queries. Takes args. */
struct pg_rows *look(struct scene_state *s, const char *query, struct pg_args *args,
		     struct error *err);
bool now_there(struct scene_state *s, nsec *at, struct error *err);

/* Calls of one part of the scene's jobs, or of several (bits by enum load_part), by candidate;
 * calls that left before `since` do not count. */
struct pg_rows *look_at_calls(struct scene_state *s, const struct crowd *crowd, unsigned parts,
			      nsec since, struct error *err);
const struct candidate *candidate_of(const struct tier *tier, const struct pg_rows *rows, int row);
/* The same, added up. */
bool look_at_answers(struct scene_state *s, const struct crowd *crowd, unsigned parts, nsec since,
		     struct answers *answers, struct error *err);
bool look_at_jobs(struct scene_state *s, const struct ids *ids, struct standing *standing,
		  struct error *err);
bool look_at_breakers(struct scene_state *s, struct opening *opening, struct error *err);
void keep_earliest(nsec *earliest, nsec at); /* 0 is none */

#endif
