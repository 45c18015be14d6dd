"""Engines that a test may stop, kill and start again."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest


def new_folder():
    """Return a folder with a short path: a socket's has 107 bytes at the most."""
    return Path(tempfile.mkdtemp(prefix="scanrun-engine-", dir="/var/tmp"))


class _Engine:
    """What the tests ask of either."""

    def __init__(self, folder):
        self.folder = folder
        self.host = f"unix://{folder}/engine.sock"
        self.process = None

    def wait(self):
        for _ in range(120):
            if self._docker("version", check=False).returncode == 0:
                return
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.25)
        pytest.fail("the test's engine does not come up")

    def load(self, *images):
        """Copy images from the engine that everybody uses."""
        saved = subprocess.run(["docker", "save", *images], check=True, capture_output=True)
        self._docker("load", input=saved.stdout)

    def _docker(self, *arguments, check=True, **more):
        command = ["docker", "--host", self.host, *arguments]
        return subprocess.run(command, check=check, capture_output=True, **more)

    def _end(self, number):
        self.process.send_signal(number)
        self.process.wait(60)


class OwnEngine(_Engine):
    """A dockerd beside the one that everybody uses, in a network of its own."""

    def __init__(self, folder, data=None):
        super().__init__(folder)
        self.data = data or folder / "data"

    def start(self):
        folder = self.folder
        places = [
            "--data-root",
            self.data,
            "--exec-root",
            folder / "exec",
            "--pidfile",
            folder / "pid",
        ]
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "--net", "dockerd", "--host", self.host, *places],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait()

    def stop(self):
        self._end(signal.SIGTERM)

    def kill(self):
        """Kill it; the containers live on, as they do when an engine crashes.

        Its containerd dies with it, but stays a zombie for as long as nobody asks after it. The
        next engine would take that for one that runs, and wait for it: so its pid is forgotten.
        """
        self._end(signal.SIGKILL)
        (self.folder / "exec/containerd/containerd.pid").unlink(missing_ok=True)

    def remove(self):
        """Leave nothing: also what a killed engine left is ended by one that is stopped."""
        if self.process.poll() is not None:
            self.start()
        for container in self._docker("ps", "--all", "--quiet").stdout.split():
            self._docker("rm", "--force", container.decode(), check=False)
        self.stop()
        # an engine mounts its folder on itself; one that is killed leaves that
        unmount = ["umount", "--lazy", self.folder / "data"]
        while subprocess.run(unmount, check=False, capture_output=True).returncode == 0:
            pass
        shutil.rmtree(self.folder, ignore_errors=True)


class OwnPodman(_Engine):
    """A Podman service with a store of its own."""

    # what a service needs that runs as root, but in a container or without systemd
    CONFIG = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
"""

    def start(self):
        self.process = self._podman(subprocess.Popen, "system", "service", "--time=0", self.host)
        self.wait()

    def kill(self):
        """Kill the service; its containers live on."""
        self._end(signal.SIGKILL)

    def remove(self):
        """Leave nothing."""
        self._podman(subprocess.run, "rm", "--all", "--force", "--time=0")
        if self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _podman(self, run, *arguments):
        folder = self.folder
        config = folder / "containers.conf"
        config.write_text(self.CONFIG)
        places = [f"--{name}={folder}/{name}" for name in ("root", "runroot", "tmpdir")]
        with (folder / "log").open("ab") as log:
            return run(
                ["podman", "--storage-driver", "vfs", *places, *arguments],
                stdout=log,
                stderr=log,
                env={**os.environ, "CONTAINERS_CONF": str(config)},
            )
