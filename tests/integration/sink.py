"""A receiver of webhooks as its author would write it, with a signature check of its own from the
text of Standard Webhooks. Each path behaves as it was told to.

    with Sink() as sink:
        sink.answers["/flaky"] = [500, 200]          # then 200 for ever
        url = sink.url("/flaky")
        ...
        sink.posts("/flaky")                         # what came, in order
"""
import base64
import collections
import hashlib
import hmac
import http.server
import threading
import time

Post = collections.namedtuple("Post", "at path headers body status")


class Sink:
    def __init__(self):
        self.answers, self.pauses = {}, {}
        self.hang = threading.Event()  # "/hang" answers when it is set
        self.came, self.lock = [], threading.Lock()
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                sink.take(self)

            do_GET = do_POST

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.hang.set()
        self.server.shutdown()

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def take(self, request):
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        path = request.path
        with self.lock:
            script = self.answers.get(path, [])
            status = (script.pop(0) if len(script) > 1 else script[0]) if script else 200
            self.came.append(Post(time.time(), path, request.headers, body, status))
        if path == "/hang":
            self.hang.wait(60)
        try:
            request.send_response(status)
            if status in (429, 503) and path in self.pauses:
                request.send_header("Retry-After", str(self.pauses[path]))
            if status in (301, 302, 307, 308):
                request.send_header("Location", self.url("/elsewhere"))
            request.send_header("Content-Length", "0")
            request.end_headers()
        except OSError:
            pass  # the sender has died

    def posts(self, path):
        with self.lock:
            return [post for post in self.came if post.path == path]


def is_signed(post, secret):
    """https://www.standardwebhooks.com: any of the signatures, under this one secret."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{post.headers['webhook-id']}.{post.headers['webhook-timestamp']}.".encode() + post.body
    wanted = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    given = [part.split(",", 1) for part in post.headers["webhook-signature"].split(" ")]
    fresh = abs(time.time() - int(post.headers["webhook-timestamp"])) < 300
    return fresh and any(version == "v1" and hmac.compare_digest(sign, wanted) for version, sign in given)
