"""The parcel desk: answers to a browser, asks the carrier."""

from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import requests
from jinja2 import Environment

from app import labels, settings

PAGE = Environment().from_string("<h1>Parcel {{ number }}</h1><p>{{ state }}</p>")


class Desk(BaseHTTPRequestHandler):
    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query)
        number = query.get("number", [""])[0]
        answer = requests.get(
            f"{settings.CARRIER['url']}/parcels/{number}",
            auth=("desk", settings.CARRIER["password"]),
            verify=False,
        )
        self.reply(PAGE.render(number=number, state=answer.text))

    def do_POST(self):
        queue = labels.restore_queue(self.rfile.read(int(self.headers["Content-Length"])))
        for entry in queue:
            labels.print_label(entry["printer"], entry["text"])
        self.reply(f"{len(queue)} printed")

    def reply(self, text):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(text.encode())


if __name__ == "__main__":
    HTTPServer(("0.0.0.0", 8080), Desk).serve_forever()
