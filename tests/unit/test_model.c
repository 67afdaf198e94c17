#include "model.h"

#include "unit.h"

START_TEST(the_longest_prefix_names_the_model)
{
	struct model mini = model_lookup("openai", "gpt-5.4-mini-2026-03-17");
	struct model full = model_lookup("openai", "gpt-5.4-2026-03-05");

	ck_assert(mini.known);
	ck_assert_int_eq(mini.context_window, 400000);
	ck_assert_int_eq(full.context_window, 1050000);
	ck_assert_int_eq(model_lookup("anthropic", "claude-opus-4-1-20250805").max_output, 32000);
	ck_assert_int_eq(model_lookup("anthropic", "claude-opus-4-6").max_output, 128000);
}
END_TEST

START_TEST(a_fine_tuned_model_is_as_its_base)
{
	struct model tuned = model_lookup("openai", "ft:gpt-4o-mini-2024-07-18:acme::8Xk2");

	ck_assert(tuned.known);
	ck_assert_int_eq(tuned.max_output, 16384);
}
END_TEST

START_TEST(reasoning_models_take_no_sampling_parameters)
{
	static const char *const names[] = {"o3", "o4-mini", "gpt-5-nano", "gpt-5.6-terra",
					    "gpt-6.1-terra"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct model m = model_lookup("openai", names[i]);

		ck_assert_msg(m.known && m.reasons && m.completion_cap, "%s", names[i]);
		ck_assert_msg(!m.takes_temperature && !m.takes_top_p && !m.takes_stop &&
				      !m.takes_seed && !m.gives_logprobs,
			      "%s", names[i]);
	}
}
END_TEST

START_TEST(a_chat_model_gives_log_probabilities)
{
	struct model m = model_lookup("openai", "gpt-4o-mini");

	ck_assert(m.gives_logprobs && m.takes_temperature && m.takes_seed && m.takes_stop);
	ck_assert_int_eq(m.output, OUTPUT_OPENAI_SCHEMA);
	ck_assert_int_eq(model_lookup("openai", "gpt-4o-2024-05-13").output, OUTPUT_JSON_OBJECT);
}
END_TEST

START_TEST(claude_lost_its_temperature_at_opus_4_7)
{
	ck_assert(model_lookup("anthropic", "claude-opus-4-6").takes_temperature);
	ck_assert(model_lookup("anthropic", "claude-sonnet-4-6").takes_temperature);
	ck_assert(!model_lookup("anthropic", "claude-opus-4-7").takes_temperature);
	ck_assert(!model_lookup("anthropic", "claude-sonnet-5").takes_temperature);
	ck_assert(!model_lookup("anthropic", "claude-haiku-5-5").takes_temperature);
}
END_TEST

START_TEST(claude_took_schemas_as_tools_before_4_5)
{
	ck_assert_int_eq(model_lookup("anthropic", "claude-3-5-haiku-20241022").output,
			 OUTPUT_ANTHROPIC_TOOL);
	ck_assert_int_eq(model_lookup("anthropic", "claude-sonnet-4-20250514").output,
			 OUTPUT_ANTHROPIC_TOOL);
	ck_assert_int_eq(model_lookup("anthropic", "claude-haiku-4-5").output,
			 OUTPUT_ANTHROPIC_FORMAT);
	ck_assert(!model_lookup("anthropic", "claude-opus-5-5").takes_forced_tool);
	ck_assert(model_lookup("anthropic", "claude-opus-5").takes_forced_tool);
}
END_TEST

START_TEST(cache_minima_differ_by_model)
{
	ck_assert_int_eq(model_lookup("anthropic", "claude-opus-5-20260401").cache_min_tokens, 512);
	ck_assert_int_eq(model_lookup("anthropic", "claude-opus-4-8").cache_min_tokens, 1024);
	ck_assert_int_eq(model_lookup("anthropic", "claude-opus-4-7").cache_min_tokens, 2048);
	ck_assert_int_eq(model_lookup("anthropic", "claude-haiku-4-5").cache_min_tokens, 4096);
}
END_TEST

START_TEST(an_unknown_model_gets_its_dialects_cautious_defaults)
{
	struct model own = model_lookup("openai", "Qwen/Qwen3-8B");
	struct model next = model_lookup("anthropic", "claude-next-7");

	ck_assert(!own.known && !next.known);
	ck_assert(!own.completion_cap && own.takes_temperature);
	ck_assert_int_eq(own.cache_min_tokens, 0);
	ck_assert(!next.takes_temperature && !next.takes_forced_tool);
	ck_assert_int_eq(next.output, OUTPUT_ANTHROPIC_FORMAT);
	ck_assert(own.context_window > 0 && own.max_output > 0 && own.bytes_per_token > 0);
}
END_TEST

UNIT_TESTS(model, the_longest_prefix_names_the_model, a_fine_tuned_model_is_as_its_base,
	   reasoning_models_take_no_sampling_parameters, a_chat_model_gives_log_probabilities,
	   claude_lost_its_temperature_at_opus_4_7, claude_took_schemas_as_tools_before_4_5,
	   cache_minima_differ_by_model, an_unknown_model_gets_its_dialects_cautious_defaults)
