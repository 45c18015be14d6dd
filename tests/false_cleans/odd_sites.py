"""Web sites on loopback that answer as a row says, and note what they were asked."""

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HTML = {"Content-Type": "text/html"}
GOOD = HTML | {
    "Content-Security-Policy": "default-src 'self'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
}
HOME = b"<title>Parcels</title><a href='/a?q=1'>a</a> <a href='/b/'>b</a>"
FINE = {"/": (200, GOOD, HOME), "/a": (200, GOOD, b"<p>a"), "/b/": (200, GOOD, b"<p>b")}


class Site:
    """One site: path -> (status, headers, body), `*` for all others, and what it was asked."""

    def __init__(self, pages):
        self.pages = pages
        self.asked = []
        self.port = 0
        self.ended = threading.Event()

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    def answer(self, target):
        found = self.pages.get(target.partition("?")[0], self.pages.get("*", (404, GOOD, b"no")))
        return found(target) if callable(found) else found

    def silent(self, _):
        """Stand for a page that is never answered."""
        self.ended.wait(120)
        return (500, {}, b"")

    @staticmethod
    def slow(_):
        time.sleep(1)
        return (200, GOOD, b"<p>at last")


@contextmanager
def serving(pages):
    """Serve a site; `pages` may be made of the site itself."""
    site = Site({})

    class Handler(BaseHTTPRequestHandler):
        def do(self):
            site.asked.append((self.command, self.path, dict(self.headers)))
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, body = site.answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_OPTIONS = do_HEAD = do  # noqa: N815 - http.server's names

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    site.port = server.server_port
    site.pages = pages(site) if callable(pages) else pages
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield site
    finally:
        site.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
