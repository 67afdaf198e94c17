/*
 * Money is integers: pico-dollars, 10^-12 USD. A price of $0.15 per million
 * tokens is 150,000 pico-dollars a token, exactly; int64 holds nine million
 * dollars, more than any one call or job costs. Sums over many live in
 * Postgres as numeric.
 *
 *	char text[MONEY_TEXT];
 *	money_format(text, 1234500000);         -- "$0.0012345"
 */
#ifndef SLUICE_MONEY_H
#define SLUICE_MONEY_H

#include <stdbool.h>
#include <stdint.h>

typedef int64_t pico;

#define PICO_PER_USD ((pico)1000000000000)
#define PICO_UNPRICED INT64_MIN /* the cost is not known; never 0, never summed */
#define MONEY_TEXT 40

/* "$1.25", "-$0.0000012": no trailing zeros beyond the cents. Returns text. */
const char *money_format(char text[MONEY_TEXT], pico amount);

/* Reads "0.25" or "$0.25" (at most 12 decimals). False if it is not an amount that fits. */
bool money_parse(const char *text, pico *amount);

#endif
