"""A hub on this machine: one dataset repository at one commit, by the requests that the real one answers."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@contextmanager
def serve(folder: Path, name: str, commit: str) -> Iterator[tuple[str, list[str]]]:
    """Serves `folder` as dataset `name`; gives the server's address and the list of paths asked for so far."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            asked.append(path)
            headers = {"X-Error-Code": "EntryNotFound" if commit in path else "RevisionNotFound"}
            code, content = 404, b""
            if path == f"/api/datasets/{name}/revision/{commit}":
                files = [{"rfilename": _entry(folder, file)["path"]} for file in folder.rglob("*") if file.is_file()]
                code, content = 200, json.dumps({"id": name, "sha": commit, "siblings": files, "tags": []}).encode()
            elif path.startswith(f"/api/datasets/{name}/tree/{commit}"):
                below = path.removeprefix(f"/api/datasets/{name}/tree/{commit}").strip("/")
                if (folder / below).is_dir():
                    entries = (folder / below).rglob("*") if "recursive=true" in query else (folder / below).iterdir()
                    code, content = 200, json.dumps([_entry(folder, entry) for entry in sorted(entries)]).encode()
            elif path.startswith(f"/datasets/{name}/resolve/{commit}/"):
                file = folder / path.removeprefix(f"/datasets/{name}/resolve/{commit}/")
                if file.is_file():
                    code, content = 200, file.read_bytes()
                    headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": commit}
            self.send_response(code)
            for key, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET

        def log_message(self, format: str, *values: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _entry(folder: Path, path: Path) -> dict[str, object]:
    """A file or folder of the repository, as the hub lists it."""
    kind, size = ("directory", 0) if path.is_dir() else ("file", path.stat().st_size)
    return {"type": kind, "oid": "1" * 40, "size": size, "path": str(path.relative_to(folder))}
