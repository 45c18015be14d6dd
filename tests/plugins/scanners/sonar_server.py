"""A SonarQube server on loopback: recorded answers, made-up issues, and the real one's limits."""

import functools
import json
import threading
from collections import Counter
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

DATA = Path(__file__).parents[1] / "data" / "sonar"
TOKEN = "squ_" + "0123456789" * 4
FACET_SIZE = 100
IN_FACET = {
    "types": lambda issue: issue["type"],
    "severities": lambda issue: issue["severity"],
    "rules": lambda issue: issue["rule"],
    "files": lambda issue: issue["component"].partition(":")[2],
}


def recorded(name):
    return json.loads((DATA / name).read_text(encoding="utf-8"))


def date_of(issue):
    return issue["creationDate"]


def error(text):
    return {"errors": [{"msg": text}]}


def made_issue(number, **more):
    """Return an issue as a server of 26.9 tells it, but for what nobody reads."""
    return {
        "key": f"key-{number:06}",
        "rule": "python:S4790",
        "severity": "CRITICAL",
        "component": f"demo:app/file{number % 50}.py",
        "project": "demo",
        "line": number + 1,
        "textRange": {
            "startLine": number + 1,
            "endLine": number + 1,
            "startOffset": 4,
            "endOffset": 9,
        },
        "flows": [],
        "status": "OPEN",
        "issueStatus": "OPEN",
        "message": "Use a stronger hash here.",
        "type": "VULNERABILITY",
        "impacts": [{"softwareQuality": "SECURITY", "severity": "HIGH"}],
        "tags": [],
        "creationDate": "2026-11-23T10:32:00+0000",
        **more,
    }


class FakeSonar:
    """Answers as the state in its attributes says. `answers`: path -> (status, JSON or bytes)."""

    def __init__(self, issues=(), hotspots=()):
        self.issues = list(issues)
        self.hotspots = list(hotspots)
        self.found = {}
        self.version = "26.9.0.129388"
        self.answers = {}
        self.listing = True
        self.tasks = [recorded("task_success.json")]
        self.counted = None
        self.measures = {"files": 8, "ncloc": 115}
        self.gate = recorded("gate_error.json")
        self.newest = recorded("task_success.json")["task"]["analysisId"]
        self.asked = []
        self.headers = []

    def answer(self, path, query):
        if path in self.answers:
            found = self.answers[path]
            return found(query) if callable(found) else found
        name = path.removeprefix("/api/").replace("/", "_").replace("-", "_")
        handler = getattr(self, f"on_{name}", None)
        return handler(query) if handler else (404, error(f"Unknown url : {path}"))

    def on_server_version(self, query):
        return 200, self.version.encode()

    def on_v2_clean_code_policy_mode(self, query):
        return 200, {"mode": "MQR", "modified": False}

    def on_authentication_validate(self, query):
        return 200, {"valid": True}

    def on_ce_task(self, query):
        return 200, self.tasks.pop(0) if len(self.tasks) > 1 else self.tasks[0]

    def on_components_show(self, query):
        return 200, recorded("component.json")

    def on_project_analyses_search(self, query):
        return 200, {"paging": {}, "analyses": [{"key": self.newest}]}

    def on_qualitygates_project_status(self, query):
        return 200, self.gate

    def on_rules_show(self, query):
        rule = recorded("rule_S4790.json")["rule"]
        return 200, {"rule": {**rule, "key": query["key"]}}

    def on_measures_component(self, query):
        opened = sum(not each.get("resolution") for each in self.issues)
        review = sum(each["status"] == "TO_REVIEW" for each in self.hotspots)
        counted = opened if self.counted is None else self.counted
        values = {"violations": counted, "security_hotspots": review, **self.measures}
        found = [{"metric": name, "value": str(value)} for name, value in values.items()]
        return 200, {"component": {"key": "demo", "measures": found}}

    def on_hotspots_search(self, query):
        found = [each for each in self.hotspots if each["status"] == query.get("status")]
        return 200, {**page_of(found, query, "hotspots"), "components": []}

    def on_issues_list(self, query):
        if not self.listing:
            return 403, error("Insufficient privileges")
        answer = page_of([each for each in self.issues if open_(each)], query, "issues")
        del answer["paging"]["total"]
        return 200, answer

    def searched(self, query):
        """Return what fits; a search is remembered, for its pages are asked one by one."""
        filters = {name: value for name, value in query.items() if name not in {"p", "ps"}}
        search = (id(self.issues), str(filters))
        if search not in self.found:
            self.found[search] = [each for each in self.issues if fits(each, query)]
        return self.found[search]

    def on_issues_search(self, query):
        size, number = int(query.get("ps", 100)), int(query.get("p", 1))
        if size > 500:
            return 400, error("'ps' value (501) must be less than 500")
        if size * number > 10_000:
            return 400, error(f"Can return only the first 10000 results. {size * number}th asked.")
        found = self.searched(query)
        if query.get("s") == "CREATION_DATE":
            found = sorted(found, key=date_of, reverse=query["asc"] == "false")
        answer = page_of(found, query, "issues")
        if "facets" in query:
            value_of = IN_FACET[query["facets"]]
            counts = Counter(map(value_of, found)).most_common(FACET_SIZE)
            values = [{"val": value, "count": count} for value, count in counts]
            answer["facets"] = [{"property": query["facets"], "values": values}]
        return 200, answer


@functools.cache
def moment(text):
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z")


def open_(issue):
    return not issue.get("resolution")


def fits(issue, query):
    if query.get("resolved") == "false" and not open_(issue):
        return False
    if "issueStatuses" in query and issue["issueStatus"] not in query["issueStatuses"].split(","):
        return False
    if any(value(issue) != query[name] for name, value in IN_FACET.items() if name in query):
        return False
    if "createdAfter" in query or "createdBefore" in query:
        at = moment(issue["creationDate"])
        if "createdAfter" in query and at < moment(query["createdAfter"]):
            return False
        return "createdBefore" not in query or at < moment(query["createdBefore"])
    return True


def page_of(items, query, name):
    size, number = int(query.get("ps", 100)), int(query.get("p", 1))
    part = items[(number - 1) * size : number * size]
    paths = {each["component"]: each["component"].partition(":")[2] for each in part}
    return {
        "paging": {"pageIndex": number, "pageSize": size, "total": len(items)},
        name: part,
        "components": [{"key": key, "path": path} for key, path in paths.items()],
    }


class serving:  # noqa: N801 - reads as what it does
    """Context manager: the address at which `sonar` answers."""

    def __init__(self, sonar, context=None):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                parts = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                posted = self.rfile.read(length).decode()
                query = dict(parse_qsl(parts.query)) | dict(parse_qsl(posted))
                sonar.asked.append((parts.path, query))
                sonar.headers.append(dict(self.headers))
                status, body = sonar.answer(parts.path, query)[:2]
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                for name, value in sonar.answers.get("headers", {}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def do_POST(self):
                self.do_GET()

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._scheme = "http"
        if context is not None:
            self._scheme = "https"
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self):
        self._thread.start()
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
