"""What is wrong with an answer, and what to set."""

import json

import pytest
from crawling_kit import DEAD, PAGE, URL

from scanrun.api import App, ConversionError, Outputs, Page, SignIn, reach_of
from scanrun.model import Service
from scanrun.web.probe import answer_of

APP = App(url=URL, service=Service(name="app", image="app:1", port=8080, ready=bool))


def hop(url=URL, status=200, location=""):
    return {"url": url, "status": status, "location": location}


@pytest.fixture
def reached(tmp_path):
    """Return a function that weighs two answers."""

    def call(before=PAGE, after=None, *, app=APP, pages=15, **more):
        paths = {}
        for name, answer in (("before", before), ("after", after or before)):
            paths[answer_of(name)] = tmp_path / f"{name}.json"
            paths[answer_of(name)].write_text(json.dumps(answer))
        return reach_of(Outputs(paths, app=app), pages=pages, **more)

    return call


def test_a_page_that_is_as_due_is_no_problem(reached):
    found = reached(codes={"2xx": 100}, others=[f"{URL}a?b=c"])

    assert found.problems == ()
    assert (found.url, found.pages, found.others) == (URL, 15, ())


@pytest.mark.parametrize(
    ("answer", "what", "hint"),
    [
        ({"status": 401}, "answers 401, and 200 is due", "sign_in"),
        ({"status": 403}, "answers 403, and 200 is due", "sign_in"),
        ({"status": 404}, "answers 404, and 200 is due", "[app] path"),
        ({"status": 500}, "answers 500, and 200 is due", "log"),
        ({"status": 503}, "answers 503, and 200 is due", "log"),
        ({"status": 418}, "answers 418, and 200 is due", "status = 418"),
        ({"length": 0, "title": "", "links": 0}, "is empty", "[app] path"),
        (
            {"status": 302, "chain": [hop(status=302, location="http://app:9000/")]},
            "answers 302 to http://app:9000/",
            "port = 9000",
        ),
        (
            {"status": 301, "chain": [hop(status=301, location="https://app:8080/")]},
            "answers 301 to https://app:8080/",
            'scheme = "https"',
        ),
        (
            {"status": 302, "chain": [hop(status=302, location="http://shop.example:8080/")]},
            "answers 302 to http://shop.example:8080/",
            'host = "shop.example"',
        ),
        (
            {"status": 302, "chain": [hop(status=302, location="http://localhost:8080/")]},
            "answers 302 to http://localhost:8080/",
            "tell the application its own address",
        ),
        (
            {"status": 302, "chain": [hop(status=302, location="javascript:1")]},
            "answers 302 to javascript:1",
            "[app]",
        ),
        ({"refresh": "http://other:80/"}, "answers a page that sends on to http://other", "[app]"),
        ({"refresh": f"{URL}login.php"}, "a login wall", "sign_in"),
        (
            {"chain": [hop(status=302, location=f"{URL}login"), hop(f"{URL}login")]},
            f"leads to {URL}login: a login wall",
            "sign_in",
        ),
        ({"password": True, "links": 2}, "asks for a password and leads nowhere", "sign_in"),
        ({"password": True, "links": 40, "title": "Sign in"}, "asks for a password", "sign_in"),
        (
            {"status": 302, "words": "on and on", "chain": [hop(status=302, location=URL)] * 6},
            "sends on and on",
            "path",
        ),
        (DEAD, "refuses connections", "[app] port"),
        ({**DEAD, "error": "dns"}, "name that is not known", "host"),
        ({**DEAD, "error": "timeout"}, "does not answer in 20 s", "health"),
        ({**DEAD, "error": "reset"}, "before its answer is whole", 'scheme = "https"'),
        ({**DEAD, "error": "tls"}, "does not speak TLS", 'scheme = "http"'),
        ({**DEAD, "error": "not-http"}, "does not speak HTTP", "port"),
        ({**DEAD, "error": "of a later version"}, "gives no answer", "log"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_told_with_what_to_set(reached, answer, what, hint):
    problems = reached({**PAGE, **answer}).problems

    assert any(what in each and hint in each for each in problems), problems


@pytest.mark.parametrize(
    "path",
    ["login", "users/sign_in", "signin?next=/", "auth/realms/x", "sso/start", "accounts/login/",
     "wp-login.php", "log-in", "logon.aspx", "oauth2/authorize", "login;jsessionid=1"],
)  # fmt: skip
def test_a_login_wall_is_known_by_its_address(reached, path):
    chain = [hop(status=302, location=f"{URL}{path}"), hop(f"{URL}{path}")]

    assert any("a login wall" in each for each in reached({**PAGE, "chain": chain}).problems)


@pytest.mark.parametrize("path", ["authors", "blog", "catalogin", "signing", "ssoup", "author/1"])
def test_other_addresses_are_no_login_wall(reached, path):
    chain = [hop(status=302, location=f"{URL}{path}"), hop(f"{URL}{path}")]

    assert reached({**PAGE, "chain": chain}).problems == ()


def test_a_login_box_on_a_page_of_its_own_worth_is_no_wall(reached):
    found = reached({**PAGE, "password": True, "links": 40})

    assert found.problems == ()
    assert "asks for a password" in found.before


def test_a_login_page_that_is_due_is_no_wall(reached):
    app = App(url=f"{URL}login", page=Page(text="Welcome"))
    chain = [hop(f"{URL}login")]

    assert reached({**PAGE, "password": True, "links": 0, "chain": chain}, app=app).problems == ()


def test_a_sign_in_that_does_not_is_told_as_one(reached):
    app = App(url=URL, sign_in=SignIn(header="X-Token", secret="TOKEN"))
    chain = [hop(status=302, location=f"{URL}login"), hop(f"{URL}login")]

    wall = reached({**PAGE, "chain": chain}, app=app).problems
    refused = reached({**PAGE, "status": 401}, app=app).problems

    assert any("the header X-Token did not sign in" in each for each in wall)
    assert any("the secret of [app.sign_in]" in each for each in refused)


def test_text_and_title_that_are_due_and_missing_are_told(reached):
    app = App(url=URL, page=Page(text="Track & trace", title="Shop"))

    problems = reached({**PAGE, "has_text": False, "has_title": False}, app=app).problems

    assert any("'Track & trace' does not stand in" in each for each in problems)
    assert any("is 'Parcels', and 'Shop' is due" in each for each in problems)


def test_a_status_that_is_due_is_fine_whatever_it_is(reached):
    app = App(url=URL, page=Page(status=401))

    assert reached({**PAGE, "status": 401}, app=app, codes={"4xx": 100}).problems == ()


@pytest.mark.parametrize("status", [204, 205, 302, 304, 401, 403, 404])
def test_a_status_that_is_due_may_come_without_a_page(reached, status):
    app = App(url=URL, page=Page(status=status))
    empty = {**PAGE, "status": status, "length": 0, "title": "", "links": 0}

    assert reached(empty, app=app).problems == ()


@pytest.mark.parametrize("status", [200, 201, 206])
def test_a_page_that_is_due_and_empty_is_told(reached, status):
    app = App(url=URL, page=Page(status=status))

    (problem,) = reached({**PAGE, "status": status, "length": 0}, app=app).problems
    assert "is empty" in problem


def test_an_application_that_is_gone_after_the_scan_is_told(reached):
    (problem,) = reached(PAGE, DEAD).problems

    assert problem.startswith(f"after the scan, {URL} refuses connections (nobody there); ")


def test_what_was_so_before_is_told_once(reached):
    assert len(reached({**PAGE, "status": 404}).problems) == 1


def test_another_page_after_the_scan_is_another_application(reached):
    moved = {**PAGE, "chain": [hop(status=302, location=f"{URL}b"), hop(f"{URL}b")]}

    assert any("another page after the scan" in each for each in reached(PAGE, moved).problems)


@pytest.mark.parametrize(
    "paths",
    [
        ("welcome;jsessionid=A1", "welcome;jsessionid=B22"),
        ("shop;jsessionid=A1/start", "shop/start"),
        ("?state=1a2b&lang=de", "?lang=de&state=3c4d5e"),
        ("#a", "#b"),
    ],
)
def test_a_session_s_number_in_the_address_makes_no_other_page(reached, paths):
    pages = [{**PAGE, "chain": [hop(status=302), hop(f"{URL}{path}")]} for path in paths]

    assert reached(*pages).problems == ()


@pytest.mark.parametrize("path", ["b?id=1", "a?page=1", "a/b?id=1", "", "a;b/c?id=1", "a"])
def test_another_path_or_another_query_is_another_page(reached, path):
    pages = [{**PAGE, "chain": [hop(status=302), hop(f"{URL}{each}")]} for each in ("a?id=1", path)]

    assert any("another page after the scan" in each for each in reached(*pages).problems)


def test_another_title_is_another_application_unless_a_text_is_due(reached):
    other = {**PAGE, "title": "Invoices"}
    told = App(url=URL, page=Page(text="always there"))

    assert any("its title was 'Parcels'" in each for each in reached(PAGE, other).problems)
    assert reached(PAGE, other, app=told).problems == ()


@pytest.mark.parametrize(
    ("seen", "problem"),
    [
        ({"pages": 0}, "no page that it saw"),
        ({"pages": 1}, "the start page alone, and that links to 4 other pages"),
        ({"codes": {"4xx": 100}}, "got no good answer (4xx 100 %)"),
        ({"codes": {"2xx": 0, "5xx": 100}}, "got no good answer"),
        ({"others": ["http://app:9000/x"]}, "name http://app:9000, which is not"),
        ({"others": ["ftp://x"]}, "name ftp://x, which is not"),
        ({"problems": ["it was stopped"]}, "it was stopped"),
    ],
)
def test_what_the_scanner_saw_is_weighed(reached, seen, problem):
    assert any(problem in each for each in reached(**seen).problems)


def test_one_page_without_links_is_a_small_site(reached):
    assert reached({**PAGE, "links": 0}, pages=1).problems == ()


def test_without_an_application_nothing_was_reached(reached):
    assert reached(app=None).problems == ("no application was configured",)


def test_without_an_answer_nothing_was_reached(tmp_path):
    with pytest.raises(ConversionError):
        reach_of(Outputs({}, app=APP), pages=3)


def test_an_address_of_one_s_own_is_mended_by_the_url(reached):
    app = App(url=URL, own_url="http://127.0.0.1:8080/")
    away = {**PAGE, "status": 302, "chain": [hop(status=302, location="http://app:9000/")]}

    assert any('[app] url = "http://app:9000/"' in each for each in reached(away, app=app).problems)
