import json
import random
import threading
from base64 import b64encode
from urllib.parse import quote

import pytest

from scanrun.sarif.mask import MASK, Masker, clean_text

WORD = "hunter" + "2"
PEM = "-----BEGIN RSA PRIVATE " + "KEY-----\n"
PEM_END = "-----END RSA PRIVATE " + "KEY-----"
TOKENS = {
    "aws": "AKIA" + "QX3M" * 4,
    "github": "ghp_" + "k3Yp" * 9,
    "github-fine": "github_pat_" + "k3Yp" * 9,
    "gitlab": "glpat-" + "x9K_" * 5,
    "slack": "xoxb-" + "1234-" * 4 + "abcd",
    "stripe": "sk_live_" + "a1B2" * 6,
    "jwt": "eyJ" + "hbGci" * 4 + ".eyJ" + "zdWIi" * 4 + "." + "c2ln" * 5,
    "google": "AIza" + "s7_" * 11 + "ab",
}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_known_tokens_are_masked_wherever_they_stand(token):
    masked = Masker().text(f"found {token}, see (line 3): {token}")

    assert token[-12:] not in masked
    assert masked.startswith("found ")
    assert MASK in masked


@pytest.mark.parametrize(
    "text",
    [
        'password = "{}"',
        "passwd: {}",
        "DB_PASSWORD={}",
        "pw='{}'",
        'os.environ["SECRET_KEY"] = "{}"',
        '{{"password": "{}"}}',
        '{{"Content": "  password: \\"{}\\"\\n"}}',
        "export API_KEY={} && run",
        'client_secret => "{}"',
        "apiKey := `{}`",
        "access_token={}&x=1",
        "Possible hardcoded password: '{}'",
        "https://admin:{}@example.org/x",
        "https://{}@example.org/x",
        "Authorization: Basic {}",
        "Cookie: session={}",
        "tokenValue: {}",
    ],
)
def test_what_is_called_a_secret_is_masked(text):
    masked = Masker().text(text.format(WORD))

    assert WORD not in masked
    assert MASK in masked


def test_a_quoted_secret_is_masked_to_its_end():
    masked = Masker().text('password = "with space, \\"quote\\" and more" # ok')

    assert masked == f'password = "{MASK}" # ok'


@pytest.mark.parametrize("end", [PEM_END, ""], ids=["whole", "cut off"])
def test_a_private_key_is_masked_but_for_its_frame(end):
    masked = Masker().text(f"key:\n{PEM}MIIB{WORD}\n{end}")

    assert WORD not in masked
    assert masked.startswith("key:\n-----BEGIN RSA PRIVATE")
    assert masked.endswith(end)


@pytest.mark.parametrize(
    "text",
    [
        "CVE-2020-1234 in lodash 4.17.1: see https://example.org/a?b=c",
        "tokenizer = Auto()",
        "the key is: short",
        "git@example.org:a/b.git",
        "İstanbul passed",
    ],
)
def test_ordinary_text_stays_as_it_is(text):
    assert Masker().text(text) == text


def test_the_quick_look_overlooks_nothing_that_the_thorough_one_finds():
    """`clean` looks quickly first; whatever `text` would mask must not get past that look."""
    chance = random.Random(0)
    parts = [
        *TOKENS.values(),
        *("password", "PASSWD", "pw", "secret", "Token", "api_key", "credentials", "Cookie"),
        *("=", ": ", " := ", "=>", "[", "]", '"', '\\"', "'", "`", "_", "-", ".", " ", "x9"),
        *("bearer ", "Authorization: Basic ", "https://a:", "@host/", PEM, "\u212aEY", "\u0130"),
        WORD,
    ]
    masker = Masker([WORD + "given"])
    texts = ["".join(chance.choices(parts, k=chance.randint(1, 9))) for _ in range(20_000)]

    found = [text for text in texts if masker.harmless(text)]

    assert 1000 < len(found) < 19_000
    assert [text for text in found if masker.text(clean_text(text)) != text] == []


def test_what_is_learnt_later_is_masked_in_texts_seen_before():
    masker = Masker()
    before = masker.clean("a plain word")

    masker.learn("plain")

    assert (before, masker.clean("a plain word")) == ("a plain word", f"a {MASK} word")


def test_given_values_are_masked_in_each_of_their_lines_and_in_json():
    masker = Masker(["first-part\nsecond-part", 'with"quote', "ab"])
    text = json.dumps({"a": "first-part second-part", "b": 'with"quote', "c": "ab"})

    assert json.loads(masker.text(text)) == {"a": f"{MASK} {MASK}", "b": MASK, "c": "ab"}


def test_masking_twice_changes_nothing():
    once = Masker().text(f"password = '{WORD}' token: {WORD}")

    assert Masker().text(once) == once


@pytest.mark.parametrize("written", ['"{}"', "password = {}", '"secret": "a {}"'])
def test_no_secret_is_cut_in_two_where_a_block_of_a_file_ends(tmp_path, written):
    told = written.format(TOKENS["github"])
    (tmp_path / "in").write_text(f"{told}\n" * 60_000)

    Masker().file(tmp_path / "in", tmp_path / "out")

    masked = (tmp_path / "out").read_text()
    assert masked == f"{Masker().text(told)}\n" * 60_000


@pytest.mark.parametrize("pad", range(916_800, 917_600, 23))
def test_a_name_stays_with_its_value_where_a_block_of_a_file_ends(tmp_path, pad):
    filler = "-" * pad
    (tmp_path / "in").write_text(f'{filler} password = "{WORD}" ' + "-" * 300_000)

    Masker().file(tmp_path / "in", tmp_path / "out")

    masked = (tmp_path / "out").read_text()
    assert masked == f'{filler} password = "{MASK}" ' + "-" * 300_000


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "hostile", ["pw:", "pw='", "eyJ", "://", "-----BEGIN PRIVATE " + "KEY-----"]
)
def test_hostile_text_takes_no_more_than_its_length(hostile):
    text = hostile * (300_000 // len(hostile))

    assert len(Masker().text(text)) < 2 * len(text)


def test_source_text_in_a_json_report_is_masked_and_the_rest_kept(tmp_path):
    report = {
        "Target": "a.py",
        "Code": {"Lines": [{"Number": 1, "Content": f'x = "{WORD}\\"', "Highlighted": WORD}]},
        "Match": WORD * 400_000,
        "code_block": [[1, f']] {WORD} \\" ['], [2, WORD * 400_000]],
        "region": {"snippet": {"text": f"{WORD}\\"}},
        "Title": "a title",
    }
    (tmp_path / "in").write_text(json.dumps(report))

    Masker().file(tmp_path / "in", tmp_path / "out")

    masked = json.loads((tmp_path / "out").read_text())
    assert WORD not in json.dumps(masked)
    assert (masked["Target"], masked["Title"]) == ("a.py", "a title")
    assert masked["code_block"] == [MASK]
    assert masked["Code"]["Lines"][0] == {"Number": 1, "Content": MASK, "Highlighted": MASK}


def test_a_private_key_longer_than_a_block_is_masked(tmp_path):
    (tmp_path / "in").write_text("a\n" + PEM + f"{WORD}\n" * 400_000 + PEM_END + "\nb")

    Masker().file(tmp_path / "in", tmp_path / "out")

    masked = (tmp_path / "out").read_text()
    assert masked == f"a\n{PEM.strip()}{MASK}{PEM_END}\nb"


def test_bytes_that_are_no_text_survive(tmp_path):
    (tmp_path / "in").write_bytes(b"caf\xe9\r\n\x00")

    Masker().file(tmp_path / "in", tmp_path / "out")

    assert (tmp_path / "out").read_bytes() == b"caf\xe9\r\n\x00"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x07", "link"),
        ("\x9b31mred", "red"),
        ("a\x00b\x08c\rd\x7f", "abcd"),
        ("line\r\nnext\tcell", "line\nnext\tcell"),
        ("user\u202egnp.exe", "usergnp.exe"),
    ],
)
def test_terminals_are_not_played_tricks_on(text, clean):
    assert clean_text(text) == clean


def test_long_text_is_cut_visibly():
    assert clean_text("abcdef", 4) == "abc…"


@pytest.mark.parametrize(
    "form",
    [
        lambda secret: secret,
        lambda secret: json.dumps(secret)[1:-1],
        lambda secret: json.dumps(secret)[1:-1].replace("=", "\\u003d"),
        lambda secret: quote(secret, safe=""),
        lambda secret: b64encode(secret.encode()).decode(),
        lambda secret: b64encode(f"{secret}:".encode()).decode(),
    ],
    ids=["plain", "JSON", "JSON of a careful writer", "address", "base64", "basic"],
)
def test_known_secret_is_masked_in_every_form_it_may_take(form):
    secret = "p=w" + '"d/with' + " 4ll"

    masked = Masker([secret]).text(f"sent {form(secret)} on")

    assert form(secret) not in masked
    assert masked.startswith("sent ********")


def test_secrets_learnt_by_several_threads_are_all_masked():
    masker = Masker()
    secrets = [f"secret-number-{number}" for number in range(40)]
    threads = [threading.Thread(target=masker.learn, args=(each,)) for each in secrets]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not [each for each in secrets if each in masker.text(" ".join(secrets))]
