#!/usr/bin/env python3
"""Claims about the simulator's batches, proved over its port, with a day in a few seconds."""
import http.client
import json
import time
import unittest

from harness import Simulator, golden, shape_differs

FAST = ["--batch-speed", "6000", "--batch-run", "600"]  # a run in a tenth of a second


def line(custom_id, text="hi", model="gpt-4o-mini", **more):
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions",
            "body": body} | more


def request(custom_id, text="hi", model="claude-haiku-4-5", **more):
    return {"custom_id": custom_id,
            "params": {"model": model, "max_tokens": 100,
                       "messages": [{"role": "user", "content": text}]} | more}


def jsonl(body):
    return [json.loads(text) for text in body.decode().splitlines()]


class Batches(unittest.TestCase):
    options = []

    def setUp(self):
        self.sim = Simulator(*FAST, *self.options)
        self.addCleanup(self.sim.__exit__)

    def wait(self, look, until, seconds=10):
        """The object that look() gives once its status is one of `until`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = look()
            if found.status == 200:
                status = found.json.get("status") or found.json.get("processing_status")
                if status in until:
                    return found.json
            time.sleep(0.01)
        self.fail(f"no {until}: {found.body}")

    def eventually(self, claim, seconds=10):
        end = time.monotonic() + seconds
        while not claim():
            self.assertLess(time.monotonic(), end, "it never came true")
            time.sleep(0.01)

    # OpenAI

    def upload(self, lines, name="sluice-1.jsonl", purpose="batch"):
        text = "\n".join(item if isinstance(item, str) else json.dumps(item) for item in lines)
        body = (f'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n{purpose}\r\n'
                f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
                f'Content-Type: application/octet-stream\r\n\r\n{text}\r\n--b--\r\n')
        return self.sim.send("POST", "/v1/files", body, {
            "Authorization": "Bearer k", "Content-Type": "multipart/form-data; boundary=b"})

    def create(self, file_id, **more):
        return self.sim.openai({"input_file_id": file_id, "endpoint": "/v1/chat/completions",
                                "completion_window": "24h"} | more, path="/v1/batches")

    def get(self, path, **more):
        return self.sim.openai(None, path=path, method="GET", **more)

    def submit(self, lines, **more):
        answer = self.create(self.upload(lines).json["id"], **more)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def finish(self, batch, until=("completed", "failed", "expired", "cancelled")):
        return self.wait(lambda: self.get(f"/v1/batches/{batch['id']}"), until)

    def lines_of(self, batch, which="output_file_id"):
        if not batch[which]:
            return []
        return jsonl(self.get(f"/v1/files/{batch[which]}/content").body)

    # Anthropic

    def submit_messages(self, requests):
        answer = self.sim.anthropic({"requests": requests}, path="/v1/messages/batches")
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def look(self, path):
        return self.sim.anthropic(None, path=path, method="GET")

    def end(self, batch):
        return self.wait(lambda: self.look(f"/v1/messages/batches/{batch['id']}"), ("ended",))

    def results(self, batch):
        path = batch["results_url"].removeprefix(f"http://127.0.0.1:{self.sim.port}")
        self.assertTrue(path.startswith("/v1/"), batch["results_url"])
        return self.look(path)

    def assertShape(self, ours, path):
        text = golden(path)
        if text is not None:
            self.assertIsNone(shape_differs(ours, json.loads(text)), path)


class OpenAI(Batches):
    def test_a_batch_goes_from_file_to_results_at_half_price(self):
        lines = [line(f"job-{i}", f"question {i}") for i in range(40)]
        uploaded = self.upload(lines).json
        self.assertShape(uploaded, "openai/files/file-batch-input.json")
        self.assertEqual(self.get(f"/v1/files/{uploaded['id']}/content").body.decode(),
                         "\n".join(map(json.dumps, lines)))
        metadata = {"fleet_batch": "b-1", "input_sha256": "0"}
        created = self.create(uploaded["id"], metadata=metadata).json
        self.assertShape(created, "openai/batches/object-validating.json")
        self.assertEqual(created["status"], "validating")
        self.assertEqual(created["metadata"], metadata)
        done = self.finish(created)
        self.assertShape(done, "openai/batches/object-completed.json")
        self.assertEqual(done["request_counts"], {"total": 40, "completed": 40, "failed": 0})
        self.assertIsNone(done["error_file_id"])
        results = self.lines_of(done)
        names = [result["custom_id"] for result in results]
        self.assertEqual(sorted(names), sorted(item["custom_id"] for item in lines))
        self.assertNotEqual(names, [item["custom_id"] for item in lines])
        bill, ended = self.sim.bill()
        self.assertEqual({charge["id"] for charge in bill}, set(names))
        for result in results:
            usage = result["response"]["body"]["usage"]
            charge = next(c for c in bill if c["id"] == result["custom_id"])
            self.assertEqual(charge["mode"], "batch")
            self.assertEqual(charge["batch"], created["id"])
            self.assertEqual(charge["request"], result["response"]["request_id"])
            self.assertEqual(int(charge["amount"]), usage["prompt_tokens"] * 75000 +
                             usage["completion_tokens"] * 300000)
        self.assertEqual(done["usage"]["output_tokens"], sum(c["output"] for c in bill))
        self.sim.control()
        self.assertTrue(all(self.sim.bill()[1][c["request"]]["delivered"] for c in bill))

    def test_bad_lines_fail_the_batch_after_its_create(self):
        cases = {
            "duplicate_custom_id": [line("a"), line("a")],
            "invalid_json_line": [line("a"), "{"],
            "model_mismatch": [line("a"), line("b", model="gpt-4o")],
            "model_not_found": [line("a", model="gpt-99")],
            "invalid_url": [line("a", url="/v1/embeddings")],
            "missing_required_parameter": [{"method": "POST"}],
            "empty_file": [""],
        }
        for code, lines in cases.items():
            failed = self.finish(self.submit(lines))
            self.assertEqual(failed["status"], "failed", code)
            self.assertIn(code, [error["code"] for error in failed["errors"]["data"]])
        self.assertShape(self.finish(self.submit(cases["duplicate_custom_id"])),
                         "openai/batches/object-failed-validation.json")
        self.assertEqual(self.sim.bill()[0], [])

    def test_errors_of_lines_are_in_the_other_file(self):
        done = self.finish(self.submit([
            line("good"), line("bad", "[[sim:500]]"),
            line("hot", body={"model": "gpt-4o-mini", "temperature": 9,
                              "messages": [{"role": "user", "content": "x"}]})]))
        self.assertEqual(done["request_counts"], {"total": 3, "completed": 1, "failed": 2})
        errors = {e["custom_id"]: e for e in self.lines_of(done, "error_file_id")}
        self.assertEqual(errors["bad"]["response"]["status_code"], 500)
        self.assertEqual(errors["hot"]["response"]["status_code"], 400)
        self.assertEqual([c["id"] for c in self.sim.bill()[0]], ["good"])

    def test_a_batch_of_failures_has_no_output_file(self):
        done = self.finish(self.submit([line("bad", "[[sim:500]]")]))
        self.assertEqual(done["status"], "completed")
        self.assertIsNone(done["output_file_id"])

    def test_what_can_not_be_ordered_is_refused(self):
        self.assertEqual(self.upload([line("a")], name="x.txt").status, 400)
        missing = self.create("file-nope")
        self.assertEqual((missing.status, missing.json["error"]["param"]), (400, "file_id"))
        file_id = self.upload([line("a")]).json["id"]
        self.assertEqual(self.create(file_id, endpoint="/v1/other").status, 400)
        self.assertEqual(self.create(file_id, completion_window="1h").status, 400)
        self.assertEqual(self.create(file_id, metadata={"a": 1}).status, 400)
        self.assertEqual(self.get("/v1/batches/batch_nope").status, 404)
        self.assertEqual(self.get("/v1/files/file-nope").status, 404)

    def test_a_cancelled_batch_keeps_what_was_done(self):
        self.sim.control(batch_run=20000)
        batch = self.submit([line(f"job-{i}") for i in range(200)])
        self.eventually(lambda: self.sim.control()["batches"][0]["done"] > 0)
        answer = self.sim.openai(None, path=f"/v1/batches/{batch['id']}/cancel")
        self.assertEqual(answer.json["status"], "cancelling")
        done = self.finish(batch)
        self.assertEqual(done["status"], "cancelled")
        counts = done["request_counts"]
        self.assertTrue(0 < counts["completed"] < 200, counts)
        errors = self.lines_of(done, "error_file_id")
        self.assertEqual(len(errors), 200 - counts["completed"])
        self.assertEqual(errors[0]["error"]["code"], "batch_cancelled")
        self.assertEqual(len(self.sim.bill()[0]), counts["completed"])
        again = self.sim.openai(None, path=f"/v1/batches/{batch['id']}/cancel")
        self.assertEqual(again.status, 409)

    def test_lists_are_paged_newest_first(self):
        ids = [self.submit([line("a")])["id"] for _ in range(5)]
        page = self.get("/v1/batches?limit=2").json
        self.assertEqual([b["id"] for b in page["data"]], ids[:2:-1])
        self.assertTrue(page["has_more"])
        rest = self.get(f"/v1/batches?limit=10&after={page['last_id']}").json
        self.assertEqual([b["id"] for b in rest["data"]], ids[2::-1])
        self.assertFalse(rest["has_more"])
        self.assertShape(page, "openai/batches/list.json")
        files = self.get("/v1/files?purpose=batch&limit=1").json
        self.assertShape(files, "openai/files/list.json")
        self.assertEqual(len(files["data"]), 1)

    def test_a_download_can_be_resumed(self):
        done = self.finish(self.submit([line("a"), line("b")]))
        path = f"/v1/files/{done['output_file_id']}/content"
        whole = self.get(path).body
        part = self.sim.send("GET", path, None, {"Authorization": "Bearer k",
                                                 "Range": "bytes=100-"})
        self.assertEqual((part.status, part.body), (206, whole[100:]))

    def test_files_can_be_deleted(self):
        file_id = self.upload([line("a")]).json["id"]
        answer = self.sim.openai(None, path=f"/v1/files/{file_id}", method="DELETE")
        self.assertTrue(answer.json["deleted"])
        self.assertEqual(self.get(f"/v1/files/{file_id}").status, 404)

    def test_enqueued_tokens_are_limited(self):
        self.sim.control(batch_tokens=100, batch_run=100000)
        first = self.submit([line("a")])
        self.finish(first, ("in_progress",))
        failed = self.finish(self.submit([line("b", "word " * 100)]))
        self.assertEqual(failed["errors"]["data"][0]["code"], "token_limit_exceeded")
        self.assertIsNone(failed["errors"]["data"][0]["line"])
        self.assertShape(failed, "openai/batches/object-failed-token_limit.json")

    def test_thousands_of_lines_are_done(self):
        done = self.finish(self.submit([line(f"job-{i}", f"question {i}") for i in range(5000)]))
        self.assertEqual(done["request_counts"]["completed"], 5000)
        self.assertEqual(len({r["custom_id"] for r in self.lines_of(done)}), 5000)


class OpenAIFaults(Batches):
    def fault(self, name, count=20):
        return [line(f"job-{i}", f"question {i} [[sim:{name}]]" if i == 0 else f"question {i}")
                for i in range(count)]

    def test_a_lost_create_has_made_its_batch(self):
        file_id = self.upload(self.fault("batch_lost_create*1")).json["id"]
        with self.assertRaises(ConnectionError):
            self.create(file_id, metadata={"intent": "i-1"})
        found = self.get("/v1/batches").json["data"]
        self.assertEqual([(b["input_file_id"], b["metadata"]) for b in found],
                         [(file_id, {"intent": "i-1"})])
        self.assertEqual(self.create(file_id).status, 200)
        seen = self.sim.control()
        self.assertEqual((seen["batch_count"], seen["batch_repeats"]), (2, 1))
        self.assertEqual(seen["batches"][1]["metadata"], {"intent": "i-1"})

    def test_a_lost_upload_has_stored_its_file(self):
        with self.assertRaises(ConnectionError):
            self.upload(self.fault("batch_lost_upload"), name="sluice-77.jsonl")
        names = [f["filename"] for f in self.get("/v1/files?purpose=batch").json["data"]]
        self.assertEqual(names, ["sluice-77.jsonl"])

    def test_a_file_may_be_found_late(self):
        file_id = self.upload(self.fault("batch_file_late")).json["id"]
        statuses = [self.create(file_id).status for _ in range(3)]
        self.assertEqual(statuses, [400, 400, 200])

    def test_a_batch_may_hide_and_flap(self):
        hidden = self.submit(self.fault("batch_hidden"))
        self.assertEqual(self.get("/v1/batches").json["data"], [])
        self.assertEqual(self.get(f"/v1/batches/{hidden['id']}").status, 200)
        self.eventually(lambda: len(self.get("/v1/batches").json["data"]) == 1)
        flapping = self.submit(self.fault("batch_flap"))
        statuses = [self.get(f"/v1/batches/{flapping['id']}").status for _ in range(6)]
        self.assertEqual(statuses, [404, 404, 200, 200, 404, 200])

    def test_a_batch_may_fail_or_expire(self):
        failed = self.finish(self.submit(self.fault("batch_token_limit")))
        self.assertEqual(failed["errors"]["data"][0]["code"], "token_limit_exceeded")
        failed = self.finish(self.submit(self.fault("batch_invalid")))
        self.assertEqual(failed["status"], "failed")
        self.sim.control(batch_speed=600000)
        expired = self.finish(self.submit(self.fault("batch_expire")))
        self.assertEqual(expired["status"], "expired")
        self.assertEqual(expired["request_counts"], {"total": 20, "completed": 10, "failed": 10})
        self.assertEqual({e["error"]["code"] for e in self.lines_of(expired, "error_file_id")},
                         {"batch_expired"})
        self.assertEqual(len(self.sim.bill()[0]), 10)
        stuck = self.finish(self.submit(self.fault("batch_stuck")))
        self.assertEqual((stuck["status"], stuck["output_file_id"]), ("expired", None))

    def test_results_may_be_missing_doubled_and_foreign(self):
        done = self.finish(self.submit(self.fault("batch_missing")))
        self.assertEqual(len(self.lines_of(done)), 18)
        self.assertEqual(len(self.sim.bill()[0]), 18)
        done = self.finish(self.submit(self.fault("batch_duplicate")))
        names = [r["custom_id"] for r in self.lines_of(done)]
        self.assertEqual((len(names), len(set(names))), (21, 20))
        done = self.finish(self.submit(self.fault("batch_foreign")))
        names = {r["custom_id"] for r in self.lines_of(done)}
        self.assertEqual(len(names - {f"job-{i}" for i in range(20)}), 1)

    def test_odd_ends(self):
        done = self.finish(self.submit(self.fault("batch_empty_id")))
        self.assertEqual(done["error_file_id"], "")
        done = self.finish(self.submit(self.fault("batch_zero")))
        zeros = [e for e in self.lines_of(done, "error_file_id")
                 if e["response"]["status_code"] == 0]
        self.assertEqual(len(zeros), 2)

    def test_a_cut_download_is_not_delivered_and_the_next_is(self):
        done = self.finish(self.submit(self.fault("batch_cut")))
        path = f"/v1/files/{done['output_file_id']}/content"
        with self.assertRaises(http.client.IncompleteRead):
            self.get(path)
        self.sim.control()
        self.assertEqual(self.sim.bill()[1], {})
        self.assertEqual(len(jsonl(self.get(path).body)), 20)
        self.sim.control()
        self.assertEqual(len(self.sim.bill()[1]), 20)

    def test_the_same_file_again_meets_other_chances(self):
        self.sim.control(fault="batch_lost_upload@batch=0.5")
        lost = 0
        for _ in range(30):
            try:
                self.upload([line("a")])
            except ConnectionError:
                lost += 1
        self.assertTrue(5 <= lost <= 25, lost)

    def test_rates_reach_batches_and_lines(self):
        self.sim.control(fault="500@batch=1")
        self.assertEqual(self.upload([line("a")]).status, 500)
        self.assertEqual(self.get("/v1/batches").status, 500)
        self.assertEqual(self.sim.chat("x").status, 200)
        self.sim.control(fault="500@line=1")
        done = self.finish(self.submit([line("a")]))
        self.assertEqual(done["request_counts"]["failed"], 1)
        self.sim.control(fault="batch_invalid@batch=1")
        self.assertEqual(self.finish(self.submit([line("a")]))["status"], "failed")


class Anthropic(Batches):
    def test_a_batch_goes_from_requests_to_results_at_half_price(self):
        created = self.submit_messages([request(f"job-{i}", f"q {i}") for i in range(30)] +
                                       [request("odd", model="claude-99"),
                                        request("stream", stream=True)])
        self.assertShape(created, "anthropic/batches/object-in_progress.json")
        self.assertEqual(created["request_counts"]["processing"], 32)
        done = self.end(created)
        self.assertShape(done, "anthropic/batches/object-ended.json")
        self.assertEqual(done["request_counts"], {"processing": 0, "succeeded": 30, "errored": 2,
                                                  "canceled": 0, "expired": 0})
        results = {r["custom_id"]: r["result"] for r in jsonl(self.results(done).body)}
        self.assertEqual(len(results), 32)
        self.assertEqual(results["odd"]["type"], "errored")
        self.assertEqual(results["odd"]["error"]["error"]["type"], "not_found_error")
        self.assertEqual(results["stream"]["type"], "errored")
        usage = results["job-3"]["message"]["usage"]
        self.assertEqual(usage["service_tier"], "batch")
        charge = next(c for c in self.sim.bill()[0] if c["id"] == "job-3")
        self.assertEqual(int(charge["amount"]), usage["input_tokens"] * 500000 +
                         usage["output_tokens"] * 2500000)
        self.sim.control()
        self.assertEqual(len(self.sim.bill()[1]), 30)

    def test_counts_stay_zero_until_the_end(self):
        self.sim.control(batch_run=30000)
        created = self.submit_messages([request(f"job-{i}") for i in range(100)])
        self.eventually(lambda: self.sim.control()["batches"][0]["done"] > 0)
        seen = self.look(f"/v1/messages/batches/{created['id']}").json
        self.assertEqual(seen["request_counts"]["processing"], 100)
        self.assertEqual(seen["request_counts"]["succeeded"], 0)
        self.assertIsNone(seen["results_url"])

    def test_custom_ids_are_checked_at_once(self):
        for requests in [[request("a"), request("a")], [request("a b")], [request("x" * 65)], []]:
            answer = self.sim.anthropic({"requests": requests}, path="/v1/messages/batches")
            self.assertEqual((answer.status, answer.json["error"]["type"]),
                             (400, "invalid_request_error"))

    def test_a_canceled_batch_keeps_what_was_done(self):
        self.sim.control(batch_run=30000)
        created = self.submit_messages([request(f"job-{i}") for i in range(100)])
        self.eventually(lambda: self.sim.control()["batches"][0]["done"] > 0)
        path = f"/v1/messages/batches/{created['id']}"
        canceling = self.sim.anthropic(None, path=path + "/cancel").json
        self.assertShape(canceling, "anthropic/batches/object-canceling.json")
        self.assertEqual(canceling["processing_status"], "canceling")
        done = self.end(created)
        counts = done["request_counts"]
        self.assertEqual(counts["succeeded"] + counts["canceled"], 100)
        self.assertEqual(len(self.sim.bill()[0]), counts["succeeded"])
        kinds = [r["result"]["type"] for r in jsonl(self.results(done).body)]
        self.assertEqual(kinds.count("canceled"), counts["canceled"])
        self.assertTrue(self.sim.anthropic(None, path=path, method="DELETE").json["id"])
        self.assertEqual(self.look(path).status, 404)

    def test_an_expired_batch_keeps_what_was_done(self):
        self.sim.control(batch_speed=600000)
        done = self.end(self.submit_messages(
            [request(f"job-{i}", "x [[sim:batch_expire]]") for i in range(10)]))
        self.assertEqual(done["request_counts"]["expired"], 5)

    def test_a_lost_create_shows_in_the_list_only(self):
        requests = [request("job-1", "y [[sim:batch_lost_create*1]]")]
        with self.assertRaises(ConnectionError):
            self.submit_messages(requests)
        page = self.look("/v1/messages/batches?limit=5").json
        self.assertEqual(len(page["data"]), 1)
        self.assertShape(page, "anthropic/batches/list.json")
        self.submit_messages(requests)
        seen = self.sim.control()
        self.assertEqual((seen["batch_count"], seen["batch_repeats"]), (2, 1))
        older = self.look(f"/v1/messages/batches?after_id={seen['batches'][0]['id']}").json
        self.assertEqual([b["id"] for b in older["data"]], [page["data"][0]["id"]])
        self.eventually(lambda: self.sim.control()["duplicates"] > 0)


if __name__ == "__main__":
    unittest.main()
