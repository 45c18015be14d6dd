"""What `[app]` says, and the application that comes of it."""

from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from pydantic import ValidationError

from scanrun.application import application
from scanrun.config import load_settings
from scanrun.config.app import AppSettings
from scanrun.errors import ConfigError, NotReadyError, UsageError
from scanrun.model import Address, App, Page, Service, SignIn, origin_of

IMAGE = {"image": "shop:1", "port": 8080}
TARGETS = (
    *("127.0.0.1:8080", "localhost:3000", "shop.example:80", "shop.example:443"),
    *("[::1]:8080", "127.1:80", "shop.example:8443"),
)


def app_of(root, **given):
    return application(AppSettings.model_validate(given), root)


def elsewhere(root, url, **given):
    return app_of(root, url=url, **{"allowed_targets": TARGETS, **given})


def refusal_of(**given):
    with pytest.raises(ValidationError) as caught:
        AppSettings.model_validate(given)
    (error,) = caught.value.errors()
    return ".".join(map(str, error["loc"])), error["msg"]


def test_no_application_is_configured_where_nothing_is_said(tmp_path):
    assert app_of(tmp_path) is None


def test_a_description_without_an_application_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"\[app\] has text, title, and not what") as caught:
        app_of(tmp_path, text="Parcels", title="Shop")

    assert caught.value.hint == "name one of image, dockerfile, compose, url"


def test_a_file_describes_what_the_command_line_names(tmp_path):
    text = '[app]\ntitle = "Shop"\nallowed_targets = ["localhost:3000"]\n'

    loaded = load(tmp_path, text, flags={"app.url": "http://localhost:3000/"}, trusted=True)

    app = application(loaded.settings.app, tmp_path)
    assert (app.own_url, app.page.title) == ("http://localhost:3000/", "Shop")


# in a container


def test_an_image_becomes_a_service_that_is_watched_and_closed_in(tmp_path):
    app = app_of(tmp_path, **IMAGE, env={"A": "b"}, command=["serve"], memory="256m")

    assert (app.url, app.names, app.own_url) == ("http://app:8080/", ("app",), "")
    service = app.service
    assert (service.image, service.port, service.host_name) == ("shop:1", 8080, "app")
    assert (service.env, service.argv) == ({"A": "b"}, ("serve",))
    assert (service.build, service.compose, service.remote) == (None, None, None)
    assert (service.watched, service.own_program, service.open, service.keep) == (
        *(True, True),
        *(False, ""),
    )
    assert service.limits.memory_mb == 256


@pytest.mark.parametrize("trusted", [True, False])
def test_a_build_that_the_tree_alone_names_has_no_network(tmp_path, trusted):
    settings = AppSettings(dockerfile="Dockerfile", port=8080)

    app = application(settings, tmp_path, trusted=trusted)

    assert app.service.build.network is trusted


def test_a_dockerfile_is_built_below_the_scanned_folder(tmp_path):
    app = app_of(
        tmp_path,
        dockerfile="docker/Dockerfile",
        context="docker",
        target="web",
        build_args={"A": "b"},
        port=80,
    )

    build = app.service.build
    assert (build.context, build.root) == (tmp_path / "docker", tmp_path)
    assert (build.dockerfile, build.target, build.args) == ("docker/Dockerfile", "web", {"A": "b"})
    assert app.service.image == ""


def test_a_compose_file_may_only_what_the_configuration_allows_it(tmp_path):
    app = app_of(
        tmp_path, compose="compose.yaml", service="web", port=80, compose_allow=["host-network"]
    )

    compose = app.service.compose
    assert (compose.file, compose.service) == (tmp_path / "compose.yaml", "web")
    assert (compose.root, compose.allowed) == (tmp_path, {"host-network"})


def test_where_and_what_is_due_is_what_the_configuration_says(tmp_path):
    app = app_of(
        tmp_path,
        **IMAGE,
        scheme="https",
        host="shop.example",
        path="/shop/?a=b",
        status=401,
        text="Parcels",
        title="Shop",
        sign_in={"secret": "session"},
    )

    assert app.url == "https://shop.example:8080/shop/?a=b"
    assert app.origin == "https://shop.example:8080"
    assert app.page == Page(status=401, text="Parcels", title="Shop")
    assert app.sign_in == SignIn(header="Authorization", secret="session")
    assert app.service.host_name == "shop.example"


def test_secrets_a_seed_and_a_way_out_are_what_the_configuration_says(tmp_path):
    app = app_of(
        tmp_path,
        **IMAGE,
        secrets={"TOKEN": "token"},
        seed=["fill"],
        network="open",
        start_deadline="3m",
    )

    service = app.service
    assert (service.secrets, service.seed, service.open) == ({"TOKEN": "token"}, ("fill",), True)
    assert service.start_s == 180


# elsewhere


@pytest.mark.parametrize(
    ("url", "seen", "remote"),
    [
        ("http://localhost:3000", "http://app:3000/", Address("localhost", 3000)),
        ("http://LOCALHOST:3000/a", "http://app:3000/a", Address("localhost", 3000)),
        ("http://127.0.0.1:8080/a?b=c", "http://app:8080/a?b=c", Address("127.0.0.1", 8080)),
        ("http://[::1]:8080/", "http://app:8080/", Address("::1", 8080)),
        ("http://127.1/", "http://app/", Address("127.1", 80)),
        ("http://shop.example", "http://shop.example/", Address("shop.example", 80)),
        ("https://shop.example/a", "https://shop.example/a", Address("shop.example", 443)),
        ("https://Shop.Example:8443/", "https://shop.example:8443/", Address("shop.example", 8443)),
    ],
)
def test_an_application_elsewhere_is_called_by_a_name_that_leads_to_the_relay(
    tmp_path, url, seen, remote
):
    app = elsewhere(tmp_path, url)

    assert (app.url, app.service.remote, app.service.port) == (seen, remote, remote.port)
    assert app.service.host_name in seen
    assert (app.service.open, app.service.own_program) == (False, False)
    assert app.service.watched


def test_a_name_for_an_application_elsewhere_can_be_chosen(tmp_path):
    app = elsewhere(tmp_path, "http://127.0.0.1:8080/a", host="shop.example")

    assert (app.url, app.service.host_name) == ("http://shop.example:8080/a", "shop.example")
    assert app.service.remote == Address("127.0.0.1", 8080)


def test_an_application_that_runs_already_is_waited_for_only_if_a_deadline_is_set(tmp_path):
    runs = elsewhere(tmp_path, "http://localhost:3000/")
    starts = elsewhere(tmp_path, "http://localhost:3000/", start_deadline="2m")

    assert (runs.service.start_s, starts.service.start_s) == (10, 120)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://localhost:3001/", "localhost:3001"),
        ("http://localhost/", "localhost:80"),
        ("https://localhost/", "localhost:443"),
        ("http://other.example:3000/", "other.example:3000"),
        ("http://[::2]:8080/", "[::2]:8080"),
        ("http://localhost.example:3000/", "localhost.example:3000"),
    ],
)
def test_an_address_that_is_not_allowed_is_sent_nothing(tmp_path, url, target):
    with pytest.raises(UsageError, match="is not among the targets") as caught:
        elsewhere(tmp_path, url)

    assert str(caught.value).startswith(target)
    assert f'allowed_targets = ["{target}"]' in caught.value.hint


def test_an_allowed_target_is_the_same_in_any_case(tmp_path):
    app = elsewhere(tmp_path, "http://shop.EXAMPLE/", allowed_targets=["SHOP.example:80"])

    assert app.service.remote == Address("shop.example", 80)


# beside scanners


def test_a_scanner_lends_its_image_to_the_relay_or_the_porter_and_to_nothing_else(tmp_path):
    relayed = elsewhere(tmp_path, "http://localhost:3000/")
    contained = app_of(tmp_path, **IMAGE)

    (beside,) = relayed.beside("zap:1")
    assert (beside.image, beside.remote) == ("zap:1", Address("localhost", 3000))
    assert contained.beside("zap:1") == (replace(contained.service, porter="zap:1"),)
    assert contained.beside("zap:1")[0].porter == "zap:1"
    assert contained.beside("zap:1")[0].image == contained.service.image
    assert relayed.service.image == ""


def test_two_scanners_with_one_image_share_a_relay(tmp_path):
    app = elsewhere(tmp_path, "http://localhost:3000/")

    assert app.beside("zap:1") == app.beside("zap:1")
    assert app.beside("zap:1") != app.beside("wapiti:1")


def test_scanners_with_different_images_share_an_application_in_a_container(tmp_path):
    app = app_of(tmp_path, **IMAGE)

    assert app.beside("zap:1") == app.beside("wapiti:1")


def test_this_host_reaches_an_application_elsewhere_by_its_own_address(tmp_path):
    app = elsewhere(tmp_path, "http://localhost:3000", text="Parcels", host="shop.example")

    here = app.on_host()

    assert (here.url, here.service, here.names) == ("http://localhost:3000/", None, ())
    assert here.beside("zap:1") == ()
    assert here.page == app.page


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://App:80/", "http://app:80"),
        ("http://app/x", "http://app:80"),
        ("https://app", "https://app:443"),
        ("https://[::1]/", "https://[::1]:443"),
    ],
)
def test_an_origin_has_its_port_always(url, origin):
    assert origin_of(url) == origin
    assert App(url=url).origin == origin


@pytest.mark.parametrize("url", ["", "app:80", "ftp://app/", "http:///x", "//app/"])
def test_what_is_no_address_has_no_origin(url):
    with pytest.raises(ValueError, match="is no address for HTTP"):
        origin_of(url)


def test_an_address_is_shown_as_browsers_write_it():
    assert Address("::1", 80).url == "http://[::1]:80"
    assert str(Address("app", 80)) == "app:80"


# ready


class Asked(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers["Host"]))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({}, "/shop/?a=b"),
        ({"health": "/health"}, "/health"),
    ],
)
def test_an_application_elsewhere_is_ready_by_the_name_that_scanners_use(tmp_path, given, path):
    with HTTPServer(("127.0.0.1", 0), Asked) as server:
        server.asked, server.status = [], 200
        target = f"127.0.0.1:{server.server_port}"
        app = elsewhere(tmp_path, f"http://{target}/shop/?a=b", allowed_targets=[target], **given)
        serving = Thread(target=server.handle_request)
        serving.start()

        ready = app.service.ready(app.service.remote)
        serving.join()

    assert ready
    assert server.asked == [(path, f"app:{server.server_port}")]


def is_ready(app):
    """Ask as the run would, of a server that answers 404."""
    with HTTPServer(("127.0.0.1", 0), Asked) as server:
        server.asked, server.status = [], 404
        serving = Thread(target=server.handle_request)
        serving.start()
        try:
            return app.service.ready(Address("127.0.0.1", server.server_port))
        finally:
            serving.join()


SESSION = {"sign_in": {"secret": "session"}}


@pytest.mark.parametrize(
    "given",
    [{}, {"status": 401}, *({"health": "/h", **each} for each in ({"status": 404}, SESSION))],
)
def test_an_application_that_answers_404_is_not_there_yet(tmp_path, given):
    with pytest.raises(NotReadyError, match="answers 404"):
        is_ready(app_of(tmp_path, **IMAGE, **given))


@pytest.mark.parametrize("given", [{"status": 404}, SESSION, {"seed": ["fill"]}])
def test_404_is_no_reason_to_wait_where_it_is_due_or_is_for_those_who_come_later(tmp_path, given):
    assert is_ready(app_of(tmp_path, **IMAGE, **given))


# what can't be


@pytest.mark.parametrize("given", [{}, IMAGE, {"url": "http://a/"}])
def test_a_default_that_is_said_aloud_is_the_same_as_none(given):
    settings = AppSettings.model_validate(given)

    aloud = AppSettings.model_validate(settings.model_dump())

    assert (aloud, aloud.said) == (settings, settings.said)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"image": "a", "url": "http://a/"}, "image and url: an application is one of"),
        ({"image": "a"}, "port: say where the application answers"),
        ({"dockerfile": "Dockerfile"}, "port: say where the application answers"),
        ({"compose": "c.yaml", "port": 80}, "compose and service belong together"),
        ({**IMAGE, "service": "web"}, "compose and service belong together"),
        ({**IMAGE, "context": "a", "target": "b"}, "context, target: of no use without dockerfile"),
        ({**IMAGE, "compose_allow": ["binds"]}, "compose_allow: of no use without compose"),
        ({"dockerfile": "../Dockerfile", "port": 80}, "dockerfile lies outside"),
        ({"dockerfile": "a/../../b", "port": 80}, "dockerfile lies outside"),
        ({"dockerfile": "D", "context": "/etc", "port": 80}, "context lies outside"),
        ({"compose": "/c.yaml", "service": "a", "port": 80}, "compose lies outside"),
        ({**IMAGE, "host": "localhost"}, "host: for a scanner, 'localhost' is itself"),
        ({**IMAGE, "host": "a.localhost"}, "'a.localhost' is itself"),
        ({**IMAGE, "host": "127.0.0.1"}, "'127.0.0.1' is itself"),
        ({**IMAGE, "host": "0x7f000001"}, "'0x7f000001' is itself"),
        ({"url": "http://a/", "port": 80, "seed": ["x"]}, "port, seed: of no use with url"),
        ({"url": "http://a/", "network": "open"}, "network: of no use with url"),
        ({"url": "a:80"}, "url: write http://host:port/path"),
        ({"url": "ftp://a/"}, "url: write http://host:port/path"),
        ({"url": "http://:80/"}, "url: write http://host:port/path"),
        ({"url": "http://a:0/"}, "url: write http://host:port/path"),
        ({"url": "http://a:99999/"}, "url: write http://host:port/path"),
        ({"url": "http://[::1/"}, "Invalid IPv6 URL"),
        ({"url": "http://me:word@a/"}, "url: no user, password or fragment"),
        ({"url": "http://a/#top"}, "url: no user, password or fragment"),
        ({"url": "http://a/b c"}, "url: no blanks, backslashes or control characters"),
        ({"url": "http://a\\@b/"}, "url: no "),
    ],
)
def test_what_can_not_be_is_refused_with_what_to_say(given, words):
    place, message = refusal_of(**given)

    assert (place, words in message) == ("", True), message


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({**IMAGE, "port": 0}, "port"),
        ({**IMAGE, "port": 65_536}, "port"),
        ({**IMAGE, "path": "shop"}, "path"),
        ({**IMAGE, "path": "/a\r\nHost: evil"}, "path"),
        ({**IMAGE, "host": "evil host"}, "host"),
        ({**IMAGE, "env": {"A=B": "c"}}, "env.A=B.[key]"),
        ({**IMAGE, "status": 99}, "status"),
        ({**IMAGE, "scheme": "ftp"}, "scheme"),
        ({**IMAGE, "network": "host"}, "network"),
        ({**IMAGE, "sign_in": {"secret": "a", "header": "X: y"}}, "sign_in.header"),
        ({**IMAGE, "sign_in": {}}, "sign_in.secret"),
        ({**IMAGE, "compose_allow": ["all"]}, "compose_allow.0"),
        ({"url": "http://a/", "allowed_targets": ["a"]}, "allowed_targets.0"),
        ({"url": "http://a/", "allowed_targets": ["*:80"]}, "allowed_targets.0"),
        ({**IMAGE, "colour": "red"}, "colour"),
    ],
)
def test_a_value_that_can_not_be_is_refused_at_its_place(given, place):
    assert refusal_of(**given)[0] == place


# whose word it is


def load(root, text, *, trusted=False, flags=None):
    (root / "scanrun.toml").write_text(text)
    return load_settings(
        root, config=None, flags=flags or {}, environment={}, scanners={}, trusted=trusted
    )


DANGERS = [
    ('compose = "c.yaml"\nservice = "web"\nport = 80', "app.compose"),
    ('url = "http://a/"', "app.url"),
    ('image = "a"\nport = 80\nsecrets = {T = "token"}', "app.secrets"),
    ('image = "a"\nport = 80\n[app.secrets]\nT = "token"', "app.secrets"),
    ('image = "a"\nport = 80\n[app.sign_in]\nsecret = "token"', "app.sign_in"),
    ('image = "a"\nport = 80\nnetwork = "open"', "app.network"),
]


@pytest.mark.parametrize(("text", "key"), DANGERS)
def test_a_tree_can_not_send_requests_run_a_compose_file_or_give_secrets_away(tmp_path, text, key):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f"[app]\n{text}\n")

    assert str(caught.value).startswith(f"{key} ")
    assert "--trust-config" in caught.value.hint


@pytest.mark.parametrize(("text", "key"), DANGERS)
def test_it_may_where_the_user_trusts_it(tmp_path, text, key):
    assert load(tmp_path, f"[app]\n{text}\n", trusted=True).settings.app.kind


def test_a_tree_can_not_allow_what_the_user_has_named(tmp_path):
    text = '[app]\nallowed_targets = ["a:80"]\nurl = "http://b/"\n'

    with pytest.raises(ConfigError, match=r"^app\.allowed_targets "):
        load(tmp_path, text, flags={"app.url": "http://a/"})


@pytest.mark.parametrize(
    "text",
    [
        'image = "a"\nport = 80\ncommand = ["x"]\nseed = ["y"]\nenv = {A = "b"}',
        'dockerfile = "Dockerfile"\nport = 80\nbuild_args = {A = "b"}',
    ],
)
def test_a_tree_may_run_what_stays_in_containers(tmp_path, text):
    assert load(tmp_path, f"[app]\n{text}\n").settings.app.kind in {"image", "dockerfile"}


def test_a_relay_has_what_little_it_needs(tmp_path):
    service = elsewhere(tmp_path, "http://localhost:3000/").service

    assert isinstance(service, Service)
    assert (service.limits.memory_mb, service.limits.pids) == (128, 64)
    assert (dict(service.env), service.argv, service.writes) == ({}, (), ())
    assert (dict(service.secrets), service.seed, service.keep) == ({}, (), "")
