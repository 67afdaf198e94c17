#include "prepared_schema.h"

#include <stdlib.h>
#include <string.h>

#include "schema_project.h"

void prepared_schema_init(struct prepared_schema *prepared, const char *dialect,
			  const json_t *schema)
{
	enum schema_target target = strcmp(dialect, "openai") == 0 ? SCHEMA_FOR_OPENAI
								   : SCHEMA_FOR_ANTHROPIC;
	struct schema_projection projection = schema_project(target, schema);

	*prepared = (struct prepared_schema){
		.whole = json_write(schema),
		.projected = projection.schema ? json_write(projection.schema) : NULL,
		.strict = projection.strict,
		.wants_object = strcmp(json_text(schema, "type", ""), "object") == 0,
	};
	prepared->whole_len = strlen(prepared->whole);
	prepared->projected_len = prepared->projected ? strlen(prepared->projected) : 0;
	schema_projection_finish(&projection);
}

void prepared_schema_finish(struct prepared_schema *prepared)
{
	free(prepared->whole);
	free(prepared->projected);
	*prepared = (struct prepared_schema){0};
}
