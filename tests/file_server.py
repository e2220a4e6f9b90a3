"""A web server on 127.0.0.1 for tests of downloads, and ways in which it fails."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class FileServer:
    """What is served, how, and what was asked.

    Attributes:
        files: path with its slash to content.
        ranges: whether parts are sent on request.
        version: ETag; None sends none.
        length: whether the length is told.
        drops: answers, from the first, that end after so many bytes of their body.
        asked: Range header of every request for a file, None without.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    version: str | None = '"1"'
    length: bool = True
    drops: list[int] = field(default_factory=list)
    asked: list[str | None] = field(default_factory=list)
    address: str = ''


@contextmanager
def serve() -> Iterator[FileServer]:
    """Serve until the block ends."""
    state = FileServer()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path not in state.files:
                self.send_error(404)
                return
            asked = self.headers.get('Range')
            state.asked.append(asked)
            whole = state.files[self.path]
            start = 0
            if asked and state.ranges and self.same_version():
                start = int(re.fullmatch(r'bytes=(\d+)-', asked)[1])
            if start > len(whole):
                self.send_error(416)
                return
            # before the head is sent: the test goes on when it sees it
            cut = state.drops.pop(0) if state.drops else len(whole)
            self.send_head(start, len(whole))
            self.wfile.write(whole[start:][:cut])

        def same_version(self):
            return self.headers.get('If-Range') in (None, state.version)

        def send_head(self, start, size):
            self.send_response(206 if start else 200)
            if start:
                self.send_header('Content-Range', f'bytes {start}-{size - 1}/{size}')
            if state.version:
                self.send_header('ETag', state.version)
            if state.length:
                self.send_header('Content-Length', str(size - start))
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
        thread.start()
        state.address = f'http://127.0.0.1:{httpd.server_port}'
        yield state
        httpd.shutdown()
        thread.join()
