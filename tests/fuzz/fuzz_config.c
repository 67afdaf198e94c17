/* Any text is a configuration or an error; what is shown of one reads back as one. */
#include "config.h"
#include "ensure.h"
#include "fuzz.h"
#include "yaml.h"

static void read_back(const struct config *config)
{
	AUTO_FINISH(buffer_finish) struct buffer text = {0};
	json_auto_t *shown = config_show(config);
	struct config *again;
	struct error err;

	ENSURE(yaml_write(&text, shown));
	again = config_read("shown", text.data, text.len, &err);
	ENSURE(again);
	config_destroy(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct error err;
	struct config *config = config_read("fuzz", (const char *)bytes, len, &err);

	if (config)
		read_back(config);
	config_destroy(config);
	return 0;
}
