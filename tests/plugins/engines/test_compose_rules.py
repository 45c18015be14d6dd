"""What a compose file may do, judged on what the program makes of one; and what is run of it."""

import os
from pathlib import Path

import pytest

from scanrun.api import Compose, Limits, Service, StepError
from scanrun_plugins.engines.docker.compose_files import RawFiles
from scanrun_plugins.engines.docker.compose_ground import Ground, refuse
from scanrun_plugins.engines.docker.compose_model import Frame, planned, pruned
from scanrun_plugins.engines.docker.compose_program import _unescaped
from scanrun_plugins.engines.docker.compose_rules import refusals
from scanrun_plugins.engines.docker.compose_yaml import load_mapping

DATA = Path(__file__).parent.parent / "data" / "compose"
LABELS = {"scanrun.run": "r1", "scanrun.compose": "p"}
BUILT = {"scanrun.built": "r1;o;9"}


@pytest.fixture
def root(tmp_path):
    tree = tmp_path / "tree"
    (tree / "conf").mkdir(parents=True)
    for name in ("conf/motd", "conf/pass", "Dockerfile", "settings.env"):
        (tree / name).write_text("x")
    return tree


@pytest.fixture
def ground(root):
    return Ground(root.resolve(), Path("/srv/own/engine"))


@pytest.fixture
def recorded(root):
    def load(name):
        text = (DATA / f"{name}.yaml").read_text().replace("@ROOT@", str(root))
        return _unescaped(load_mapping(text.encode(), name))

    return load


@pytest.fixture
def judge(ground, root):
    """Return a function that judges one service, and says which words it asks for."""

    def words(service, **sections):
        given = {"image": "x", **service}
        model = {"services": {"web": {**given, **_filled(given, root)}}, **_filled(sections, root)}
        return {each.word for each in refusals(model, ground)}

    return words


def _filled(value, root):
    if isinstance(value, str):
        return value.replace("@ROOT@", str(root))
    if isinstance(value, dict):
        return {key: _filled(each, root) for key, each in value.items()}
    return [_filled(each, root) for each in value] if isinstance(value, list) else value


@pytest.fixture
def frame(ground, root):
    def make(**more):
        compose = Compose(file=root / "compose.yaml", service="web", root=root)
        given = {"port": 8080, "limits": Limits(memory_mb=256, pids=99), **more}
        service = Service(name="app", compose=compose, ready=lambda _: True, **given)
        return Frame(service=service, project="p", labels=LABELS, built=BUILT, ground=ground)

    return make


@pytest.mark.parametrize("name", ["first", "second"])
def test_an_ordinary_file_is_refused_nothing(recorded, ground, name):
    model = pruned(recorded(name), "web")

    assert list(refusals(model, ground)) == []


@pytest.mark.parametrize(
    ("service", "word"),
    [
        ({"network_mode": "host"}, "host-network"),
        ({"network_mode": "container:other"}, "external"),
        ({"network_mode": "prod_default"}, "external"),
        ({"external_links": ["db:db"]}, "external"),
        ({"privileged": True}, "privileged"),
        ({"post_start": [{"command": ["x"], "privileged": True}]}, "privileged"),
        ({"volumes": ["/var/run/docker.sock:/s"]}, "engine-socket"),
        ({"volumes": [{"type": "bind", "source": "/run/podman/podman.sock"}]}, "engine-socket"),
        ({"volumes": ["/srv/own/engine:/e"]}, "engine-socket"),
        ({"volumes": ["@ROOT@/docker.sock:/s"]}, "engine-socket"),
        ({"use_api_socket": True}, "engine-socket"),
        ({"volumes": ["/opt:/etc:ro"]}, "binds"),
        ({"volumes": [{"type": "bind", "source": "/opt", "target": "/x"}]}, "binds"),
        ({"volumes": ["@ROOT@/../x:/x"]}, "binds"),
        ({"volumes": ["~/.ssh:/x"]}, "binds"),
        ({"volumes": ["./conf:/x"]}, "binds"),
        ({"volumes": [{"type": "cluster", "source": "x", "target": "/x"}]}, "unknown-keys"),
        ({"volumes_from": ["container:other:ro"]}, "external"),
        ({"pid": "host"}, "host-namespaces"),
        ({"pid": "container:x"}, "host-namespaces"),
        ({"ipc": "host"}, "host-namespaces"),
        ({"uts": "host"}, "host-namespaces"),
        ({"userns_mode": "host"}, "host-namespaces"),
        ({"cgroup": "host"}, "host-namespaces"),
        ({"cgroup_parent": "/system.slice"}, "host-namespaces"),
        ({"devices": ["/dev/kmsg:/dev/kmsg"]}, "devices"),
        ({"device_cgroup_rules": ["a *:* rwm"]}, "devices"),
        ({"gpus": "all"}, "devices"),
        ({"runtime": "nvidia"}, "devices"),
        ({"deploy": {"resources": {"reservations": {"devices": [{}]}}}}, "devices"),
        ({"cap_add": ["SYS_ADMIN"]}, "capabilities"),
        ({"security_opt": ["seccomp:unconfined"]}, "unconfined"),
        ({"security_opt": ["apparmor=unconfined"]}, "unconfined"),
        ({"security_opt": ["systempaths=unconfined"]}, "unconfined"),
        ({"security_opt": ["no-new-privileges:false"]}, "unconfined"),
        ({"security_opt": ["seccomp=@ROOT@/profile.json"]}, "unconfined"),
        ({"env_file": ["/etc/environment"]}, "outside-files"),
        ({"env_file": [{"path": "/etc/environment"}]}, "outside-files"),
        ({"credential_spec": {"file": "x"}}, "outside-files"),
        ({"build": {"context": "/opt"}}, "outside-files"),
        ({"build": {"context": "@ROOT@", "dockerfile": "../Dockerfile"}}, "outside-files"),
        ({"build": {"context": "@ROOT@", "ssh": ["default"]}}, "outside-files"),
        ({"build": {"context": "@ROOT@", "additional_contexts": {"a": "/opt"}}}, "outside-files"),
        ({"build": {"context": "https://example.invalid/x.git"}}, "remote-builds"),
        ({"build": "git@example.invalid:x.git"}, "remote-builds"),
        ({"build": {"context": "@ROOT@", "network": "host"}}, "host-network"),
        ({"build": {"context": "@ROOT@", "network": "prod"}}, "external"),
        ({"build": {"context": "@ROOT@", "entitlements": ["x"]}}, "privileged"),
        ({"build": {"context": "@ROOT@", "wormhole": 1}}, "unknown-keys"),
        ({"wormhole": 1}, "unknown-keys"),
        ({"provider": {"type": "x"}}, ""),
    ],
    ids=str,
)
def test_what_reaches_out_is_refused_with_the_word_that_allows_it(judge, service, word):
    assert judge(service) == {word}


@pytest.mark.parametrize("source", ["/", "/var", "/var/run", "/run", "/run/user/1000", "/srv/own"])
def test_a_folder_that_holds_an_engines_socket_takes_two_words(judge, source):
    assert judge({"volumes": [f"{source}:/x"]}) == {"engine-socket", "binds"}


@pytest.mark.parametrize(
    ("sections", "word"),
    [
        ({"networks": {"n": {"external": True}}}, "external"),
        ({"networks": {"n": {"driver": "macvlan"}}}, "host-network"),
        ({"networks": {"n": {"driver_opts": {"parent": "eth0"}}}}, "host-network"),
        ({"volumes": {"v": {"external": True, "name": "prod"}}}, "external"),
        ({"volumes": {"v": {"external": {"name": "prod"}}}}, "external"),
        ({"volumes": {"v": {"driver": "rexray"}}}, "external"),
        (
            {"volumes": {"v": {"driver_opts": {"type": "none", "o": "bind", "device": "/opt"}}}},
            "binds",
        ),
        (
            {
                "volumes": {
                    "v": {"driver_opts": {"type": "none", "o": "rw,bind", "device": "@ROOT@"}}
                }
            },
            "binds",
        ),
        ({"volumes": {"v": {"driver_opts": {"type": "ext4", "device": "/dev/sda1"}}}}, "binds"),
        (
            {"volumes": {"v": {"driver_opts": {"type": "nfs", "o": "addr=h", "device": ":/x"}}}},
            "external",
        ),
        ({"secrets": {"s": {"file": "/etc/shadow"}}}, "outside-files"),
        ({"secrets": {"s": {"external": True}}}, "external"),
        ({"models": {"m": {}}}, "unknown-keys"),
    ],
    ids=str,
)
def test_what_is_defined_beside_the_services_is_judged_where_one_uses_it(judge, sections, word):
    using = {"networks": ["n"], "volumes": ["v:/v"], "secrets": ["s"]}

    assert judge({key: using[key] for key in sections if key in using}, **sections) == {word}
    assert judge({}, **{key: each for key, each in sections.items() if key != "models"}) == set()


def test_a_link_of_the_tree_does_not_hide_where_a_bind_leads(judge, root):
    (root / "link").symlink_to("/etc")

    assert judge({"volumes": ["@ROOT@/link/ssl:/x"]}) == {"binds"}
    assert judge({"build": {"context": "@ROOT@/link"}}) == {"outside-files"}


def test_what_is_allowed_is_not_refused_and_all_the_rest_is_named_at_once(ground):
    model = {"services": {"web": {"privileged": True, "pid": "host", "volumes": ["/opt:/x"]}}}
    found = list(refusals(model, ground))

    refuse(found, frozenset({"privileged", "host-namespaces", "binds"}), "c.yaml")
    with pytest.raises(StepError, match=r"'web': pid 'host' \(host-namespaces\); .*'/opt'") as told:
        refuse(found, frozenset({"privileged"}), "c.yaml")

    assert 'compose_allow = ["binds", "host-namespaces", "privileged"]' in told.value.hint


def test_what_is_never_allowed_is_offered_no_word(ground):
    model = {"services": {"web": {"provider": {}, "privileged": True}}}

    with pytest.raises(StepError, match="provider") as told:
        refuse(refusals(model, ground), frozenset(), "c.yaml")

    assert "compose_allow" not in told.value.hint


def test_services_that_are_not_needed_are_neither_judged_nor_run(recorded, ground):
    model = recorded("first")
    model["services"]["tools"] = {"image": "x", "privileged": True}

    found = pruned(model, "web")

    assert set(found["services"]) == {"web", "cache", "db", "migrate"}
    assert list(refusals(found, ground)) == []


def test_a_service_that_is_not_there_is_answered_with_those_that_are(recorded):
    with pytest.raises(StepError, match="no service 'shop'") as told:
        pruned(recorded("second"), "shop")

    assert "cache, db, migrate, web" in told.value.hint


@pytest.mark.parametrize("name", ["first", "second"])
def test_what_is_run_is_the_runs_own(recorded, frame, name):
    plan = planned(pruned(recorded(name), "web"), frame())

    web, db = plan.services["web"], plan.services["db"]
    dropped = {"ports", "container_name", "deploy", "secrets", "scale"}
    assert not dropped & set(web)
    assert {each["restart"] for each in plan.services.values()} == {"no"}
    assert web["labels"] == {"a": "b", **LABELS}
    assert web["logging"]["driver"] == "json-file"
    assert web["environment"] == {"DEBUG": "1"}
    assert db["environment"] == {"POSTGRES_PASSWORD": "p$s"}
    assert web["security_opt"] == ["no-new-privileges:true"]
    assert plan.model["volumes"]["data"] == {"labels": LABELS}
    assert all(each["internal"] for each in plan.model["networks"].values())
    assert set(plan.model["networks"]) == {"back", "default"}
    assert "name" not in plan.model["networks"]["back"]


@pytest.mark.parametrize("name", ["first", "second"])
def test_limits_of_the_file_stay_and_others_get_the_applications(recorded, frame, name):
    services = planned(pruned(recorded(name), "web"), frame()).services

    assert services["web"]["mem_limit"] in {"96M", "100663296"}
    assert services["db"]["mem_limit"] in {"64m", "67108864"}
    assert services["cache"]["mem_limit"] == services["cache"]["memswap_limit"] == "256m"
    assert {each["pids_limit"] for each in services.values()} == {99}


@pytest.mark.parametrize("none", [0, "0", -1, "-1", "0b"])
def test_a_limit_that_is_none_does_not_count(frame, none):
    model = {"services": {"web": {"image": "x", "mem_limit": none, "pids_limit": none}}}

    web = planned(model, frame()).services["web"]

    assert (web["mem_limit"], web["pids_limit"]) == ("256m", 99)


@pytest.mark.parametrize("name", ["first", "second"])
def test_what_is_bound_of_the_tree_is_copied(recorded, frame, root, name):
    plan = planned(pruned(recorded(name), "web"), frame())

    ((volume, folder),) = plan.folders.items()
    kinds = [
        each if isinstance(each, str) else each["type"] for each in plan.services["web"]["volumes"]
    ]
    assert folder == root / "conf"
    assert plan.model["volumes"][volume] == {"external": True, "name": volume}
    assert "bind" not in kinds
    assert {(each.service, each.target, each.content) for each in plan.files} == {
        ("web", "/etc/motd", root / "conf/motd"),
        ("web", "/run/secrets/pass", root / "conf/pass"),
    }


@pytest.mark.parametrize("name", ["first", "second"])
def test_what_is_built_gets_a_name_of_the_run_and_who_shares_it_builds_it_too(
    recorded, frame, name
):
    plan = planned(pruned(recorded(name), "web"), frame())

    assert plan.built == ("migrate",)
    assert plan.services["migrate"]["image"].startswith("p-")
    assert plan.services["migrate"]["build"]["labels"] == BUILT
    assert "migrate" not in plan.images


def test_an_open_application_has_networks_with_a_way_out(recorded, frame):
    plan = planned(pruned(recorded("first"), "web"), frame(open=True))

    assert not any(each["internal"] for each in plan.model["networks"].values())


def test_env_and_command_of_the_configuration_go_before_the_files(recorded, frame):
    given = frame(env={"DEBUG": "0", "MORE": "$x"}, argv=("other",))

    plan = planned(pruned(recorded("first"), "web"), given)

    assert plan.services["web"]["environment"] == {"DEBUG": "0", "MORE": "$x"}
    assert plan.services["web"]["command"] == ["other"]
    assert "MORE" not in plan.services["cache"].get("environment", {})


@pytest.mark.parametrize("mode", ["none", "host", "service:db"])
def test_a_service_that_scanners_can_t_reach_is_an_error(frame, mode):
    model = {"services": {"web": {"image": "x", "network_mode": mode}}}

    with pytest.raises(StepError, match="network_mode"):
        planned(model, frame())


def test_a_file_that_a_tmpfs_would_hide_is_an_error(frame):
    web = {"image": "x", "tmpfs": "/run:size=1m", "secrets": ["s"]}
    model = {"services": {"web": web}, "secrets": {"s": {"content": "x"}}}

    with pytest.raises(StepError, match="tmpfs"):
        planned(model, frame())


@pytest.fixture
def raw(root, ground):
    """Return a function that writes a compose file, and says what it reads from elsewhere."""

    def words(text, **files):
        for name, content in {"compose.yaml": text, **files}.items():
            (root / name).write_text(content)
        return [str(each) for each in RawFiles(ground).refusals(root / "compose.yaml")]

    return words


def test_files_of_the_tree_may_be_read(raw):
    text = """
    include: [other.yaml, {path: [other.yaml], env_file: settings.env}]
    services:
      web: {env_file: settings.env, extends: {file: other.yaml, service: base}}
      api: {env_file: [settings.env, {path: ./conf/pass, required: false}], extends: web}
    """

    assert raw(text, **{"other.yaml": "services: {base: {env_file: conf/../settings.env}}"}) == []


@pytest.mark.parametrize(
    "text",
    [
        "services: {web: {env_file: /etc/environment}}",
        "services: {web: {env_file: [../other.env]}}",
        "services: {web: {env_file: [{path: ~/.aws/credentials}]}}",
        "services: {web: {env_file: '${HOME}/x'}}",
        "services: {web: {label_file: /etc/environment}}",
        "services: {web: {extends: {file: ../x.yaml, service: a}}}",
        "include: [../x.yaml]",
        "include: ['oci://example.invalid/x']",
        "include: [{path: compose.yaml, env_file: /etc/environment}]",
        "include: [{path: compose.yaml, project_directory: /etc}]",
    ],
)
def test_files_from_elsewhere_are_refused_before_any_program_reads_them(raw, text):
    found = raw(text)

    assert found
    assert all("(outside-files)" in each for each in found)


def test_a_file_that_is_included_is_judged_as_well(raw):
    other = {"other.yaml": "services: {base: {env_file: /etc/environment}}"}

    assert raw("include: [other.yaml]", **other)
    assert raw("services: {web: {extends: {file: other.yaml, service: base}}}", **other)


@pytest.mark.parametrize(
    "text",
    [
        "include: [a/b/y.yml, {path: a/b/y.yml, project_directory: .}]",
        "include: [{path: [m.yml, a/b/y.yml]}]",
        "include: [{path: @ROOT@/z.yml, project_directory: a/b}]",
    ],
)
def test_a_file_is_judged_from_each_folder_that_it_is_read_from(raw, root, text):
    (root / "a" / "b").mkdir(parents=True)
    extended = (
        f"services: {{x: {{extends: {{file: {root}/z.yml, service: y}}}}, y: {{env_file: ../own}}}}"
    )
    files = {
        "a/b/y.yml": "services: {web: {env_file: ../own.env}}",
        "m.yml": "services: {}",
        "z.yml": extended,
    }

    found = raw(text.replace("@ROOT@", str(root)), **files)

    assert found
    assert all("'../own" in each for each in found)


def test_files_that_are_laid_over_another_one_are_read_from_its_folder(raw, root):
    (root / "a" / "b").mkdir(parents=True)
    files = {
        "a/b/m.yml": "services: {}",
        "y.yml": "services: {web: {env_file: ../own.env}}",
    }

    assert raw("include: [{path: [a/b/m.yml, y.yml]}]", **files) == []


def test_variables_and_files_behind_links_are_judged_where_the_links_lead(raw, root):
    (root / ".env").symlink_to("/etc/environment")
    (root / "own.env").symlink_to("/etc/environment")

    assert len(raw("services: {web: {env_file: own.env}}")) == 2


@pytest.mark.parametrize("text", ["link/../../x.env", "conf/link/../../../x.env"])
def test_a_path_that_goes_up_from_where_a_link_leads_is_refused(raw, root, text):
    (root / "a" / "b" / "c").mkdir(parents=True)
    (root / "link").symlink_to(root / "a" / "b" / "c")
    (root / "conf" / "link").symlink_to(root / "a" / "b" / "c")

    (found,) = raw(f"services: {{web: {{env_file: {text}}}}}")

    assert "(outside-files)" in found


def test_a_file_that_is_read_through_a_link_is_judged_from_there_too(raw, root):
    (root / "a" / "b").mkdir(parents=True)
    (root / "link").symlink_to(root / "a" / "b")
    own = {"a/b/y.yml": "services: {web: {env_file: ../own.env}}"}

    assert raw("include: [a/b/y.yml]", **own) == []
    assert raw("include: [a/b/y.yml, link/y.yml]", **own)


def test_a_compose_file_that_is_a_link_out_of_the_tree_is_not_read(ground, root, tmp_path):
    (tmp_path / "else.yaml").write_text("services: {")
    (root / "compose.yaml").symlink_to(tmp_path / "else.yaml")

    (refusal,) = RawFiles(ground).refusals(root / "compose.yaml")

    assert refusal.word == "outside-files"


def bomb():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (bomb(), "stands for more than"),
        ("a: &a {b: *a}", "an alias of what it stands in"),
        ("[" * 5000, "nested deeper"),
        ("# " + "x" * (1 << 20), "larger than 1 MB"),
        ("services: {a: {image: x, image: y}}", "line 1: key 'image' is there twice"),
        ("- a\n- b", "no mapping"),
        ("", "no mapping"),
        ("a: [", "no YAML"),
        ("? [1]\n: 2", "a key that is no text"),
        ("a: !!python/object/apply:os.system [ls]", "no YAML"),
        ("a: 1\n---\nb: 2", "no YAML"),
        ("web: {image: x}", "no `services`"),
        ("services: [a]", "no `services`"),
        ("include: [other.yaml]", "'other.yaml' can't be read"),
    ],
    ids=str,
)
def test_a_file_that_can_t_be_used_is_a_clear_error(raw, text, words):
    with pytest.raises(StepError, match=words):
        raw(text)


def test_tags_of_compose_and_dates_are_read_as_text(raw):
    assert raw("services: {web: {ports: !reset null, labels: !override {day: 2024-01-01}}}") == []


def test_a_file_that_is_not_there_or_is_a_pipe_is_a_clear_error(ground, root):
    os.mkfifo(root / "pipe")

    for name in ("none.yaml", "pipe", "conf"):
        with pytest.raises(StepError, match=f"{name}"):
            list(RawFiles(ground).refusals(root / name))
