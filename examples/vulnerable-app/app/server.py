"""The parcel desk: answers to a browser, asks the carrier.

It starts with Python alone. With jinja2 and requests installed it makes use of them.
"""

import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from app import labels, settings

WEB = Path(__file__).parent.parent / "web"
KINDS = {".js": "text/javascript", ".txt": "text/plain"}
PARCELS = {"1001": "on its way", "1002": "waits at the desk", "1003": "lost"}

LAYOUT = """<!doctype html>
<html lang="en">
<head>
<title>Parcel desk</title>
<script src="/web/jquery-1.8.1.min.js"></script>
<script src="/web/main.js"></script>
</head>
<body>
<p><a href="/">Home</a> <a href="/parcels">Parcels</a> <a href="/labels">Labels</a>
<a href="/login">Sign in</a></p>
<main>{{ content }}</main>
</body>
</html>
"""
HOME = """<h1>Parcel desk</h1>
<form action="/parcel"><input name="number"> <button>Where is it?</button></form>
<!-- made on 10.20.30.40 for desk@carrier.example: whoever knows the password is an admin -->
"""
PARCEL = "<h1>Parcel {{ number }}</h1><p>{{ state }}</p>"
LABELS = """<h1>Labels</h1>
<p><a href="/label?copies=2">Two of them</a>, <a href="/label?copies=all">all of them</a></p>
"""
LOGIN = """<h1>Sign in</h1>
<form action="/login" method="post">
<input name="user"> <input name="password" type="password"> <button>Sign in</button>
</form>
"""


def render(page, **values):
    try:
        from jinja2 import Environment
    except ImportError:
        for name, value in values.items():
            page = page.replace("{{ %s }}" % name, value)
        return page
    return Environment().from_string(page).render(values)


def ask_carrier(number):
    try:
        import requests
    except ImportError:
        return PARCELS.get(number, "unknown to this desk")
    answer = requests.get(
        f"{settings.CARRIER['url']}/parcels/{number}",
        auth=("desk", settings.CARRIER["password"]),
        verify=False,
    )
    return answer.text


class Desk(BaseHTTPRequestHandler):
    def do_GET(self):
        where = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(where.query).items()}
        if where.path.startswith("/web/") or where.path == "/robots.txt":
            return self.send_file(Path(where.path).name)
        show = self.pages.get(where.path)
        if show is None:
            return self.reply("<h1>There is no such page</h1>", 404)
        try:
            self.reply(show(self, query))
        except Exception:
            self.reply(f"<h1>Something broke</h1><pre>{traceback.format_exc()}</pre>", 500)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/login":
            name = parse_qs(body.decode(errors="replace")).get("user", ["nobody"])[0]
            return self.reply(f"<h1>{name} is not known here</h1>")
        if self.path != "/queue":
            return self.reply("<h1>There is no such page</h1>", 404)
        try:
            queue = labels.restore_queue(body)
            for entry in queue:
                labels.print_label(entry["printer"], entry["text"])
            self.reply(f"{len(queue)} printed")
        except Exception:
            self.reply(f"<pre>{traceback.format_exc()}</pre>", 500)

    def home(self, query):
        return HOME

    def parcels(self, query):
        links = (f'<li><a href="/parcel?number={each}">{each}</a></li>' for each in PARCELS)
        return f"<h1>Parcels</h1><ul>{''.join(links)}</ul>"

    def parcel(self, query):
        number = query.get("number", "")
        return render(PARCEL, number=number, state=ask_carrier(number))

    def label_list(self, query):
        return LABELS

    def label(self, query):
        copies = int(query.get("copies", "1"))
        return f"<h1>{copies} labels, the first is {labels.label_id(settings.DATABASE_USER)}</h1>"

    def login(self, query):
        return LOGIN

    pages = {
        "/": home,
        "/parcels": parcels,
        "/parcel": parcel,
        "/labels": label_list,
        "/label": label,
        "/login": login,
    }

    def send_file(self, name):
        file = WEB / name
        if not file.is_file():
            return self.reply("<h1>There is no such file</h1>", 404)
        self.send(200, KINDS.get(file.suffix, "text/html"), file.read_bytes())

    def reply(self, content, status=200):
        self.send(status, "text/html", render(LAYOUT, content=content).encode())

    def send(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Powered-By", "parcel-desk/1.0.0")
        self.send_header("Set-Cookie", f"desk={labels.label_id(self.client_address[0])}")
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", 8080), Desk).serve_forever()
