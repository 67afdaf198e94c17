/*
 * Texts of the configuration that stand for something kept elsewhere:
 * ${NAME} and ${NAME:-fallback} for the environment, ${file:PATH} for a file's
 * content without its last newline. They nest, and $${ is a plain ${.
 *
 *	AUTO(xfree) char *key = secrets_resolve("${file:${CREDENTIALS_DIRECTORY}/openai}", err);
 *	if (!key)       -- "environment variable CREDENTIALS_DIRECTORY is not set"
 *
 * Errors name the variable or the file, never what is in it. The rest hides
 * secrets where settings are shown.
 */
#ifndef SLUICE_SECRETS_H
#define SLUICE_SECRETS_H

#include <stdbool.h>

#include "compiler.h"
#include "error.h"

#define SECRETS_MASK "***"

/* The text with its references replaced (the caller's, to free); NULL with an error. */
char *secrets_resolve(const char *text, struct error *err) MUST_USE;

/* The text with the passwords masked that URIs and connection strings carry. The caller's. */
char *secrets_mask(const char *text);

/* Whether a setting of that name holds a secret: "sasl.password", "ssl.key.pem". */
bool secrets_is_secret_name(const char *name);

#endif
