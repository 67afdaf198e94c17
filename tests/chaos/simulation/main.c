/*
 * simulation: the protocol under faults, in virtual time, by seeds.
 *
 *	simulation --seeds 10000            seeds 1 to 10000; exit code 1 at the first violation
 *	simulation --seeds 100 --from 500   seeds 500 to 599
 *	simulation --seed 42 --trace        one seed, everything that happens
 *	simulation --quiet --seeds 100      no faults: each job takes exactly one call
 *	simulation --mutate no-epoch-guard  with a bug seeded on purpose; must find a violation
 *	simulation --prove                  every such bug is caught, each by its invariant
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ensure.h"
#include "world.h"

#define PROOF_SEEDS 10000 /* within which a seeded bug must show */

static const struct {
	const char *name, *invariant, *what;
} mutations[] = {
#define MUTATION(name, text, invariant, what) [MUTATION_##name] = {text, invariant, what},
	MUTATIONS(MUTATION)
#undef MUTATION
};

struct wish {
	struct world_options options;
	uint64_t from, count;
	bool prove;
};

static NORETURN void usage(int code)
{
	fprintf(code ? stderr : stdout,
		"usage: simulation [--seeds N] [--from N] [--seed N] [--trace] [--quiet] [--mutate "
		"NAME] [--prove]\n"
		"bugs to seed with --mutate, and the invariant that must notice:\n");
	for (int i = 1; i < MUTATION_COUNT; i++)
		fprintf(code ? stderr : stdout, "  %-22s %-4s %s\n", mutations[i].name,
			mutations[i].invariant, mutations[i].what);
	exit(code);
}

static enum mutation mutation_named(const char *name)
{
	for (int i = 1; i < MUTATION_COUNT; i++)
		if (strcmp(mutations[i].name, name) == 0)
			return (enum mutation)i;
	fprintf(stderr, "simulation: no bug is called %s\n", name);
	usage(2);
}

static void tell_violation(const struct world *world)
{
	printf("seed %" PRIu64 ": %s violated after %.3f s: %s\n", world->seed,
	       world->violation.name, (double)world->violation.at / (double)NSEC_PER_SEC,
	       world->violation.text);
	printf("again, step by step: simulation --seed %" PRIu64 " --trace%s%s%s\n", world->seed,
	       world->options.quiet ? " --quiet" : "", world->options.mutation ? " --mutate " : "",
	       world->options.mutation ? mutations[world->options.mutation].name : "");
}

static void tell(const struct world *world, uint64_t seeds)
{
	printf("%" PRIu64 " seeds: %" PRIu64 " jobs, %" PRIu64 " reruns, %" PRIu64
	       " outcomes, %" PRIu64 " accepted calls, %" PRIu64 " faults, %" PRIu64 " steps\n",
	       seeds, world->counts.jobs, world->counts.reruns, world->counts.ended,
	       world->counts.calls, world->counts.faults, world->counts.steps);
	printf("%u distinct pairs of a state and a fault were reached:\n",
	       coverage_pairs(&world->coverage));
	coverage_print(&world->coverage);
}

static bool run(const struct wish *wish)
{
	struct world *world = world_create(&wish->options);
	bool good = true;

	for (uint64_t i = 0; good && i < wish->count; i++) {
		world_run(world, wish->from + i);
		good = !world->violation.found;
	}
	if (good)
		tell(world, wish->count);
	else
		tell_violation(world);
	world_destroy(world);
	return good;
}

static bool names(const char *invariants, const char *name)
{
	const char *at = strstr(invariants, name);

	return at && strchr(" ", at[strlen(name)]) && *name;
}

/* A seeded bug must be noticed, and first by the invariant it breaks. */
static bool prove(enum mutation mutation)
{
	const struct world_options options = {.mutation = mutation};
	struct world *world = world_create(&options);
	uint64_t seed = 0;
	bool caught;

	while (!world->violation.found && seed < PROOF_SEEDS)
		world_run(world, ++seed);
	caught = world->violation.found &&
		 names(mutations[mutation].invariant, world->violation.name);
	printf("%-7s %-22s ", caught ? "caught" : "MISSED", mutations[mutation].name);
	if (world->violation.found)
		printf("by %s in seed %" PRIu64 ": %s\n", world->violation.name, seed,
		       world->violation.text);
	else
		printf("by nothing in %d seeds; expected %s\n", PROOF_SEEDS,
		       mutations[mutation].invariant);
	world_destroy(world);
	return caught;
}

static bool prove_all(void)
{
	bool good = true;

	for (int i = 1; i < MUTATION_COUNT; i++)
		good &= prove((enum mutation)i);
	return good;
}

static struct wish read_wish(int argc, char **argv)
{
	struct wish wish = {.from = 1, .count = 100};

	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--trace") == 0)
			wish.options.trace = true;
		else if (strcmp(argv[i], "--quiet") == 0)
			wish.options.quiet = true;
		else if (strcmp(argv[i], "--prove") == 0)
			wish.prove = true;
		else if (strcmp(argv[i], "--help") == 0)
			usage(0);
		else if (!value)
			usage(2);
		else if (strcmp(argv[i], "--seeds") == 0)
			wish.count = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--from") == 0)
			wish.from = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			wish.from = strtoull(argv[++i], NULL, 10), wish.count = 1;
		else if (strcmp(argv[i], "--mutate") == 0)
			wish.options.mutation = mutation_named(argv[++i]);
		else
			usage(2);
	}
	return wish;
}

int main(int argc, char **argv)
{
	struct wish wish = read_wish(argc, argv);

	return (wish.prove ? prove_all() : run(&wish)) ? 0 : 1;
}
