"""Secrets of the tree, of an image and of the caller: in nothing that scanrun writes or shows."""

import base64
import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import docker
import pytest

from scanrun.cli.app import run
from scanrun.config import Loaded, Settings
from scanrun.request import Request, secrets_in
from scanrun.sarif.mask import MASK, Masker

# what is looked for: each in a shape by which a tool, or a reader, would know it for a secret
CORES = {
    "password": "Hq7Vt" + "Wd2Lm9Xz",
    "neighbour": "Nb4Rk" + "Ys8Pf3Tc",
    "dotenv": "Ev6Jw" + "Qa1Zx5Mn",
    "terraform": "Tf3Gd" + "Lp9Bv7Ks",
    "header": "Hd8Cx" + "Zr2Wq6Yt",
    "remote": "Rm5Fh" + "Jk4Np1Vd",
    "image": "Im9Sb" + "Xc7Gt2Qw",
    "printed": "Pr2Dk" + "Mv6Hz8Lf",
    "broken": "Br1Yn" + "Kt5Wp3Cs",
    "caller": "Cl7Ps" + "Zd3Rj9Gm",
    "address": "Ad4Xv" + "Tn8Qc2Bh",
    "aws": "AKIA" + "Q7X2M4K6P3T5L7W2",
    "aws secret": "wJalr" + "Vk7Xq/K7MDENG/bPxRfiCYq2T4W6Z8",
    "github": "ghp_" + "Zx8Kp3Yq" * 4 + "Wt5R",
    "pem": "MIIEowIBAAKCAQEA" + "x7Kp3Yq9Wt5RZx8L",
}
PEM = f"-----BEGIN RSA PRIVATE {'KEY'}-----\n{CORES['pem']}\n-----END RSA PRIVATE {'KEY'}-----\n"
TREE = {
    "app/config.py": f"import subprocess\npassword = 'x{CORES['password']}'\n"
    "subprocess.call('curl -u admin', shell=True); "
    f"db(password='{CORES['neighbour']}', aws='{CORES['aws']}')\n"
    f"aws_secret_access_key = '{CORES['aws secret']}'\n",
    "app/broken.py": f"def f(:\n    token = '{CORES['broken']}'\n",
    ".env": f"DB_PASSWORD={CORES['dotenv']}\nGH_TOKEN={CORES['github']}\n",
    "deploy.pem": PEM,
    "Dockerfile": "FROM python:3.11\n"
    f"ENV API_TOKEN={CORES['github']} DB_PASSWORD={CORES['dotenv']}\n"
    f"RUN curl -H 'Authorization: Bearer {CORES['header']}' http://x | sh\n",
    "main.tf": 'resource "aws_db_instance" "d" {\n  publicly_accessible = true\n'
    f'  password = "{CORES["terraform"]}"\n}}\n',
    "k8s.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
    "spec:\n  containers:\n  - name: c\n"
    f"    image: x\n    env:\n    - name: DB_PASSWORD\n      value: {CORES['dotenv']}\n",
    ".github/workflows/ci.yml": "on: pull_request_target\njobs:\n  a:\n    runs-on: x\n    env:\n"
    f"      PASSWORD: {CORES['password']}\n    steps:\n    - run: |\n"
    f"        curl -H 'Authorization: Bearer {CORES['header']}'"
    " ${{ github.event.issue.title }}\n",
    "package-lock.json": '{"name":"a","lockfileVersion":2,"packages":{"node_modules/minimist":'
    f'{{"version":"1.2.5","resolved":"https://u:{CORES["remote"]}@npm.example.org/minimist.tgz"}}}},'
    '"dependencies":{"minimist":{"version":"1.2.5"}}}',
}
CALLER = {
    "GITHUB_TOKEN": CORES["caller"],
    "DATABASE_URL": f"postgres://admin:{CORES['address']}@db.example.org/x",
}
LEAKY = """
[scanner.leaky]
image = "busybox:1.35"
command = "leaky"
args = ["sh", "-c", "cat /src/.env; echo fatal: password={printed} for {caller} >&2; exit 9"]
stdout = true
[output]
raw = "always"
"""


def lay_out(root):
    for path, content in TREE.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
    remote = f"https://bot:{CORES['remote']}@git.example.org/a/b.git"
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    for words in (
        ("init", "-q"),
        ("add", "-A"),
        ("commit", "-qm", "one"),
        ("remote", "add", "origin", remote),
    ):
        subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)


def cores_in(content):
    """Return which of the secrets stand in the bytes, also where JSON or base64 hides them."""
    found = set()
    for name, core in CORES.items():
        forms = [core, core.replace("/", "\\/")]
        # inside base64 a text has three faces; what lies at its ends depends on its neighbours
        forms += [
            base64.b64encode(b"\0" * shift + core.encode()).decode()[4:-4] for shift in range(3)
        ]
        if any(form.encode() in content for form in forms):
            found.add(name)
    return found


def leaks_below(*folders):
    files = (path for folder in folders for path in Path(folder).rglob("*") if path.is_file())
    return {str(path): found for path in files if (found := cores_in(path.read_bytes()))}


class Watch(threading.Thread):
    """Looks at the command's processes, and at the engine's containers, while they are there."""

    def __init__(self, process, client=None):
        super().__init__(daemon=True)
        self.process, self.client = process, client
        self.leaks, self.seen, self.containers = {}, set(), set()
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(0.03):
            for pid in self._descendants():
                with suppress(OSError):
                    self._look_at_process(pid)
            if self.client is not None:
                self._look_at_containers()

    def _look_at_process(self, pid):
        # between fork and exec a child is a copy of scanrun, environment and all; the command line
        # is read first: once it's another, the environment is that of the new program too
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if command == Path(f"/proc/{self.process.pid}/cmdline").read_bytes():
            return
        self._note(f"cmdline of {pid}", command)
        self._note(f"environ of {pid}", Path(f"/proc/{pid}/environ").read_bytes())
        self.seen.add(pid)

    def _descendants(self):
        parents = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, IndexError, ValueError):
                stat = (folder / "stat").read_text()
                parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
        below = {self.process.pid}
        for _ in range(8):
            below |= {pid for pid, parent in parents.items() if parent in below}
        return below - {self.process.pid}

    def _look_at_containers(self):
        with suppress(docker.errors.DockerException):
            for each in self.client.api.containers(all=True, filters={"label": "scanrun.run"}):
                content = json.dumps(self.client.api.inspect_container(each["Id"])).encode()
                self.containers.add(each["Id"])
                self._note(f"inspect of {each['Names']}", content)

    def _note(self, where, content):
        if found := cores_in(content):
            self.leaks[where] = found


def watched(root, config, engine, names, *more, client=None, home):
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith("SCANRUN_")
    }
    environment |= {"CI": "true", "SCANRUN_CACHE_DIR": str(home / "cache"), "TMPDIR": str(home)}
    command = [sys.executable, "-m", "scanrun", "scan", names, str(root), "--engine", engine]
    process = subprocess.Popen(
        [*command, "--config", str(config), "--verbose", "--json", *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment, **CALLER},
    )
    watch = Watch(process, client)
    watch.start()
    out, err = process.communicate(timeout=200)
    watch.over.set()
    watch.join()
    return process.returncode, out, err, watch


def write_config(path, lab_text=""):
    text = LEAKY.replace("{printed}", CORES["printed"]).replace("{caller}", CORES["caller"])
    path.write_text(lab_text + text)
    return path


def test_the_search_finds_what_it_looks_for(tmp_path):
    lay_out(tmp_path)
    hidden = base64.b64encode(f"x{CORES['password']}yz".encode())

    found = set().union(*leaks_below(tmp_path).values())

    assert found == CORES.keys() - {"image", "printed", "caller", "address"}
    assert cores_in(hidden) == {"password"}


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secrets-local")
    root, home = folder / "tree", folder / "home"
    root.mkdir()
    home.mkdir()
    lay_out(root)
    (folder / "c.toml").write_text('[output]\nraw = "always"\n')
    names = "bandit,detect-secrets,ruff,zizmor"
    return (root, home, *watched(root, folder / "c.toml", "local", names, home=home))


def test_no_secret_leaves_a_scan_with_local_programs(local):
    root, home, code, out, err, watch = local

    assert code == 1
    assert cores_in(out) | cores_in(err) == set()
    assert leaks_below(root / ".scanrun", home) == {}
    assert watch.leaks == {}
    assert watch.seen


def test_what_is_kept_is_still_of_use(local):
    root, _, _, out, _, _ = local
    raw = root / ".scanrun" / "raw"

    assert {each.name for each in raw.iterdir()} >= {"bandit", "detect-secrets", "ruff", "zizmor"}
    texts = [path.read_text() for path in raw.rglob("*") if path.is_file()]
    assert any(MASK in text for text in texts)
    for path in (path for path in raw.rglob("*.json") if path.is_file()):
        json.loads(path.read_text())
    verdict = json.loads(out)
    assert sum(each["findings"] for each in verdict["scanners"]) > 10


@pytest.fixture(scope="module")
def contained(tmp_path_factory, lab):
    folder = tmp_path_factory.mktemp("secrets-docker")
    root, home = folder / "tree", folder / "home"
    root.mkdir()
    home.mkdir()
    lay_out(root)
    tables = (
        f'[scanner.{name}]\ndb_repository = "{lab["db_repository"]}"\n'
        for name in ("trivy", "trivy-image")
    )
    config = write_config(folder / "c.toml", "".join(tables))
    client = docker.from_env()
    image = client.containers.create("busybox:1.35", ["true"])
    changes = [f"ENV DB_PASSWORD={CORES['image']}", f"LABEL token={CORES['github']}"]
    made = image.commit("scanrun-hostile-secrets", "1", changes="\n".join(changes))
    image.remove()
    names = "bandit,detect-secrets,leaky,ruff,trivy,trivy-image,zizmor"
    try:
        with_image = ("--image", "scanrun-hostile-secrets:1", "--pull", "never")
        done = watched(root, config, "docker", names, *with_image, client=client, home=home)
        yield (root, home, *done)
    finally:
        client.images.remove(made.id, force=True)
        client.close()


@pytest.mark.docker
@pytest.mark.lab
def test_no_secret_leaves_a_scan_in_containers(contained):
    root, home, code, out, err, watch = contained

    ended = {each["name"]: each["status"] for each in json.loads(out)["scanners"]}
    assert (code, ended["leaky"]) == (1, "failed")
    assert ended["trivy"] == ended["zizmor"] == "completed"
    assert {*ended} <= {each.name for each in (root / ".scanrun" / "raw").iterdir()}
    # the user's own arguments are the user's own
    arguments = {"printed", "caller"}
    assert cores_in(out) | cores_in(err) == set()
    assert leaks_below(root / ".scanrun", home) == {}
    assert {where: found for where, found in watch.leaks.items() if found - arguments} == {}
    assert len(watch.containers) > 5


@pytest.mark.parametrize(
    "text",
    [
        "Use of possibly insecure function - consider using safer ast.literal_eval.",
        "subprocess call with shell=True identified, security issue.",
        "Possible hardcoded password",
        "Password policy should require at least 14 characters: see the benchmark",
        "Ensure that the --token-auth-file parameter is not set",
        "S3 bucket key is enabled; KMS key rotation is off",
        "minimist 1.2.5: prototype pollution. Fixed in 1.2.6.",
        "Set 'securityContext.runAsNonRoot' to true",
        "AWS Access Key in the clear",
        "pkg:npm/jsonwebtoken@8.5.1",
        "pkg:pypi/python-secrets@1.0?type=wheel",
        "src/password_reset/tokens.py",
        "https://docs.example.org/rules/hardcoded-secret#why-it-matters",
        "arn:aws:iam::123456789012:role/deploy",
        "CVE-2023-1234: token exchange lets a caller in",
        "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "The secret is read from /run/secrets/db",
        "Passwords are compared in constant time",
    ],
)
def test_ordinary_messages_stay_readable(text):
    assert Masker().text(text) == text


def test_values_of_the_callers_environment_are_known_for_secrets():
    given = {
        **CALLER,
        "PATH": "/usr/bin:/bin",
        "TOKENIZERS_PARALLELISM": "false-or-true",
        "PASSWORD_STORE_DIR": "/home/x/.password-store",
        "USE_TOKEN": "true",
        "PASSAGE": "a-long-passage",
    }

    loaded = Loaded(Settings(), file=None, from_tree=False, told=(), origin={})
    request = Request(run_id="r", path=Path(), loaded=loaded, environment=given)

    assert set(request.secrets) == {CORES["caller"], CORES["address"]}


def test_key_that_begins_with_a_slash_is_a_secret_and_a_path_is_none(tmp_path):
    key = "/" + "J4lr" * 9

    found = secrets_in(
        {
            "AWS_SECRET_ACCESS_KEY": key,
            "LONG_TOKEN": "/" + "x" * 5000,
            "GIT_PASSWORD_PROGRAM": str(tmp_path),
            "DB_PASSWORD_FILE": "/run/secrets/nowhere",
        }
    )

    assert set(found) == {key, "/" + "x" * 5000}


def test_error_that_quotes_a_secret_of_the_environment_does_not_show_it(
    tmp_path, monkeypatch, capsys
):
    word = "hunter" + "2hunter2hunter2"
    monkeypatch.setenv("MY_PASSWORD", word)

    code = run(["scan", "bandit", str(tmp_path), "--engine", word])

    told = capsys.readouterr().err
    assert code == 2
    assert MASK in told
    assert word not in told
