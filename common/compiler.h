/*
 * The compiler's extensions, under names that say what they are for. This is
 * the only file that knows them.
 *
 *	bool intake_open(struct intake *in, struct error *err) MUST_USE;
 *
 *	AUTO(buffer_destroy) struct buffer *reply = buffer_create(64);
 *	...
 *	return TAKE(reply);             -- handed over, so not destroyed here
 */
#ifndef SLUICE_COMPILER_H
#define SLUICE_COMPILER_H

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))

/* AUTO(x_destroy) runs x_destroy(local) when the local goes out of scope. */
#define AUTO(destroy) __attribute__((cleanup(destroy##_auto)))
#define AUTO_DEFINE(type, destroy)                         \
	static inline UNUSED void destroy##_auto(type **p) \
	{                                                  \
		destroy(*p);                               \
	}

/* AUTO_FINISH(x_finish) is the same for a struct that is embedded, not pointed to. */
#define AUTO_FINISH(finish) __attribute__((cleanup(finish)))

/* Hand a pointer over: its value, leaving NULL behind. */
#define TAKE(p)                             \
	__extension__({                     \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
