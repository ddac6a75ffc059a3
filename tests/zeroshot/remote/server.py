"""A small OpenAI-compatible server with a deterministic language model, on a port of this machine."""

import contextlib
import json
import re
import threading
import time
import zlib
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def tokens_of(text):
    """Words with the space before them; any other character by itself."""
    return re.findall(r" ?\w+|\W", text)


def log_p(before, token):
    """Of a token behind a text."""
    return -0.5 - zlib.crc32(f"{before}|{token}".encode()) % 1000 / 100


def likelihood(context, scored):
    """Log-probabilities of the scored tokens behind the context."""
    tokens = tokens_of(context + scored)
    count = len(tokens_of(context))
    befores = ["".join(tokens[:i]) for i in range(len(tokens))]
    assert "".join(tokens[count:]) == scored, "tokens begin where the scored part begins"
    return [log_p(before, token) for before, token in list(zip(befores, tokens, strict=True))[count:]]


@dataclass
class Server:
    """What the server does, and what it was asked."""

    echo: str = "full"
    """full | refused | ignored (the generated token alone) | none (no log-probabilities) | null (of generated tokens alone)."""
    bos: str = ""
    """Told as a first token, as some servers do."""
    spell: object = str
    """How a token is written."""
    offsets: bool = True
    refuses: tuple = ()
    """Entries of a body that are refused."""
    paths: tuple = ("completions", "chat/completions")
    answer: object = lambda question, sample: "sports"
    script: list = field(default_factory=list)
    """What the first requests meet instead."""
    delay: object = lambda body: 0.0
    seen: list = field(default_factory=list)
    connections: int = 0
    url: str = ""

    def bodies(self, path="completions"):
        return [body for where, body, _ in self.seen if where == path]

    def reply(self, path, body):
        if path not in self.paths:
            return 404, {"error": {"message": f"no route {path}"}}
        found = [key for key in self.refuses if key in body]
        if found or (path == "completions" and self.echo == "refused" and body.get("echo")):
            return 400, {"error": {"message": f"{found or 'echo'} is not for this server"}}
        if path == "chat/completions":
            text = self.answer(body["messages"][0]["content"], body.get("seed", 0))
            return 200, {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}
        if not body.get("echo"):
            return 200, {"choices": [{"index": 0, "text": self.answer(body["prompt"], body.get("seed", 0))}]}
        prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
        choices = [{"index": i, "text": f"{p} the", "logprobs": self._logprobs(p)} for i, p in enumerate(prompts)]
        return 200, {"choices": choices[::-1]}  # told apart by their index

    def _logprobs(self, prompt):
        if self.echo == "none":
            return None
        tokens = [*tokens_of(prompt), " the"]
        befores = ["".join(tokens[:i]) for i in range(len(tokens))]
        values = [None, *map(log_p, befores[1:], tokens[1:])]
        if self.bos:
            tokens, values = [self.bos, *tokens], [None, -1.0, *values[1:]]
        ends = [0]
        for token in tokens:
            ends.append(ends[-1] + len(token))
        if self.echo == "null":
            values = [None] * (len(values) - 1) + values[-1:]
        keep = slice(-1, None) if self.echo == "ignored" else slice(None)
        told = {"tokens": [self.spell(t) for t in tokens][keep], "token_logprobs": values[keep]}
        return told | ({"text_offset": ends[:-1][keep]} if self.offsets else {})


def status(code, message="no", **headers):
    """A reply of this status."""

    def send(handler):
        handler.send(code, json.dumps({"error": {"message": message}}).encode(), headers)

    return send


def raw(content):
    """A reply of these bytes."""
    return lambda handler: handler.send(200, content if isinstance(content, bytes) else json.dumps(content).encode())


def half(handler):
    """A reply that breaks off."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True


def silent(seconds):
    """No reply for so long."""
    return lambda handler: time.sleep(seconds)


@contextlib.contextmanager
def serving(**options):
    """A server while the block runs."""
    server = Server(**options)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self):
            super().setup()
            server.connections += 1

        def log_message(self, *_):
            pass

        def send(self, code, content, headers=()):
            self.send_response(code)
            for name, value in {"Content-Length": len(content), **dict(headers)}.items():
                self.send_header(name.replace("_", "-"), str(value))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            path = self.path.removeprefix("/v1/")
            with lock:
                server.seen.append((path, body, dict(self.headers)))
                scripted = server.script.pop(0) if server.script else None
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                if scripted is not None:
                    scripted(self)
                    return
                time.sleep(server.delay(body))
                code, answer = server.reply(path, body)
                self.send(code, json.dumps(answer).encode())

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass

    http = Quiet(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
