"""How a server's refusals read, and that nothing of ours goes where it should not."""

import shutil
import socket
import ssl
import subprocess
import threading

import pytest
from sonar_server import TOKEN, FakeSonar, serving

from scanrun.api import InterruptedRunError
from scanrun_plugins.scanners.sonar.access import TokenKind, check_access, token_kind
from scanrun_plugins.scanners.sonar.client import Client, checked_url
from scanrun_plugins.scanners.sonar.refusals import (
    BusyError,
    ForbiddenError,
    ServerError,
    UnauthorisedError,
    UnknownError,
    UnreachableError,
)

FORBIDDEN = (403, {"errors": [{"msg": "Insufficient privileges"}]})


@pytest.fixture
def sonar():
    return FakeSonar()


@pytest.fixture
def url(sonar):
    with serving(sonar) as address:
        yield address


def ask(url, **more):
    return Client(url, TOKEN, **{"timeout": 2.0, "patience": 0.0, **more}).get("api/x", dict)


@pytest.mark.parametrize(
    ("answer", "kind", "hint"),
    [
        ((401, b""), UnauthorisedError, "expired"),
        (FORBIDDEN, ForbiddenError, "USER token"),
        ((404, {"errors": [{"msg": "Component key 'nope' not found"}]}), UnknownError, "key"),
        ((404, {"errors": [{"msg": "Unknown url : /api/x"}]}), UnknownError, "starting"),
        ((500, b"<html>"), ServerError, ""),
        ((503, {"errors": [{"msg": "indexing"}]}), BusyError, ""),
        ((200, b"<html>sign in</html>"), ServerError, "something else"),
        ((200, b'{"a": '), ServerError, ""),
        ((200, b""), ServerError, ""),
    ],
)
def test_each_refusal_says_what_to_mend_and_never_the_token(sonar, url, answer, kind, hint):
    sonar.answers["/api/x"] = answer

    with pytest.raises(kind) as refused:
        ask(url)

    assert hint in refused.value.hint
    assert TOKEN not in f"{refused.value}{refused.value.hint}{refused.getrepr(style='long')}"


def test_what_the_server_says_is_repeated_on_one_plain_line(sonar, url):
    sonar.answers["/api/x"] = (403, {"errors": [{"msg": "no\x1b[2J\n::error::way"}]})

    with pytest.raises(ForbiddenError) as refused:
        ask(url)

    assert str(refused.value).endswith(": no [2J ::error::way")


def test_the_token_goes_to_the_server_and_not_into_the_address(sonar, url):
    sonar.answers["/api/x"] = (200, {})

    ask(url)

    assert sonar.headers[0]["Authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in str(sonar.asked)


def test_a_redirect_is_told_and_not_followed(sonar, url):
    other = FakeSonar()
    with serving(other) as elsewhere:
        sonar.answers["/api/x"] = (302, b"")
        sonar.answers["headers"] = {"Location": f"{elsewhere}/api/x"}

        with pytest.raises(ServerError, match="sends") as refused:
            ask(url)

    assert other.asked == []
    assert elsewhere in str(refused.value)


def test_a_busy_server_is_asked_again(sonar, url):
    answers = [(503, b""), (503, b""), (200, {"a": 1})]
    sonar.answers["/api/x"] = lambda query: answers.pop(0)

    assert ask(url, patience=30.0) == {"a": 1}


def test_what_changes_something_is_asked_once(sonar, url):
    sonar.answers["/api/x"] = (503, b"")

    with pytest.raises(BusyError):
        Client(url, TOKEN, patience=30.0).post("api/x", name="a")

    assert len(sonar.asked) == 1


def test_waiting_for_a_busy_server_ends_when_the_user_asks_to_stop(sonar, url):
    stop = threading.Event()
    sonar.answers["/api/x"] = lambda query: (stop.set(), (503, b""))[1]

    with pytest.raises(InterruptedRunError):
        ask(url, patience=600.0, cancelled=stop.is_set)


def test_a_closed_port_is_no_answer():
    with socket.socket() as free:  # bound, and not listening
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"

        with pytest.raises(UnreachableError, match="no way to the server"):
            ask(address)


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"])
def test_a_connection_that_breaks_off_is_no_answer(sent):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            peer, _ = server.accept()
            peer.recv(4096)
            peer.sendall(sent)
            peer.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(BusyError):
            ask(f"http://127.0.0.1:{server.getsockname()[1]}")
        thread.join()


def test_a_server_that_takes_the_connection_and_says_nothing_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(BusyError):
        ask(f"http://127.0.0.1:{server.getsockname()[1]}", timeout=0.2)


def test_a_server_without_tls_is_no_server_with_it(url):
    with pytest.raises(UnreachableError):
        ask(url.replace("http://", "https://"))


def test_certificates_that_can_not_be_read_are_told(tmp_path):
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate")

    with pytest.raises(UnreachableError, match=r"'ca\.pem' can't be read"):
        Client("https://host", TOKEN, ca=broken)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Return key and certificate of an authority that nobody else knows."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "ca.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return key, certificate


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl to make a certificate")
def test_a_private_authority_is_trusted_only_where_it_is_named(sonar, authority):
    key, certificate = authority
    sonar.answers["/api/x"] = (200, {})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    with serving(sonar, context) as address:
        with pytest.raises(UnreachableError, match="is not trusted"):
            ask(address)
        assert ask(address, ca=certificate) == {}


def test_an_answer_without_end_is_given_up(sonar, url, monkeypatch):
    monkeypatch.setattr("scanrun_plugins.scanners.sonar.client.LARGEST", 1000)
    sonar.answers["/api/x"] = (200, b'"' + b"a" * 2000 + b'"')

    with pytest.raises(ServerError, match="larger than"):
        ask(url)


def test_proxies_of_the_environment_have_no_effect(sonar, url, monkeypatch):
    sonar.answers["/api/x"] = (200, {})
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    assert ask(url) == {}


def test_a_proxy_that_is_named_is_used(sonar, url):
    sonar.answers["http://sonarqube.example/api/x"] = (200, {"by": "proxy"})
    sonar.answers["/api/x"] = (200, {"by": "proxy"})

    assert ask("http://sonarqube.example", proxy=url) == {"by": "proxy"}


@pytest.mark.parametrize(
    "bad",
    [
        "sonarqube:9000",
        "ftp://host",
        "file:///etc/passwd",
        "https://",
        "http://host:99999",
        "http://admin:admin@host",
        "http://ho st",
        "http://host?a=b",
        "http://host\r\nX: y",
    ],
)
def test_what_is_no_address_of_a_server_is_refused(bad):
    with pytest.raises(UnreachableError) as refused:
        checked_url(bad)

    assert "admin:admin" not in str(refused.value)


def test_the_path_below_which_a_server_lives_is_kept():
    assert checked_url("https://host/sonarqube/") == "https://host/sonarqube"


def test_a_token_with_a_line_end_reaches_no_header_and_no_message():
    with pytest.raises(ServerError) as refused:
        Client("http://host", TOKEN + "\n")

    assert TOKEN not in str(refused.getrepr(style="long"))


def test_a_login_goes_as_basic(sonar, url):
    sonar.answers["/api/x"] = (200, {})

    Client.with_password(url, "admin", "admin").get("api/x", dict)

    assert sonar.headers[0]["Authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("squ_1", TokenKind.USER),
        ("sqa_1", TokenKind.GLOBAL_ANALYSIS),
        ("sqp_1", TokenKind.PROJECT_ANALYSIS),
        ("0123456789abcdef", TokenKind.UNKNOWN),
    ],
)
def test_a_token_tells_its_kind(token, kind):
    assert token_kind(token) is kind


@pytest.mark.parametrize("prefix", ["sqa_", "sqp_"])
def test_an_analysis_token_is_refused_before_anything_is_uploaded(url, prefix):
    with pytest.raises(ForbiddenError, match="analysis token") as refused:
        check_access(Client(url, prefix + "1"), prefix + "1", "demo")

    assert "USER token" in refused.value.hint


def test_a_wrong_token_is_refused_though_the_server_says_200(sonar, url):
    sonar.answers["/api/authentication/validate"] = (200, {"valid": False})

    with pytest.raises(UnauthorisedError):
        check_access(Client(url, TOKEN), TOKEN, "demo")


def test_a_token_without_browse_is_refused(sonar, url):
    sonar.answers["/api/components/show"] = FORBIDDEN

    with pytest.raises(ForbiddenError, match="browse the project 'demo'"):
        check_access(Client(url, TOKEN), TOKEN, "demo")


@pytest.mark.parametrize(("status", "browse"), [(200, True), (404, None)])
def test_a_project_may_be_there_or_yet_to_come(sonar, url, status, browse):
    sonar.answers["/api/components/show"] = (status, {})

    assert check_access(Client(url, TOKEN), TOKEN, "demo").browse is browse
