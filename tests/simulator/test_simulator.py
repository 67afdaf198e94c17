#!/usr/bin/env python3
"""Claims about the provider simulator, proved over its port."""
import email.utils
import glob
import json
import os
import re
import time
import unittest

from harness import SCHEMA, Simulator, events, golden, json_schema, shape_differs

DURATION = r"(\d+h)?(\d+m)?\d+(\.\d+)?s|\d+ms"


class Shared(unittest.TestCase):
    """One simulator for all claims that leave it as it was."""

    @classmethod
    def setUpClass(cls):
        cls.sim = Simulator()

    @classmethod
    def tearDownClass(cls):
        cls.sim.stop()
        cls.sim.directory.cleanup()

    def assertShape(self, ours, path):
        text = golden(path)
        if text is not None:
            self.assertIsNone(shape_differs(ours, json.loads(text)), path)


class Wire(Shared):
    def test_openai_answers_as_documented(self):
        answer = self.sim.chat("What is 2+2?")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["content-type"], "application/json")
        self.assertTrue(answer.headers["x-request-id"].startswith("req_"))
        self.assertEqual(answer.json["model"], "gpt-4o-mini-2024-07-18")
        self.assertEqual(answer.json["choices"][0]["finish_reason"], "stop")
        self.assertShape(answer.json, "openai/chat/response-basic.json")

    def test_anthropic_answers_as_documented(self):
        answer = self.sim.message("What is 2+2?")
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.headers["request-id"].startswith("req_"))
        self.assertEqual(answer.json["model"], "claude-haiku-4-5-20251001")
        self.assertEqual(answer.json["stop_reason"], "end_turn")
        self.assertShape(answer.json, "anthropic/messages/response-basic.json")

    def test_golden_requests_are_answered(self):
        for path in ["request-basic", "request-json-schema", "request-json-object",
                     "request-reasoning", "request-tools", "request-stream"]:
            body = golden(f"openai/chat/{path}.json")
            if body:
                self.assertEqual(self.sim.openai(body).status, 200, path)
        for path in ["request-basic", "request-cached-system", "request-structured",
                     "request-tool-choice", "request-stream"]:
            body = golden(f"anthropic/messages/{path}.json")
            if body:
                self.assertEqual(self.sim.anthropic(body).status, 200, path)

    def test_a_schema_is_fitted(self):
        for n in range(30):
            content = json.loads(self.sim.chat(f"{n}", fields=json_schema())
                                 .json["choices"][0]["message"]["content"])
            self.assertEqual(set(content), set(SCHEMA["required"]))
            self.assertIn(content["label"], ["spam", "ham"])
            self.assertTrue(0 <= content["score"] <= 1)

    def test_patterns_bounds_and_references_are_fitted(self):
        schema = {
            "type": "object", "additionalProperties": False,
            "required": ["code", "when", "list", "node", "count", "kind", "name"],
            "properties": {
                "code": {"type": "string", "pattern": "^[A-Z]{2}-\\d{4}(x|yz)?$"},
                "when": {"type": "string", "format": "date-time"},
                "list": {"type": "array", "items": {"type": "integer", "minimum": 5, "maximum": 7},
                         "minItems": 2, "maxItems": 4},
                "node": {"$ref": "#/$defs/node"},
                "count": {"type": "integer", "multipleOf": 5, "exclusiveMinimum": 10,
                          "maximum": 20},
                "kind": {"const": "fixed"},
                "name": {"type": "string", "minLength": 30, "maxLength": 31},
            },
            "$defs": {"node": {"type": "object", "required": ["next", "v"],
                               "additionalProperties": False,
                               "properties": {"v": {"anyOf": [{"type": "boolean"},
                                                              {"type": "null"}]},
                                              "next": {"anyOf": [{"$ref": "#/$defs/node"},
                                                                 {"type": "null"}]}}}},
        }
        for n in range(30):
            value = json.loads(self.sim.chat(f"p{n}", fields=json_schema(schema))
                               .json["choices"][0]["message"]["content"])
            self.assertRegex(value["code"], r"^[A-Z]{2}-\d{4}(x|yz)?$")
            self.assertRegex(value["when"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
            self.assertTrue(2 <= len(value["list"]) <= 4)
            self.assertTrue(all(5 <= i <= 7 for i in value["list"]))
            self.assertIn(value["count"], [15, 20])
            self.assertEqual(value["kind"], "fixed")
            self.assertTrue(30 <= len(value["name"]) <= 31)
            node = value["node"]
            while node:
                self.assertEqual(set(node), {"next", "v"})
                node = node["next"]

    def test_the_same_request_gets_the_same_answer(self):
        first = self.sim.chat("twice", fields=json_schema()).json["choices"]
        self.assertEqual(self.sim.chat("twice", fields=json_schema()).json["choices"], first)

    def test_log_probabilities_spell_the_answer(self):
        answer = self.sim.chat("ünïcödé", fields=json_schema() | {"logprobs": True,
                                                                  "top_logprobs": 2}).json
        choice = answer["choices"][0]
        tokens = choice["logprobs"]["content"]
        self.assertEqual(b"".join(bytes(t["bytes"]) for t in tokens).decode(),
                         choice["message"]["content"])
        self.assertTrue(all(len(t["top_logprobs"]) == 2 for t in tokens))
        self.assertGreater(sum(t["logprob"] for t in tokens) / len(tokens), -0.1)
        self.assertShape(answer, "openai/chat/response-json-schema-logprobs.json")

    def test_tools_are_called(self):
        tool = {"name": "report", "description": "d", "parameters": SCHEMA}
        answer = self.sim.chat("x", fields={
            "tools": [{"type": "function", "function": tool}],
            "tool_choice": "required"}).json["choices"][0]
        self.assertEqual(answer["finish_reason"], "tool_calls")
        call = answer["message"]["tool_calls"][0]["function"]
        self.assertEqual(call["name"], "report")
        self.assertIn(json.loads(call["arguments"])["label"], ["spam", "ham"])
        answer = self.sim.message("x", fields={
            "tools": [{"name": "report", "input_schema": SCHEMA}],
            "tool_choice": {"type": "tool", "name": "report"}}).json
        self.assertEqual(answer["stop_reason"], "tool_use")
        self.assertIn(answer["content"][0]["input"]["label"], ["spam", "ham"])
        self.assertShape(answer, "anthropic/messages/response-tool-use.json")

    def test_anthropic_fits_a_schema(self):
        answer = self.sim.message("x", model="claude-sonnet-5", fields={
            "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}).json
        self.assertIn(json.loads(answer["content"][0]["text"])["label"], ["spam", "ham"])

    def test_openai_streams(self):
        fields = {"stream": True, "stream_options": {"include_usage": True,
                                                     "include_obfuscation": False}}
        answer = self.sim.chat("stream", fields=fields)
        self.assertTrue(answer.headers["content-type"].startswith("text/event-stream"))
        chunks = events(answer.body)
        self.assertEqual(chunks[-1], "[DONE]")
        self.assertEqual(chunks[-2]["choices"], [])
        self.assertGreater(chunks[-2]["usage"]["completion_tokens"], 0)
        text = "".join(c["choices"][0]["delta"].get("content", "") for c in chunks[:-2])
        self.assertGreater(len(text), 10)
        expected = golden("openai/chat/stream-usage.sse")
        if expected:
            self.assertIsNone(shape_differs(chunks[1], events(expected.encode())[1]))

    def test_anthropic_streams(self):
        seen = events(self.sim.message("stream", fields={"stream": True}).body)
        kinds = [e["type"] for e in seen]
        self.assertEqual(kinds[0], "message_start")
        self.assertEqual(kinds[-2:], ["message_delta", "message_stop"])
        self.assertGreater(seen[-2]["usage"]["output_tokens"], 1)
        expected = golden("anthropic/messages/stream-text.sse")
        if expected:
            self.assertIsNone(shape_differs(seen[0], events(expected.encode())[0]))

    def test_models_are_listed(self):
        answer = self.sim.openai(None, path="/v1/models", method="GET").json
        self.assertIn("gpt-4o-mini", [m["id"] for m in answer["data"]])
        self.assertShape(answer, "openai/models/list.json")
        answer = self.sim.anthropic(None, path="/v1/models", method="GET").json
        self.assertIn("claude-haiku-4-5", [m["id"] for m in answer["data"]])

    def test_tokens_are_counted(self):
        answer = self.sim.anthropic({"model": "claude-haiku-4-5", "messages": []},
                                    path="/v1/messages/count_tokens").json
        self.assertGreater(answer["input_tokens"], 0)

    def test_the_output_cap_cuts(self):
        answer = self.sim.chat("[[sim:tokens 50]]", fields={"max_completion_tokens": 10}).json
        self.assertEqual(answer["choices"][0]["finish_reason"], "length")
        self.assertEqual(answer["usage"]["completion_tokens"], 10)
        answer = self.sim.message("[[sim:tokens 50]]", fields={"max_tokens": 10}).json
        self.assertEqual(answer["stop_reason"], "max_tokens")

    def test_a_continue_is_said_where_expected(self):
        received, _ = self.sim.raw(b"POST /control HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                                   b"Connection: close\r\nContent-Length: 2\r\n\r\n{}")
        self.assertTrue(received.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"))

    def test_a_chunked_request_is_read(self):
        received, _ = self.sim.raw(b"POST /control HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                   b"Transfer-Encoding: chunked\r\n\r\n"
                                   b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")
        self.assertTrue(received.startswith(b"HTTP/1.1 200 OK"))

    def test_two_requests_in_one_packet_are_answered_in_order(self):
        one = b"GET /control HTTP/1.1\r\nHost: x\r\n\r\n"
        two = b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        received, end = self.sim.raw(one + two)
        self.assertEqual(end, "closed")
        self.assertLess(received.index(b"200 OK"), received.index(b"401 Unauthorized"))

    def test_what_is_no_http_is_refused(self):
        self.assertTrue(self.sim.raw(b"\x16\x03\x01 hello\r\n\r\n")[0].startswith(b"HTTP/1.1 400"))
        self.assertTrue(self.sim.raw(b"GET / HTTP/1.1\r\nx: " + b"y" * 70000)[0]
                        .startswith(b"HTTP/1.1 431"))
        self.assertTrue(self.sim.raw(b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n")[0]
                        .startswith(b"HTTP/1.1 413"))


class Refusals(Shared):
    def assertOpenai(self, answer, status, code, kind=None):
        self.assertEqual(answer.status, status, answer.body)
        error = answer.json["error"]
        self.assertEqual(error["code"], code)
        self.assertEqual(set(error), {"message", "type", "param", "code"})
        if kind:
            self.assertEqual(error["type"], kind)

    def assertAnthropic(self, answer, status, kind):
        self.assertEqual(answer.status, status, answer.body)
        self.assertEqual(answer.json["type"], "error")
        self.assertEqual(answer.json["error"]["type"], kind)
        self.assertEqual(answer.json["request_id"], answer.headers["request-id"])

    def test_openai_refuses_what_is_invalid(self):
        self.assertOpenai(self.sim.openai("{"), 400, None)
        self.assertOpenai(self.sim.openai({"model": "gpt-4o"}), 400, "missing_required_parameter")
        self.assertOpenai(self.sim.chat("x", model="gpt-99"), 404, "model_not_found")
        self.assertOpenai(self.sim.chat("x", key=""), 401, "invalid_api_key")
        self.assertOpenai(self.sim.chat("x", id="i" * 513), 400, None)
        self.assertOpenai(self.sim.chat("x", model="gpt-5", fields={"max_tokens": 5}), 400,
                          "unsupported_parameter")
        self.assertOpenai(self.sim.chat("x", model="gpt-5", fields={"temperature": 0.5}), 400,
                          "unsupported_value")
        loose = dict(SCHEMA, additionalProperties=True)
        self.assertOpenai(self.sim.chat("x", fields=json_schema(loose)), 400, None)
        self.assertOpenai(self.sim.chat("x", fields={"response_format": {"type": "json_object"}}),
                          400, None)
        self.assertOpenai(self.sim.chat("word " * 110000), 400, "context_length_exceeded")

    def test_anthropic_refuses_what_is_invalid(self):
        bad = "invalid_request_error"
        self.assertAnthropic(self.sim.anthropic("{"), 400, bad)
        self.assertAnthropic(self.sim.anthropic({"model": "claude-haiku-4-5", "messages": [
            {"role": "user", "content": "x"}]}), 400, bad)
        self.assertAnthropic(self.sim.message("x", model="claude-99"), 404, "not_found_error")
        self.assertAnthropic(self.sim.message("x", key=""), 401, "authentication_error")
        self.assertAnthropic(self.sim.message("x", model="claude-opus-5",
                                              fields={"temperature": 0}), 400, bad)
        self.assertAnthropic(self.sim.message("x", fields={"messages": [
            {"role": "system", "content": "x"}]}), 400, bad)
        self.assertAnthropic(self.sim.message("word " * 170000), 400, bad)

    def test_every_error_asked_for_has_its_status_and_code(self):
        expected = {
            "429": (429, "rate_limit_exceeded"), "429_none": (429, "rate_limit_exceeded"),
            "429_too_large": (429, "rate_limit_exceeded"), "slow_down": (429, "slow_down"),
            "insufficient_quota": (429, "insufficient_quota"),
            "credit": (429, "credit_balance_exhausted"),
            "usage_limit": (429, "project_spend_limit_exceeded"),
            "flex_unavailable": (429, "resource_unavailable"), "400": (400, None),
            "context": (400, "context_length_exceeded"), "401": (401, "invalid_api_key"),
            "403": (403, "unsupported_country_region_territory"),
            "404": (404, "model_not_found"), "500": (500, None),
            "503": (503, "server_is_overloaded"),
        }
        for name, (status, code) in expected.items():
            self.assertOpenai(self.sim.chat(f"[[sim:{name}]]"), status, code)
        expected = {
            "429": (429, "rate_limit_error"), "insufficient_quota": (429, "rate_limit_error"),
            "429_too_large": (413, "request_too_large"), "credit": (400, "invalid_request_error"),
            "usage_limit": (400, "invalid_request_error"), "401": (401, "authentication_error"),
            "402": (402, "billing_error"), "403": (403, "permission_error"),
            "404": (404, "not_found_error"), "409": (409, "conflict_error"),
            "500": (500, "api_error"), "504": (504, "timeout_error"),
            "529": (529, "overloaded_error"),
        }
        for name, (status, kind) in expected.items():
            self.assertAnthropic(self.sim.message(f"[[sim:{name}]]"), status, kind)

    def test_error_bodies_have_the_golden_shape(self):
        pairs = {"429": "429-requests-rate_limit_exceeded", "500": "500-server_error",
                 "401": "401-invalid_api_key", "context": "400-context_length_exceeded"}
        for fault, path in pairs.items():
            self.assertShape(self.sim.chat(f"[[sim:{fault}]]").json, f"openai/errors/{path}.json")
        pairs = {"429": "429-rate_limit", "insufficient_quota": "429-spend-cap",
                 "529": "529-overloaded"}
        for fault, path in pairs.items():
            self.assertShape(self.sim.message(f"[[sim:{fault}]]").json,
                             f"anthropic/errors/{path}.json")

    def test_a_proxy_answers_in_html(self):
        answer = self.sim.chat("[[sim:502]]")
        self.assertEqual(answer.status, 502)
        self.assertTrue(answer.headers["content-type"].startswith("text/html"))
        self.assertIn(b"<html>", answer.body)

    def test_a_429_says_when_in_every_way(self):
        self.assertEqual(self.sim.chat("[[sim:429_seconds]]").headers["retry-after"], "1")
        date = self.sim.chat("[[sim:429_date]]").headers["retry-after"]
        self.assertGreater(email.utils.parsedate_to_datetime(date).timestamp(), time.time() - 1)
        headers = self.sim.chat("[[sim:429_ms]]").headers
        self.assertNotIn("retry-after", headers)
        self.assertEqual(headers["retry-after-ms"], "250")
        headers = self.sim.chat("[[sim:429_none]]").headers
        self.assertNotIn("retry-after", headers)
        self.assertNotIn("retry-after-ms", headers)
        self.assertNotIn("retry-after", self.sim.message("[[sim:insufficient_quota]]").headers)


class Directives(unittest.TestCase):
    def setUp(self):
        self.sim = Simulator()
        self.addCleanup(self.sim.__exit__)

    def test_attempts_are_counted_across_models_and_repairs(self):
        text = "job 1 [[sim:500*1]] [[sim:not_json*1]]"
        self.assertEqual(self.sim.chat(text, fields=json_schema()).status, 500)
        spoilt = self.sim.chat(text, fields=json_schema()).json
        content = spoilt["choices"][0]["message"]["content"]
        with self.assertRaises(ValueError):
            json.loads(content)
        repair = {"model": "gpt-4o", "messages": [
            {"role": "user", "content": text}, {"role": "assistant", "content": content},
            {"role": "user", "content": "That is no JSON."}]} | json_schema()
        json.loads(self.sim.openai(repair).json["choices"][0]["message"]["content"])
        self.assertEqual(self.sim.chat("job 2 [[sim:500*1]]").status, 500)

    def test_a_directive_may_hold_for_one_model_only(self):
        text = "[[sim:refusal@gpt-4o-mini]]"
        message = self.sim.chat(text).json["choices"][0]["message"]
        self.assertIsNone(message["content"])
        self.assertTrue(message["refusal"])
        self.assertIsNotNone(self.sim.chat(text, model="gpt-4o").json["choices"][0]["message"]
                             ["content"])

    def test_an_answer_can_be_dictated(self):
        text = 'x [[sim:answer {"a":[[1,2],[3]],"b":"]]"}]] y'
        content = self.sim.chat(text).json["choices"][0]["message"]["content"]
        self.assertEqual(json.loads(content), {"a": [[1, 2], [3]], "b": "]]"})
        self.assertEqual(self.sim.message("[[sim:answer forty two]]").json["content"][0]["text"],
                         "forty two")

    def test_the_models_own_words_are_not_obeyed(self):
        body = {"model": "gpt-4o-mini", "messages": [
            {"role": "user", "content": "x"}, {"role": "assistant", "content": "[[sim:500]]"}]}
        self.assertEqual(self.sim.openai(body).status, 200)

    def test_low_confidence_shows(self):
        fields = json_schema() | {"logprobs": True}
        choice = self.sim.chat("[[sim:low_confidence]]", fields=fields).json["choices"][0]
        tokens = choice["logprobs"]["content"]
        self.assertLess(sum(t["logprob"] for t in tokens) / len(tokens), -0.5)
        self.assertLess(json.loads(choice["message"]["content"])["score"], 0.5)

    def test_answers_are_spoilt_as_asked(self):
        fields = json_schema()
        for n in range(10):
            text = f"{n} [[sim:violation]]"
            content = self.sim.chat(text, fields=fields).json["choices"][0]["message"]["content"]
            value = json.loads(content)
            self.assertFalse(isinstance(value, dict) and set(value) == set(SCHEMA["required"]))
        choice = self.sim.chat("[[sim:length]]", fields=fields).json["choices"][0]
        self.assertEqual(choice["finish_reason"], "length")
        choice = self.sim.chat("[[sim:content_filter]]").json["choices"][0]
        self.assertEqual(choice["finish_reason"], "content_filter")
        choice = self.sim.chat("[[sim:empty]]").json["choices"][0]
        self.assertEqual(choice["message"]["content"], "")
        answer = self.sim.message("[[sim:refusal]]").json
        self.assertEqual((answer["stop_reason"], answer["content"]), ("refusal", []))

    def test_bodies_are_spoilt_as_asked(self):
        self.assertIn("error", self.sim.chat("[[sim:error_200]]").json)
        self.assertNotIn("usage", self.sim.chat("[[sim:no_usage]]").json)
        self.assertLess(self.sim.chat("[[sim:negative_usage]]").json["usage"]["prompt_tokens"], 0)
        self.assertIn(b"\\u0000", self.sim.chat("[[sim:nul]]").body)
        self.assertIn(b"\\ud83d ", self.sim.chat("[[sim:surrogate]]").body)
        self.assertIn(b"1e999", self.sim.chat("[[sim:huge_number]]").body)
        self.assertRegex(self.sim.message("[[sim:long_integer]]").body, rb"[^\d]\d{20}[^\d]")
        self.assertIn(b"[" * 3000, self.sim.message("[[sim:deep]]").body)
        self.assertEqual(self.sim.chat("[[sim:empty_body]]").body, b"")
        self.assertIn(b"<html>", self.sim.chat("[[sim:html_200]]").body)
        with self.assertRaises(ValueError):
            json.loads(self.sim.chat("[[sim:garbage]]").body)
        last = events(self.sim.chat("[[sim:stream_error]]", fields={"stream": True}).body)[-1]
        self.assertIn("error", last)

    def test_latency_can_be_asked_for(self):
        start = time.monotonic()
        self.sim.chat("[[sim:latency 300]]")
        self.assertGreater(time.monotonic() - start, 0.29)


class Delivery(unittest.TestCase):
    def setUp(self):
        self.sim = Simulator()
        self.addCleanup(self.sim.__exit__)

    def fate(self, name, timeout=5):
        received, end = self.sim.raw_chat(f"[[sim:{name}]]", timeout, id=name)
        # The bill is written when the turn ends: the next answer is after that.
        self.sim.control()
        accepted, ended = self.sim.bill()
        mine = [line for line in accepted if line["id"] == name]
        delivered = ended.get(mine[0]["request"], {}).get("delivered") if mine else None
        return received, end, len(mine), delivered

    def test_resets(self):
        self.assertEqual(self.fate("reset"), (b"", "reset", 0, None))
        self.assertEqual(self.fate("reset_accepted"), (b"", "reset", 1, False))
        received, end, billed, delivered = self.fate("reset_headers")
        self.assertTrue(received == b"" or received.endswith(b"\r\n\r\n"), received)
        self.assertEqual((end, billed, delivered), ("reset", 1, False))
        self.assertEqual(self.fate("reset_body")[1:], ("reset", 1, False))

    def test_hangs(self):
        self.assertEqual(self.fate("hang", 0.3), (b"", "silent", 1, False))
        self.assertEqual(self.fate("hang_early", 0.3), (b"", "silent", 0, None))
        received, end, billed, _ = self.fate("hang_body", 0.3)
        self.assertEqual((end, billed), ("silent", 1))
        self.assertIn(b"\r\n\r\n{", received)

    def test_short_and_wrong_bodies(self):
        received, end, billed, delivered = self.fate("truncated")
        length = int(re.search(rb"Content-Length: (\d+)", received).group(1))
        self.assertLess(len(received.split(b"\r\n\r\n", 1)[1]), length)
        self.assertEqual((end, billed, delivered), ("closed", 1, False))
        received, end, billed, delivered = self.fate("wrong_length")
        length = int(re.search(rb"Content-Length: (\d+)", received).group(1))
        self.assertEqual(len(received.split(b"\r\n\r\n", 1)[1]), length + 10)
        self.assertEqual((end, billed, delivered), ("closed", 1, False))
        received, end, billed, delivered = self.fate("chunk_error")
        self.assertIn(b"\r\nZZ\r\n", received)
        self.assertEqual((end, billed, delivered), ("closed", 1, False))

    def test_a_drip(self):
        received, end, billed, _ = self.fate("drip", 0.5)
        self.assertEqual(len(received.split(b"\r\n\r\n", 1)[1]), 1)
        self.assertEqual((end, billed), ("silent", 1))

    def test_a_client_that_leaves_is_billed_and_not_delivered(self):
        self.sim.raw_chat("[[sim:latency 60000]]", 0.1, id="gone")
        self.sim.control()
        accepted, ended = self.sim.bill()
        self.assertEqual(len(accepted), 1)
        self.assertFalse(ended[accepted[0]["request"]]["delivered"])
        self.assertEqual(self.sim.control()["in_flight"], 0)


class Money(unittest.TestCase):
    def setUp(self):
        self.sim = Simulator("--latency", "fixed:1")
        self.addCleanup(self.sim.__exit__)

    def test_the_bill_is_the_usage_times_the_price(self):
        usage = self.sim.chat("What is it?", id="a").json["usage"]
        line = self.sim.bill()[0][0]
        self.assertEqual((line["id"], line["provider"], line["model"], line["mode"]),
                         ("a", "openai", "gpt-4o-mini-2024-07-18", "sync"))
        self.assertEqual(int(line["amount"]), usage["prompt_tokens"] * 150000 +
                         usage["completion_tokens"] * 600000)
        usage = self.sim.message("What is it?", id="b").json["usage"]
        self.assertEqual(int(self.sim.bill()[0][1]["amount"]),
                         usage["input_tokens"] * 1000000 + usage["output_tokens"] * 5000000)

    def test_errors_and_early_refusals_cost_nothing(self):
        for text in ["[[sim:500]]", "[[sim:429]]", "[[sim:401]]"]:
            self.sim.chat(text)
        self.sim.message("[[sim:refusal]]")
        self.assertEqual(self.sim.bill()[0], [])
        self.sim.chat("[[sim:refusal]]")
        self.assertEqual(len(self.sim.bill()[0]), 1)

    def test_openai_caches_long_prefixes(self):
        prefix = "".join(f"Rule {i}: be kind. " for i in range(400))
        body = {"model": "gpt-4o-mini", "messages": [{"role": "system", "content": prefix},
                                                     {"role": "user", "content": "one"}]}
        usage = self.sim.openai(body).json["usage"]
        self.assertEqual(usage["prompt_tokens_details"]["cached_tokens"], 0)
        body["messages"][1]["content"] = "two"
        usage = self.sim.openai(body).json["usage"]
        cached = usage["prompt_tokens_details"]["cached_tokens"]
        self.assertGreaterEqual(cached, 1024)
        self.assertEqual(cached % 128, 0)
        self.assertLess(cached, usage["prompt_tokens"])
        line = self.sim.bill()[0][1]
        self.assertEqual(line["cache_read"], cached)
        self.assertEqual(int(line["amount"]), (usage["prompt_tokens"] - cached) * 150000 +
                         cached * 75000 + usage["completion_tokens"] * 600000)
        self.assertEqual(self.sim.openai(body, key="other").json["usage"]
                         ["prompt_tokens_details"]["cached_tokens"], 0)

    def test_writing_a_cache_costs_where_the_model_says_so(self):
        text = "".join(f"Rule {i}: be kind. " for i in range(400))
        first = self.sim.chat(text, model="gpt-5.6-terra").json["usage"]
        self.assertGreaterEqual(first["prompt_tokens_details"]["cache_write_tokens"], 1024)
        line = self.sim.bill()[0][0]
        self.assertEqual(int(line["amount"]), line["input"] * 2000000 +
                         line["cache_write"] * 2500000 + line["output"] * 12000000)

    def test_anthropic_caches_up_to_breakpoints(self):
        rules = "".join(f"Rule {i}: be kind. " for i in range(400))

        def ask(text, ttl):
            return self.sim.message(text, model="claude-sonnet-4-5", fields={"system": [
                {"type": "text", "text": rules,
                 "cache_control": {"type": "ephemeral", "ttl": ttl}}]}).json["usage"]

        first, second = ask("one", "1h"), ask("two", "1h")
        written = first["cache_creation"]["ephemeral_1h_input_tokens"]
        self.assertGreaterEqual(written, 1024)
        self.assertEqual(first["cache_read_input_tokens"], 0)
        self.assertEqual(second["cache_read_input_tokens"], written)
        self.assertEqual(second["cache_creation_input_tokens"], 0)
        line = self.sim.bill()[0][0]
        self.assertEqual(int(line["amount"]), line["input"] * 3000000 + written * 6000000 +
                         line["output"] * 15000000)

    def test_short_prefixes_are_not_cached(self):
        usage = [self.sim.message("x", fields={"system": [
            {"type": "text", "text": "short", "cache_control": {"type": "ephemeral"}}]})
            .json["usage"] for _ in range(2)][1]
        self.assertEqual((usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]),
                         (0, 0))

    def test_duplicates_are_seen(self):
        self.sim.chat("x", id="same")
        self.sim.chat("x", id="same")
        self.assertEqual(self.sim.control()["duplicates"], 1)

    def test_the_bill_survives_the_end(self):
        self.sim.chat("x")
        total = self.sim.control()["bill"]
        self.sim.process.terminate()
        self.sim.process.wait(10)
        self.assertEqual(str(sum(int(line["amount"]) for line in self.sim.bill()[0])), total)
        self.sim.stop()


class Limits(unittest.TestCase):
    def test_openai_tells_its_limits(self):
        with Simulator("--limit", "rpm=60,tpm=30000") as sim:
            headers = sim.chat("x", fields={"max_completion_tokens": 1000}).headers
            self.assertEqual(headers["x-ratelimit-limit-requests"], "60")
            self.assertEqual(headers["x-ratelimit-remaining-requests"], "59")
            self.assertEqual(headers["x-ratelimit-limit-tokens"], "30000")
            self.assertEqual(headers["x-ratelimit-remaining-tokens"], "29000")
            self.assertEqual(headers["x-ratelimit-reset-requests"], "1s")
            self.assertRegex(headers["x-ratelimit-reset-tokens"], f"^({DURATION})$")

    def test_openai_says_no_at_the_limit(self):
        with Simulator("--limit", "rpm=3,tpm=3000,model=gpt-4o-mini") as sim:
            statuses = [sim.chat("x").status for _ in range(4)]
            self.assertEqual(statuses, [200, 200, 200, 429])
            refused = sim.chat("x")
            self.assertEqual(refused.json["error"]["type"], "requests")
            self.assertTrue(15 <= int(refused.headers["retry-after"]) <= 20)
            self.assertEqual(sim.chat("x", model="gpt-4o").status, 200)
            self.assertEqual(sim.chat("x", key="other").status, 200)
            seen = sim.control()
            self.assertEqual((seen["limited"], seen["throttled"], seen["accepted"]), (2, 2, 5))
            large = sim.chat("x", key="third", fields={"max_completion_tokens": 4000})
            self.assertIn("Request too large", large.json["error"]["message"])

    def test_a_bucket_may_start_nearly_empty(self):
        with Simulator("--limit", "rpm=100,fill=0.02") as sim:
            self.assertEqual([sim.chat("x").status for _ in range(3)], [200, 200, 429])
            quota = sim.control()["quotas"][0]
            self.assertEqual((quota["model"], quota["rpm"]["limit"]), ("gpt-4o-mini", 100))
            self.assertTrue(0 <= quota["rpm"]["left"] < 1, quota)

    def test_anthropic_tells_and_keeps_its_limits(self):
        with Simulator("--limit", "rpm=1000,itpm=2000,otpm=500") as sim:
            headers = sim.message("x").headers
            self.assertEqual(headers["anthropic-ratelimit-requests-remaining"], "999")
            for kind in ["requests", "tokens", "input-tokens", "output-tokens"]:
                self.assertRegex(headers[f"anthropic-ratelimit-{kind}-reset"],
                                 r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
                self.assertIn(f"anthropic-ratelimit-{kind}-limit", headers)
            refused = sim.message("word " * 2000)
            self.assertEqual(refused.status, 429)
            self.assertIn("input tokens", refused.json["error"]["message"])
            self.assertEqual(sim.message("[[sim:tokens 600]]").status, 200)
            refused = sim.message("x")
            self.assertEqual(refused.status, 429)
            self.assertIn("output tokens", refused.json["error"]["message"])
            self.assertGreaterEqual(int(refused.headers["retry-after"]), 1)

    def test_limits_change_silently(self):
        with Simulator("--limit", "rpm=100") as sim:
            sim.chat("x")
            sim.control(limit="rpm=50", hide_headers=True)
            headers = sim.chat("x").headers
            self.assertNotIn("x-ratelimit-limit-requests", headers)
            self.assertEqual([sim.chat("x").status for _ in range(49)].count(429), 1)
            sim.control(hide_waits=True)
            self.assertNotIn("retry-after", sim.chat("x").headers)
            sim.control(limit=["rpm=0"], hide_headers=False)
            self.assertEqual(sim.chat("x").status, 200)


class Chance(unittest.TestCase):
    def test_faults_strike_at_their_rate_and_repeat_with_the_seed(self):
        def run(seed):
            faults = "500@gpt-4o-mini=0.3,429@gpt-4o=1"
            with Simulator("--seed", str(seed), "--fault", faults) as sim:
                statuses = [sim.chat(f"job {i % 100}").status for i in range(300)]
                self.assertEqual(sim.chat("x", model="gpt-4o").status, 429)
                self.assertEqual(sim.control()["faults"]["500"], statuses.count(500))
                return statuses

        first = run(7)
        self.assertTrue(50 <= first.count(500) <= 130, first.count(500))
        self.assertEqual(run(7), first)
        self.assertNotEqual(run(8), first)

    def test_a_schedule_holds_for_its_time(self):
        with Simulator() as sim:
            sim.control(schedule="0 3600 503 1 openai\n3600 - 500 1\n")
            self.assertEqual(sim.chat("x").status, 503)
            self.assertEqual(sim.message("x").status, 200)
            sim.control(fault="")
            self.assertEqual(sim.chat("x").status, 200)

    def test_a_bad_order_changes_nothing(self):
        with Simulator("--fault", "500=1") as sim:
            for order in [{"fault": "nonsense=1"}, {"fault": "500=2"}, {"limit": "rpm=x"},
                          {"schedule": "0 1 500"}, {"latency": "soon"}]:
                self.assertEqual(sim.send("POST", "/control", order).status, 400, order)
            self.assertEqual(sim.chat("x").status, 500)

    def test_a_bad_key_is_refused(self):
        with Simulator("--bad-key", "stolen", "--key", "stolen", "--key", "good") as sim:
            self.assertEqual(sim.chat("x", key="stolen").status, 401)
            self.assertEqual(sim.chat("x", key="else").status, 401)
            self.assertEqual(sim.chat("x", key="good").status, 200)

    def test_repeats_vary_when_asked(self):
        with Simulator("--vary") as sim:
            self.assertNotEqual(sim.chat("x").json["choices"], sim.chat("x").json["choices"])

    def test_a_pause_holds_answers_back(self):
        with Simulator() as sim:
            sim.control(pause=True)
            self.assertEqual(sim.raw_chat("x", 0.2), (b"", "silent"))
            sim.control(pause=False)
            self.assertEqual(sim.chat("x").status, 200)


class Records(unittest.TestCase):
    def test_requests_are_recorded_without_their_key(self):
        with Simulator() as sim:
            path = os.path.join(sim.directory.name, "record")
            with Simulator("--record", path) as recorder:
                recorder.chat("hello", key="secret-key")
                recorder.message("hello", key="secret-key")
            with open(path) as file:
                text = file.read()
            lines = [json.loads(line) for line in text.splitlines()]
            self.assertNotIn("secret-key", text)
            self.assertEqual([line["url"] for line in lines],
                             ["/v1/chat/completions", "/v1/messages"])
            self.assertEqual(json.loads(lines[0]["body"])["messages"][0]["content"], "hello")

    def test_prices_can_be_given(self):
        with Simulator() as sim:
            path = os.path.join(sim.directory.name, "prices")
            with open(path, "w") as file:
                file.write("# mine\nopenai tiny snapshot=tiny-1 in=1 out=0.000001\n")
            with Simulator("--prices", path) as priced:
                answer = priced.chat("x", model="tiny").json
                self.assertEqual(answer["model"], "tiny-1")
                usage = answer["usage"]
                self.assertEqual(int(priced.bill()[0][0]["amount"]),
                                 usage["prompt_tokens"] * 1000000 + usage["completion_tokens"])


class Independence(unittest.TestCase):
    def test_no_domain_module_is_shared_with_the_product(self):
        allowed = {"buffer.h", "clock.h", "compiler.h", "ensure.h", "error.h", "json.h"}
        here = os.path.dirname(os.path.abspath(__file__))
        own = {os.path.basename(path) for path in glob.glob(os.path.join(here, "*.h"))}
        for path in glob.glob(os.path.join(here, "*.[ch]")):
            with open(path) as file:
                for name in re.findall(r'#include "([^"]+)"', file.read()):
                    self.assertIn(name, own | allowed, path)


if __name__ == "__main__":
    unittest.main()
