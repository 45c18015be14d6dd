"""Runs a SonarQube of the lab: started, waited for, and what it then has.

`python3 sonar_server.py IMAGE NAME PUBLISH` leaves one running; `lab/sonar` does that.
"""

import json
import subprocess
import sys
import tarfile
import time
import urllib.request

import engine
import rootfs

DATA = "/opt/sonarqube/data"


def started_data(image: str, context: tarfile.TarFile) -> None:
    """Start the server, and write the data that it then has into `context`, as `data`."""
    name = start(image)
    try:
        wait_until_up(name)
        engine.run("stop", "--time", "60", name)
        command = ["docker", "cp", f"{name}:{DATA}", "-"]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE) as docker,
            tarfile.open(fileobj=docker.stdout, mode="r|") as tar,
        ):
            for member in tar:
                # copies of the plug-ins, made again at each start
                if not member.name.startswith("data/web/"):
                    context.addfile(member, tar.extractfile(member) if member.isreg() else None)
    finally:
        engine.run("rm", "--force", "--volumes", name)


def start(image: str, *more: str) -> str:
    """Start a server in little memory and hardened, and return the container's name."""
    return engine.run("run", "--detach", *flags(), *more, image)


def flags() -> list[str]:
    """Return the options of `docker run` for it."""
    # Elasticsearch asks for a garbage collector by itself: two are an error
    search = "-Xmx256m -Xms256m -XX:-UseG1GC -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
    small = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    environment = {
        "SONAR_WEB_JAVAOPTS": f"-Xmx384m -Xms128m {small}",
        "SONAR_CE_JAVAOPTS": f"-Xmx256m -Xms64m {small}",
        "SONAR_SEARCH_JAVAOPTS": search,
        "SONAR_TELEMETRY_ENABLE": "false",
        "SONAR_UPDATECENTER_ACTIVATE": "false",
    }
    return [
        *("--read-only", "--tmpfs", "/tmp:size=256m,mode=1777"),  # noqa: S108 - the container's own
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", "1024"),
        *("--memory", "2g", "--memory-swap", "2g"),
        *(flag for key in environment for flag in ("--env", f"{key}={environment[key]}")),
    ]


def wait_until_up(name: str, seconds: float = 600) -> None:
    """Wait until the server in container `name` is up, its compute engine included."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        # a start that fails ends with exit code 0
        if engine.run("container", "inspect", "--format", "{{.State.Running}}", name) != "true":
            raise rootfs.LabError(f"the server ended:\n{engine.run('logs', '--tail', '20', name)}")
        if up(name):
            return
        time.sleep(1)
    raise rootfs.LabError(f"the server is not up after {seconds:.0f} s")


def up(name: str) -> bool:
    """Ask the server in container `name`, and read in its log whether all of it is up."""
    url = f"http://{address(name)}:9000/api/system/status"
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            told = json.load(answer)
    except (OSError, ValueError):
        return False
    return bool(told["status"] == "UP") and "SonarQube is operational" in engine.run("logs", name)


def address(name: str) -> str:
    """Return the address of container `name` on its network, which this machine reaches, too."""
    look = "{{.NetworkSettings.IPAddress}}"
    return engine.run("container", "inspect", "--format", look, name)


def main(image: str, name: str, publish: str) -> int:
    """Leave a server running under `name`, in the place of one that has that name."""
    try:
        engine.run("rm", "--force", "--volumes", name)
    except engine.EngineError as error:
        if "No such container" not in str(error):
            raise
    start(image, "--name", name, "--label", "scanrun-lab=sonar", "--publish", publish)
    try:
        wait_until_up(name)
    except rootfs.LabError as error:
        print(f"lab/sonar: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
