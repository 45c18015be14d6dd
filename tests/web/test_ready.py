"""Whether an application is ready, asked of servers on loopback."""

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

import pytest
from probing_kit import certificate, site, talker

from scanrun.errors import NotReadyError
from scanrun.model import Address
from scanrun.stages import services
from scanrun.web.probe import TIMEOUT_S
from scanrun.web.ready import answers


def address_of(url):
    parts = urlsplit(url)
    return Address(parts.hostname, parts.port)


@contextmanager
def server(status):
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["Host"]))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        try:
            yield Address(*made.server_address), asked
        finally:
            made.shutdown()
            thread.join()


@pytest.mark.parametrize("status", [200, 302, 401, 403])
def test_an_application_that_answers_is_ready(status):
    with server(status) as (address, asked):
        found = answers(address, scheme="http", path="/bücher?seite=1", host="app")

    assert found is True
    assert asked == [("/b%C3%BCcher?seite=1", f"app:{address.port}")]


def test_an_application_that_answers_with_an_error_of_its_own_is_not_ready_and_says_so():
    with server(503) as (address, _), pytest.raises(NotReadyError, match="/ answers 503"):
        answers(address, scheme="http", path="/", host="app")


def test_a_server_that_is_up_before_its_application_is_waited_for_and_says_so():
    with server(404) as (address, _), pytest.raises(NotReadyError, match="/ answers 404") as caught:
        answers(address, scheme="http", path="/", host="app")

    assert "[app] path" in caught.value.hint


def test_404_is_an_answer_where_it_may_be_all_that_comes():
    with server(404) as (address, _):
        assert answers(address, scheme="http", path="/", host="app", believes_404=True)


def test_a_start_page_may_take_longer_than_a_few_seconds():
    """No less than a probe waits for it, which would be a longer test."""

    def slow(connection):
        connection.recv(1000)
        time.sleep(5.5)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

    with talker(slow) as url:
        assert answers(address_of(url), scheme="http", path="/", host="app")


def test_one_question_has_time_for_the_slowest_page_that_a_probe_takes():
    assert services._ASK_S > TIMEOUT_S


def test_a_server_of_tls_is_asked_for_the_application_s_name(tmp_path):
    names = []
    with site({"/": (200, {}, b"x")}, tls=certificate(tmp_path), names=names) as (url, asked):
        found = answers(address_of(url), scheme="https", path="/", host="shop.example")

    assert found is True
    assert names == ["shop.example"]
    assert [path for path, _ in asked] == ["/"]


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_a_number_is_no_name_to_ask_for(tmp_path, host):
    names = []
    with site({"/": (200, {}, b"x")}, tls=certificate(tmp_path), names=names) as (url, _):
        found = answers(address_of(url), scheme="https", path="/", host=host)

    assert (found, names) == (False, [None])


def test_nobody_is_ready_behind_a_closed_port():
    with server(200) as (address, _):
        pass

    assert answers(address, scheme="http", path="/", host="app") is False
