"""Files of the OpenAI shape: what is uploaded comes back byte by byte, whoever does not own it sees
nothing, and the longest upload takes no more memory than a short one."""
import hashlib
import http.client
import json
import os
import threading
import time

from api import Api, make_key
from fleet import Fleet, claim, same, say, sure, wait_for
from openai import Form, line, lines, refusal, send, upload

MOST = 64 << 20  # memory that an upload, or a download, of 200 MB may add
LONGEST = 200_000_000


def life(api, key):
    claim("a file is uploaded, shown, listed, read and deleted")
    content = lines([line(f"request-{i}", "ä" * i) for i in range(2000)])  # some pieces
    made = upload(api, key, content)
    same(made.status, 200, f"status ({made.body[:300]})")
    file = made.json
    same({name: file[name] for name in ("object", "bytes", "filename", "purpose", "status")},
         {"object": "file", "bytes": len(content), "filename": "input.jsonl", "purpose": "batch",
          "status": "processed"}, "the file")
    same(file["expires_at"] - file["created_at"], 30 * 24 * 3600, "how long it is kept")
    sure(abs(file["created_at"] - time.time()) < 60, "when it was made")
    sure(file["id"].startswith("file-"), "its id")
    path = f"/v1/files/{file['id']}"
    same(api.ask("GET", path, key=key).json, file, "the file as it is shown")
    same(api.ask("GET", "/v1/files", key=key).json,
         {"object": "list", "data": [file], "first_id": file["id"], "last_id": file["id"],
          "has_more": False}, "the list")
    answer = api.ask("GET", path + "/content", key=key)
    same((answer.status, answer.body), (200, content), "its bytes")
    same(int(answer.headers["Content-Length"]), len(content), "its length")
    same(api.ask("DELETE", path, key=key).json, {"id": file["id"], "object": "file", "deleted": True},
         "the end")
    for gone in (api.ask("GET", path, key=key), api.ask("GET", path + "/content", key=key),
                 api.ask("DELETE", path, key=key)):
        refusal(gone, 404, None, "id", "No such File object: file-")
    same(api.ask("GET", "/v1/files", key=key).json["data"], [], "the list afterwards")


def pages(api, key):
    claim("pages of the list hold every file once, in both orders")
    made = [upload(api, key, b"{}\n", f"{i}.jsonl", expires_after__anchor="created_at",
                   expires_after__seconds="3600").json for i in range(7)]
    same({file["expires_at"] - file["created_at"] for file in made}, {3600}, "how long they are kept")
    ids = [file["id"] for file in made]
    for order, wanted in (("asc", ids), ("desc", ids[::-1])):
        seen, after, more = [], "", True
        while more:
            page = api.ask("GET", f"/v1/files?limit=3&order={order}&purpose=batch{after}", key=key).json
            same(page["first_id"], page["data"][0]["id"], "first_id")
            seen += [file["id"] for file in page["data"]]
            after, more = "&after=" + page["last_id"], page["has_more"]
        same(seen, wanted, f"files, {order}")
    same(api.ask("GET", "/v1/files?purpose=batch_output", key=key).json["data"], [], "of another purpose")
    for query, param in (("limit=0", "limit"), ("limit=10001", "limit"), ("limit=x", "limit"),
                         ("order=up", "order"), ("after=file-1", "after"), ("order", "order")):
        refusal(api.ask("GET", f"/v1/files?{query}", key=key), 400, "invalid_value", param)
    return ids


def bad_forms(api, key):
    claim("what is no file is refused, and says why")
    good = ("a.jsonl", b"{}\n")
    refusal(send(api, key, Form(file=good)), 400, "missing_required_parameter", "purpose")
    refusal(send(api, key, Form(purpose="fine-tune", file=good)), 400, "invalid_value", "purpose")
    refusal(send(api, key, Form(purpose="batch")), 400, "missing_required_parameter", "file")
    refusal(upload(api, key, b"{}", "a.json"), 400, None, None, "Must be .jsonl")
    refusal(upload(api, key, b""), 400, "empty_file", "file")
    refusal(upload(api, key, b"{}", expires_after__anchor="created_at", expires_after__seconds="60"), 400,
            "invalid_value", "expires_after")
    refusal(send(api, key, Form(purpose="batch", colour="red", file=good)), 400, "invalid_form", None, "colour")
    refusal(api.ask("POST", "/v1/files", {"purpose": "batch"}, key), 415, "unsupported_media_type")
    cut = Form(purpose="batch", file=good)
    cut.body = cut.body[:-20]
    refusal(send(api, key, cut), 400, "invalid_form", None, "no end")
    refusal(api.ask("GET", "/v1/files/nonsense", key=key), 404, None, "id", "No such File object: nonsense")
    refusal(api.ask("GET", "/v1/files"), 401, "invalid_api_key")
    refusal(api.ask("PUT", "/v1/files", key=key), 405, "method_not_allowed")


def whose(fleet, api, key, ids):
    claim("a key of another unit sees nothing of it; one of several units brings files of its own")
    foreign = make_key(fleet, "support")
    wait_for(5, "the key is known", lambda: api.ask("GET", "/v1/files", key=foreign).status == 200)
    same(api.ask("GET", "/v1/files", key=foreign).json["data"], [], "its list")
    for method, path in (("GET", ids[0]), ("GET", ids[0] + "/content"), ("DELETE", ids[0])):
        refusal(api.ask(method, f"/v1/files/{path}", key=foreign), 404, None, "id")
    both = make_key(fleet, "search", "claims")
    wait_for(5, "the key is known", lambda: api.ask("GET", "/v1/files", key=both).status == 200)
    own = upload(api, both, b"{}\n").json["id"]
    same(api.ask("GET", f"/v1/files/{own}", key=both).status, 200, "its own")
    refusal(api.ask("GET", f"/v1/files/{own}", key=key), 404, None, "id")
    form = Form(purpose="batch", file=("a.jsonl", b"{}\n"))
    shared = send(api, both, form, OpenAI_Project="search").json["id"]
    same(api.ask("GET", f"/v1/files/{shared}", key=key).status, 200, "that of a unit both see")
    refusal(send(api, both, form, OpenAI_Project="support"), 403, "forbidden")
    reader = make_key(fleet, "search", rights=("read",))
    wait_for(5, "the key is known", lambda: api.ask("GET", "/v1/files", key=reader).status == 200)
    refusal(upload(api, reader, b"{}\n"), 403, "forbidden")


class Beside(threading.Thread):
    """Runs beside a `with` block, until `over` is set at its end."""

    def __init__(self):
        super().__init__(daemon=True)
        self.over = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


class Watch(Beside):
    """The most memory a process has of its own, looked at a hundred times a second."""

    def __init__(self, pid):
        super().__init__()
        self.pid = pid
        self.before = self.look()
        self.most = self.before

    def look(self):
        """Resident, pages of files that are mapped included."""
        with open(f"/proc/{self.pid}/status") as status:
            return next(int(text.split()[1]) << 10 for text in status if text.startswith("VmRSS"))

    def run(self):
        while not self.over.is_set():
            self.most = max(self.most, self.look())
            self.over.wait(0.01)

    def __exit__(self, *_):
        super().__exit__()
        self.added = self.most - self.before


def longest_line():
    text = b'{"custom_id":"request-%08d","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4o-mini","messages":[{"role":"user","content":"'
    return text, b'"}]}}\n'


def longest_body():
    """50,000 lines, 200 MB together, made as they are sent."""
    head, tail = longest_line()
    size = LONGEST // 50_000
    filler = os.urandom(size).hex().encode()
    for i in range(50_000):
        front = head % i
        yield front + filler[:size - len(front) - len(tail)] + tail


def long_upload(api, key):
    """The file's id and digest."""
    form = Form(purpose="batch", file=("long.jsonl", b"@"))
    front, back = form.body.split(b"@")
    digest = hashlib.sha256()
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=120)
    connection.putrequest("POST", "/v1/files")
    connection.putheader("Authorization", f"Bearer {key}")
    connection.putheader("Content-Type", form.type)
    connection.putheader("Content-Length", str(len(front) + LONGEST + len(back)))
    connection.endheaders()
    connection.send(front)
    for text in longest_body():
        digest.update(text)
        connection.send(text)
    connection.send(back)
    answer = connection.getresponse()
    body = answer.read()
    same(answer.status, 200, f"status of {body[:300]}")
    return json.loads(body), digest.hexdigest()


def memory(fleet, api, key):
    claim("an upload of 50,000 lines and 200 MB, and its download, take little memory, and hold up nobody")
    others = Others(api, key)
    with Watch(api.process.pid) as up, others:
        began = time.monotonic()
        file, digest = long_upload(api, key)
        took = time.monotonic() - began
    say(f"upload: {LONGEST / 1e6:.0f} MB in {took:.1f} s, {up.added >> 10} KiB more memory; "
        f"others waited {others.slowest:.2f} s at most, of {others.asked}")
    same(file["bytes"], LONGEST, "bytes")
    got, length = hashlib.sha256(), 0
    with Watch(api.process.pid) as down, Others(api, key) as others:
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=120)
        connection.request("GET", f"/v1/files/{file['id']}/content", headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        while piece := answer.read(1 << 20):
            got.update(piece)
            length += len(piece)
        took = time.monotonic() - began
    say(f"download: {took:.1f} s, {down.added >> 10} KiB more memory; others waited {others.slowest:.2f} s at most")
    same((length, got.hexdigest()), (LONGEST, digest), "what came back")
    sure(up.added < MOST and down.added < MOST, "the memory is bounded")
    api.ask("DELETE", f"/v1/files/{file['id']}", key=key)
    claim("who hangs up in the middle of a download leaves nothing behind")
    small = upload(api, key, b"x" * (4 << 20)).json["id"]
    for _ in range(20):
        connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=20)
        connection.request("GET", f"/v1/files/{small}/content", headers={"Authorization": f"Bearer {key}"})
        connection.getresponse().read(1000)
        connection.close()
    same(hashlib.sha256(api.ask("GET", f"/v1/files/{small}/content", key=key).body).hexdigest(),
         hashlib.sha256(b"x" * (4 << 20)).hexdigest(), "what the next one gets")


class Others(Beside):
    """Somebody who asks for a list all the time."""

    def __init__(self, api, key):
        super().__init__()
        self.api, self.key = api, key
        self.slowest, self.asked = 0.0, 0

    def run(self):
        while not self.over.is_set():
            began = time.monotonic()
            same(self.api.ask("GET", "/v1/jobs?limit=1", key=self.key).status, 200, "status")
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.asked += 1
            self.over.wait(0.02)


def swept(fleet):
    claim("what was deleted, or never became a file, is swept away")
    api = Api(fleet, "sweeper")
    left = ("SELECT count(*) FROM api_file_chunks WHERE file_id = '01900000-0000-7000-8000-000000000000' OR file_id IN "
            "(SELECT file_id FROM api_files WHERE deleted_at IS NOT NULL)")
    fleet.sql("INSERT INTO api_file_chunks VALUES ('01900000-0000-7000-8000-000000000000', 0, 'x'), "
              "('01900000-0000-7000-8000-000000000000', 1, 'x')")
    sure(fleet.number(left) > 2, "there is something to sweep")
    api.start()
    wait_for(10, "it is gone", lambda: fleet.number(left) == 0)
    sure(fleet.number("SELECT count(*) FROM api_files") > 0, "others are still there")
    api.stop()


def main():
    with Fleet("test_openai_files") as fleet:
        key = make_key(fleet, "search")
        api = Api(fleet).start()
        life(api, key)
        ids = pages(api, key)
        bad_forms(api, key)
        whose(fleet, api, key, ids)
        memory(fleet, api, key)
        api.stop()
        swept(fleet)


if __name__ == "__main__":
    main()
