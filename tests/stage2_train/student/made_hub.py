"""A model hub on this machine: what huggingface_hub asks when it downloads a repository."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from huggingface_hub import constants

COMMIT = "0" * 40


class _Hub(BaseHTTPRequestHandler):
    """Answers for the files {"org/name": {file: content}}; counts what is asked for."""

    def __init__(self, repositories: dict[str, dict[str, bytes]], *args: object) -> None:
        self.repositories = repositories
        super().__init__(*args)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        content, kind = self._content()
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content or b"")))
        self.send_header("ETag", f'"{abs(hash(self.path)):x}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if body and content is not None:
            self.wfile.write(content)

    def _content(self) -> tuple[bytes | None, str]:
        for name, files in self.repositories.items():
            if self.path.startswith(f"/api/models/{name}/tree/"):
                tree = [
                    {"type": "file", "path": path, "size": len(data), "oid": "0"}
                    for path, data in files.items()
                ]
                return json.dumps(tree).encode(), "application/json"
            if self.path.startswith(f"/api/models/{name}"):
                siblings = [{"rfilename": path} for path in files]
                info = {"id": name, "sha": COMMIT, "siblings": siblings}
                return json.dumps(info).encode(), "application/json"
            start = f"/{name}/resolve/{COMMIT}/"
            if self.path.startswith(start):
                return files.get(self.path.removeprefix(start)), "application/octet-stream"
        return None, "text/plain"

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def hub(
    repositories: dict[str, dict[str, bytes]], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Serve the repositories as HF_ENDPOINT, with a cache of their own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Hub, repositories))
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    try:
        yield
    finally:
        server.shutdown()
