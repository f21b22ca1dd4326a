"""A real S3 server on loopback, and a way to it that can drop a connection amid an answer."""

import os
import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

HOST, BUCKET = "127.0.0.1", "made"


class DroppingProxy(socketserver.ThreadingTCPServer):
    """Passes bytes on to a server; once armed, cuts one answer after so many bytes."""

    daemon_threads = allow_reuse_address = True

    def __init__(self, upstream: tuple[str, int]) -> None:
        super().__init__((HOST, 0), _Pipe)
        self.upstream, self.after, self.drops = upstream, 0, 0

    def arm(self, after: int) -> None:
        """Cut the next answer that is longer than `after` bytes."""
        self.after = after


class _Pipe(socketserver.BaseRequestHandler):
    server: DroppingProxy

    def handle(self) -> None:
        with socket.create_connection(self.server.upstream) as upstream:
            ends = {self.request: upstream, upstream: self.request}
            answered = 0
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    answered = answered + len(data) if end is upstream else 0
                    if self.server.after and answered > self.server.after:
                        self.request.sendall(data[: max(0, self.server.after - answered)])
                        self.server.after, self.server.drops = 0, self.server.drops + 1
                        return
                    ends[end].sendall(data)


@contextmanager
def s3_server() -> Iterator[DroppingProxy]:
    """A server with an empty bucket, for this process's environment; yields the way to it."""
    server = ThreadedMotoServer(ip_address=HOST, port=0)
    server.start()
    with pytest.MonkeyPatch.context() as patch, DroppingProxy(server.get_host_and_port()) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        patch.setenv("AWS_ENDPOINT_URL", f"http://{HOST}:{proxy.server_address[1]}")
        patch.setenv("AWS_ACCESS_KEY_ID", "made")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "made")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        S3FileSystem.clear_instance_cache()
        boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).create_bucket(Bucket=BUCKET)
        yield proxy
        proxy.shutdown()
    server.stop()
    S3FileSystem.clear_instance_cache()
