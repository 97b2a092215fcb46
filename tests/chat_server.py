"""A server of OpenAI's chat protocol on this machine that answers sums, and has the troubles it is told to have."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, Mapping[str, str], bytes]
KEY = "sk-test-3fe0c1d2a4b5968778"


@dataclass
class Server:
    """trouble: called with the number of a chat request (1, 2, ...) and its body; None means a normal answer.

    bodies: what was asked. delay: seconds per answer. most: how many were under way at once.
    """

    url: str = ""
    models: tuple[str, ...] = ("sums", "sums-large")
    key: str = KEY
    delay: float = 0.0
    trouble: Callable[[int, Mapping[str, Any]], Reply | None] = lambda number, body: None
    bodies: list[Mapping[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    under_way: int = 0
    most: int = 0


def error(status: int, message: str, headers: Mapping[str, str] | None = None, **more: Any) -> Reply:
    return status, headers or {}, json.dumps({"error": {"message": message, **more}}).encode()


def chat(text: str, **more: Any) -> Reply:
    """A chat completion that took 10 tokens in and 2 out."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", **more}
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    return 200, {}, json.dumps({"id": "1", "object": "chat.completion", "choices": [choice], "usage": usage}).encode()


def solved(body: Mapping[str, Any]) -> Reply:
    numbers = re.findall(r"\d+", body["messages"][-1]["content"])
    return chat(str(sum(map(int, numbers))))


@contextmanager
def serve(**settings: Any) -> Iterator[Server]:
    about = Server(**settings)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            listed = {"object": "list", "data": [{"id": name, "object": "model"} for name in about.models]}
            self._send((200, {}, json.dumps(listed).encode()) if self._known() else self._unknown())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                about.bodies.append(body)
                about.times.append(time.monotonic())
                number = len(about.bodies)
                about.under_way += 1
                about.most = max(about.most, about.under_way)
            time.sleep(about.delay)
            reply = self._unknown() if not self._known() else about.trouble(number, body)
            if reply is None and body["model"] not in about.models:
                reply = error(404, f"The model `{body['model']}` does not exist.", code="model_not_found")
            with lock:
                about.under_way -= 1
            self._send(reply or solved(body))

        def _known(self) -> bool:
            return not about.key or self.headers["Authorization"] == f"Bearer {about.key}"

        def _unknown(self) -> Reply:
            return error(401, f"Incorrect API key provided: {self.headers['Authorization']}")

        def _send(self, reply: Reply) -> None:
            code, headers, content = reply
            self.send_response(code)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(content)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(content)
            except OSError:
                self.close_connection = True  # whoever asked has left

        def log_message(self, format: str, *values: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, address: Any) -> None:
            pass

    server = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    about.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield about
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
