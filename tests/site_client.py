"""A client of pages that are served on this machine: what browsers ask, and what they never do."""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit


class Client:
    """A browser's requests, and the ones that a browser would not send."""

    def __init__(self, address):
        self.url = urlsplit(address)

    def ask(self, method, name, body=None, path=None, **headers):
        connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=10)
        own = {"Origin": f"http://{self.url.netloc}", "Content-Type": "application/json"}
        sent = {**(own if method == "POST" else {}), **headers}
        data = None if body is None else json.dumps(body)
        connection.request(method, path or f"{self.url.path}{name}", data, sent)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        is_json = answer.headers["Content-Type"] == "application/json"
        return answer, json.loads(content) if is_json else content.decode()


@contextmanager
def serving(httpd, address):
    """A server at work in a thread, and a client of it."""
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Client(address)
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()
