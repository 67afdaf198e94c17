"""What tests ask of the paths of OpenAI's shape, with Python's own library.

    form = Form(purpose="batch", file=("a.jsonl", b"..."))
    upload(api, key, b"...").json["id"]
"""
import json
import uuid

from fleet import same, sure

BODY = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say hello"}]}


class Form:
    """multipart/form-data; a field that is a pair is a file."""

    def __init__(self, **fields):
        self.boundary = uuid.uuid4().hex
        self.type = f"multipart/form-data; boundary={self.boundary}"
        parts = []
        for name, value in fields.items():
            name = name.replace("__", "[") + ("]" if "__" in name else "")
            head = f'--{self.boundary}\r\nContent-Disposition: form-data; name="{name}"'
            if isinstance(value, tuple):
                head += f'; filename="{value[0]}"\r\nContent-Type: application/octet-stream'
                value = value[1]
            parts += [head.encode(), b"\r\n\r\n", value if isinstance(value, bytes) else value.encode(),
                      b"\r\n"]
        self.body = b"".join(parts + [f"--{self.boundary}--\r\n".encode()])


def send(api, key, form, **headers):
    return api.ask("POST", "/v1/files", form.body, key, Content_Type=form.type, **headers)


def upload(api, key, content, name="input.jsonl", **fields):
    return send(api, key, Form(purpose="batch", **fields, file=(name, content)))


def refusal(answer, status, code=None, param=None, words=""):
    """An error in OpenAI's shape."""
    same(answer.status, status, f"status of {answer.body[:300]}")
    same(answer.headers["Content-Type"], "application/json", "content type")
    error = answer.json["error"]
    same(sorted(error), ["code", "message", "param", "type"], "members of an error")
    same((error["code"], error["param"]), (code, param), f"code and parameter of {error}")
    sure(words in error["message"] and error["message"], f"words: {error}")


def line(custom_id, text="Say hello", **more):
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions",
            "body": {**BODY, "messages": [{"role": "user", "content": text}], **more}}


def lines(items):
    return "".join(json.dumps(item) + "\n" for item in items).encode()
