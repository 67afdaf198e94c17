/* Any bytes are a job or an error, and a job has what every job has. */
#include "ensure.h"
#include "fuzz.h"
#include "job.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct job_reader *reader;
	static const struct job_source source = {.cluster = "C", .topic = "t"};
	struct error err;
	struct job *job;

	if (!reader)
		reader = job_reader_create(1 << 20);
	job = job_read(reader, (const char *)bytes, len, &source, &err);
	if (job && !job->thin)
		ENSURE(*job->business_unit && json_array_size(job->messages) > 0);
	job_destroy(job);
	return 0;
}
