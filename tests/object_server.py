"""A small object store in its own process: the part of S3 that conditional writes need.

It keeps objects in memory, and knows no accounts and no signatures.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

__all__ = ["BUCKET", "MAX_OBJECT_BYTES", "ObjectServer"]

BUCKET = "cache"
MAX_OBJECT_BYTES = 4 << 20
_MAX_NAME_BYTES = 1024
_PAGE = 1000

_FAULTY = re.compile(r"status-(\d{3})")
"""A bucket that answers each request with a status of its own, such as `status-503`."""


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


class _Objects:
    """The objects of the bucket. Comparison and write are one step."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        with self._lock:
            return self._held.get(name)

    def put(self, name: str, content: bytes, match: str | None, none_match: str | None) -> int:
        with self._lock:
            refused = self._refused(name, match)
            if refused is None and none_match == "*" and name in self._held:
                refused = 412
            if refused is None:
                self._held[name] = content
        return refused or 200

    def delete(self, name: str, match: str | None) -> int:
        with self._lock:
            refused = self._refused(name, match)
            if refused is None:
                self._held.pop(name, None)
        return refused or 204

    def _refused(self, name: str, match: str | None) -> int | None:
        if match is None:
            return None
        if name not in self._held:
            return 404
        return None if _etag(self._held[name]) == match else 412

    def names(self, prefix: str, after: str) -> list[str]:
        with self._lock:
            names = [name for name in self._held if name.startswith(prefix) and name > after]
        return sorted(names)


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    objects = _Objects()

    def do_GET(self) -> None:
        name, query = self._begin()
        if name is None:
            return
        if not name:
            prefix, after = (query.get(each, [""])[0] for each in ("prefix", "start-after"))
            most = int(query.get("max-keys", ["1000"])[0])
            self._answer(200, self._listing(self.objects.names(prefix, after), min(most, _PAGE)))
            return
        content = self.objects.get(name)
        if content is None:
            self._answer(404)
            return
        found = re.fullmatch(r"bytes=0-(\d+)", self.headers.get("Range", ""))
        if found is None:
            self._answer(200, content, _etag(content))
        elif not content:
            self._answer(416)
        else:
            self._answer(206, content[: int(found[1]) + 1], _etag(content))

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        name, _ = self._begin()
        if name is None:
            return
        if len(content) > MAX_OBJECT_BYTES:
            self._answer(413)
            return
        match, none_match = self.headers.get("If-Match"), self.headers.get("If-None-Match")
        status = self.objects.put(name, content, match, none_match)
        self._answer(status, etag=_etag(content) if status == 200 else None)

    def do_DELETE(self) -> None:
        name, _ = self._begin()
        if name is not None:
            self._answer(self.objects.delete(name, self.headers.get("If-Match")))

    def _begin(self) -> tuple[str | None, dict[str, list[str]]]:
        """The name and the query of a request. No name: it has been answered."""
        url = urlsplit(self.path)
        bucket, _, name = unquote(url.path).removeprefix("/").partition("/")
        if faulty := _FAULTY.fullmatch(bucket):
            self._answer(int(faulty[1]))
        elif bucket != BUCKET:
            self._answer(404, b"<Error><Code>NoSuchBucket</Code></Error>")
        elif len(name.encode()) > _MAX_NAME_BYTES:
            self._answer(400, b"<Error><Code>KeyTooLongError</Code></Error>")
        else:
            return name, parse_qs(url.query)
        return None, {}

    @staticmethod
    def _listing(names: list[str], most: int) -> bytes:
        page = "".join(f"<Contents><Key>{name}</Key></Contents>" for name in names[:most])
        more = str(len(names) > most).lower()
        return (
            f"<ListBucketResult><IsTruncated>{more}</IsTruncated>{page}</ListBucketResult>"
        ).encode()

    def _answer(self, status: int, content: bytes = b"", etag: str | None = None) -> None:
        self.send_response(status)
        if etag is not None:
            self.send_header("ETag", etag)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Write no log."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients may end at any time."""


class ObjectServer:
    """A context manager that runs the server on a port of 127.0.0.1, in a process of its own.

    Args:
        port: The port; 0 for any.
    """

    def __init__(self, port: int = 0) -> None:
        self.host = "127.0.0.1"
        self.port = port

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()


def _main() -> None:
    with _Server(("127.0.0.1", int(sys.argv[1])), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_port, flush=True)
        sys.stdin.read()  # until the process that started this one ends


if __name__ == "__main__":
    _main()
