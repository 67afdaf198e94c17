#include "delivery.h"

void delivery_spoil(struct reply *reply, enum fault fault, enum maker maker, const char *request_id,
		    struct dice *dice)
{
	struct failure failure = failure_of(FAULT_500, maker, "");

	if (fault != FAULT_ERROR_200 && fault != FAULT_GARBAGE && fault != FAULT_HTML_200 &&
	    fault != FAULT_EMPTY_BODY)
		return;
	buffer_clear(&reply->body);
	reply->chunked = false;
	reply->pace = 0;
	if (fault == FAULT_ERROR_200) {
		failure_write_body(&failure, maker, request_id, &reply->body);
	} else if (fault == FAULT_HTML_200) {
		buffer_text(&reply->body, "<html><body>We'll be right back.</body></html>");
	} else if (fault == FAULT_GARBAGE) {
		for (int i = 0; i < 32; i++) {
			uint64_t bits = dice_roll(dice);

			buffer_append(&reply->body, &bits, sizeof(bits));
		}
	}
}

static void break_chunks(struct reply *reply)
{
	AUTO_FINISH(buffer_finish) struct buffer body = reply->body;

	reply->body = (struct buffer){0};
	buffer_printf(&reply->body, "%zx\r\n", body.len / 2);
	buffer_append(&reply->body, body.data, body.len / 2);
	buffer_text(&reply->body, "\r\nZZ\r\nthis is no chunk\r\n");
	reply->chunked = true;
	reply->end = END_CLOSE;
}

void delivery_plan(struct reply *reply, enum fault fault)
{
	static const struct {
		enum fault fault;
		enum reply_cut cut;
		enum reply_end end;
	} breaks[] = {
		{FAULT_RESET_ACCEPTED, CUT_AT_ONCE, END_RESET},
		{FAULT_RESET_HEADERS, CUT_AFTER_HEAD, END_RESET},
		{FAULT_RESET_BODY, CUT_IN_BODY, END_RESET},
		{FAULT_HANG, CUT_AT_ONCE, END_HANG},
		{FAULT_HANG_BODY, CUT_IN_BODY, END_HANG},
		{FAULT_TRUNCATED, CUT_IN_BODY, END_CLOSE},
	};

	for (size_t i = 0; i < COUNT_OF(breaks); i++)
		if (breaks[i].fault == fault) {
			reply->cut = breaks[i].cut;
			reply->end = breaks[i].end;
		}
	if (fault == FAULT_DRIP || fault == FAULT_DRIP_SLOW) {
		reply->piece = 1;
		reply->pace = (fault == FAULT_DRIP ? 1 : 10) * NSEC_PER_SEC;
	} else if (fault == FAULT_WRONG_LENGTH) {
		reply->length_lie = reply->body.len > 10 ? -10 : 0;
		reply->end = END_CLOSE;
	} else if (fault == FAULT_CHUNK_ERROR) {
		break_chunks(reply);
	}
}
