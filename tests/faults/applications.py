"""Configurations with an application that the lab's target plays, and ZAP's stand-in to scan it."""

import time
import uuid
from base64 import b64encode
from contextlib import closing, contextmanager
from io import BytesIO

import docker
import pytest
from app_kit import PORT, TARGET, toml, zap_image
from harness import GOOD

SCAN = ("scan", "good,zap", "--engine", "docker")
PATIENCE_S = 60
ZAP = "zaproxy/zap-stable:2.17.0"


def config(mode="clean", *, env=None, replay="", options=None, more="", **app):
    """Return a configuration with the target in that mode, and a scanner beside ZAP.

    `replay` names a case or a fault of ZAP, `app` goes into `[app]` (None takes a key out).
    """
    app = {"image": TARGET, "port": PORT, "env": {"MODE": mode, **(env or {})}, **app}
    return _config(app, replay, options or {}, more)


def elsewhere(url, *, replay="", **app):
    """Return a configuration with an application that runs already."""
    app = {"url": url, "allowed_targets": [url.split("/")[2]], **app}
    return _config(app, replay, {}, "")


def _config(app, replay, options, more):
    options = {**options, **({"image": zap_image(replay)} if replay else {})}
    tables = {"app": {k: v for k, v in app.items() if v is not None}, "scanner.zap": options}
    lines = []
    for name, keys in tables.items():
        lines += [f"[{name}]", *(f"{key} = {toml(value)}" for key, value in keys.items())]
    return "\n".join([*lines, more, GOOD])


def wait_for(run_id, name, host=None):
    """Return the one container of a run whose name begins so, once it runs."""
    with closing(docker.DockerClient(base_url=host) if host else docker.from_env()) as client:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            filters = {"label": f"scanrun.run={run_id}", "name": f"scanrun-{name}-"}
            if found := client.containers.list(filters=filters, ignore_removed=True):
                return found[0]
            time.sleep(0.1)
    pytest.fail(f"{name} does not run in run {run_id}")


def end(run_id, name):
    """Kill the first process of a run's container."""
    with closing(docker.from_env()) as client:
        client.containers.get(wait_for(run_id, name).id).kill()


@contextmanager
def changed_zap(script):
    """Give the name of an image whose `zap-baseline.py` is a script of the test's own."""
    name = f"scanrun-test-zap:{uuid.uuid4().hex}"
    line = f"import base64; exec(base64.b64decode({b64encode(script.encode()).decode()!r}))"
    recipe = (
        f"FROM {ZAP}\nUSER root\n"
        f"RUN printf '%s\\n' '#!/usr/bin/env python3' \"{line}\" > /zap/zap-baseline.py\nUSER zap\n"
    )
    with closing(docker.from_env()) as client:
        client.images.build(
            fileobj=BytesIO(recipe.encode()), tag=name, rm=True, network_mode="none"
        )
        try:
            yield name
        finally:
            client.images.remove(name, force=True)
