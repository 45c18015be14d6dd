"""How does a service of a compose file come to run beside the steps, with all that it needs?

The program resolves the file; that is judged, changed, and given to it again: the file itself is
never run. All that is made carries labels, so it is found whatever becomes of the program.
"""

import os
import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from scanrun.api import Build, Compose, EngineSettings, Service, StepError
from scanrun_plugins.engines.docker.building import Builds
from scanrun_plugins.engines.docker.compose_check import check_containers, check_networks
from scanrun_plugins.engines.docker.compose_copies import Copies
from scanrun_plugins.engines.docker.compose_files import RawFiles
from scanrun_plugins.engines.docker.compose_ground import Ground, refuse
from scanrun_plugins.engines.docker.compose_model import Frame, Plan, plain_build, planned, pruned
from scanrun_plugins.engines.docker.compose_parts import mapping
from scanrun_plugins.engines.docker.compose_program import Program, find_program, has_buildkit
from scanrun_plugins.engines.docker.compose_rules import refusals
from scanrun_plugins.engines.docker.composed import (
    PROJECT,
    Composed,
    containers_of,
    remove_project,
    words_of,
)
from scanrun_plugins.engines.docker.connection import Connection
from scanrun_plugins.engines.docker.containers import Containers
from scanrun_plugins.engines.docker.events import Kills
from scanrun_plugins.engines.docker.failures import engine_errors
from scanrun_plugins.engines.docker.hardening import proxies_of
from scanrun_plugins.engines.docker.images import Images
from scanrun_plugins.engines.docker.networks import Networks
from scanrun_plugins.engines.docker.once import check_cancelled
from scanrun_plugins.engines.docker.order import Facts
from scanrun_plugins.engines.docker.owner import SCANNER, built_label
from scanrun_plugins.engines.docker.porter import start_porter
from scanrun_plugins.engines.docker.reach import address_of
from scanrun_plugins.engines.docker.served import Made

_BUILD_S = 1800.0
_CREATE_S = 120.0
_DONE = "service_completed_successfully"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeStart:
    """The start of one compose file for one run."""

    service: Service
    connection: Connection
    containers: Containers
    networks: Networks
    images: Images
    builds: Builds
    settings: EngineSettings
    scanner: str
    log: Path
    """Where what is printed before its start is appended."""
    cancel: threading.Event
    say: Callable[[str], None]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    porter: str = ""
    """Image of what this host reaches it through."""

    def running(self) -> Composed:
        """Start it; nothing is left of one that can't be.

        Raises:
            MissingToolError: there is no program for it, or an image can't be had.
            StepError: the file asks for what is not allowed, or can't be run.
        """
        compose = self.service.compose
        if compose is None:
            raise StepError(f"{self.service.name!r} is of no compose file")
        # the program works in another folder
        compose = replace(compose, file=compose.file.absolute(), root=compose.root.absolute())
        project = f"scanrun-{uuid.uuid4().hex[:16]}"
        folder = self.settings.scratch / project
        folder.mkdir(mode=0o700)
        frame = self._frame(compose, project)
        try:
            return self._running(compose, frame, folder)
        except BaseException:
            remove_project(self.containers.api, project)
            raise

    def _frame(self, compose: Compose, project: str) -> Frame:
        labels = {**self.containers.labels, SCANNER: self.scanner, PROJECT: project}
        caller = self.settings.environment
        return Frame(
            service=self.service,
            project=project,
            labels=labels,
            built=built_label(self.containers.labels),
            ground=Ground(Path(os.path.realpath(compose.root)), self.connection.endpoint.socket),
            proxies=proxies_of(caller) if self.service.open else {},
            podman=self.containers.podman,
            secrets=self.secrets,
        )

    def _running(self, compose: Compose, frame: Frame, folder: Path) -> Composed:
        raw = RawFiles(frame.ground)
        # before anything is run that reads it
        refuse(raw.refusals(compose.file), compose.allowed, compose.file.name)
        program = find_program(
            self.settings.environment, self.connection.endpoint, folder, self.log, self.cancel
        )
        model = self._judged(compose, frame, program)
        plan = planned(model, frame)
        self._have_images(compose, plan, program)
        copies = Copies(plan, frame, self.containers, self.scanner, self.cancel)
        copies.seal()
        copies.fill()
        self._create(plan, program)
        copies.put()
        # at its end, the porter is whole or has failed: so all that was made of it is known
        with ThreadPoolExecutor(1) as pool:
            made = self._join(plan, frame, model)
            porter = pool.submit(self._open, frame, made)
            self._start(plan, program, frame)
            porter.result()
        return self._begun(frame, made, _jobs(model))

    def _judged(self, compose: Compose, frame: Frame, program: Program) -> dict[str, Any]:
        """Return what the program makes of the file, less what is not run."""
        given = self.service.env
        resolved = program.resolve(compose.file, frame.project, given, self.cancel)
        model = pruned(resolved, compose.service)
        refuse(refusals(model, frame.ground), compose.allowed, compose.file.name)
        return model

    def _have_images(self, compose: Compose, plan: Plan, program: Program) -> None:
        """Get the images as all others are got: by the policy, the mirror and the lock file."""
        for name, reference in plan.images.items():
            plan.services[name]["image"] = self.images.prepare(reference, self.cancel)[1].name
        self._build(plan, Path(os.path.realpath(compose.root)))
        if plan.built:
            self._build_otherwise(plan, program)

    def _build(self, plan: Plan, root: Path) -> None:
        """Build as all other images are built, where a Dockerfile is all that there is to it."""
        done: list[tuple[Build, str]] = []
        for name in plan.built:
            service = plan.services[name]
            build = plain_build(service["build"], root)
            if build is None:
                continue
            known = [image for each, image in done if each == build]
            service["image"] = known[0] if known else self._built(build, name)
            done.append((build, service["image"]))
            del service["build"]

    def _built(self, build: Build, name: str) -> str:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        image = self.builds.image(build, name=name, log=self.log, cancel=self.cancel, say=self.say)
        with engine_errors(f"looking at the image of {name!r}"):
            # by its name: not every program takes an id for one
            return str(self.containers.api.inspect_image(image)["RepoTags"][0])

    def _build_otherwise(self, plan: Plan, program: Program) -> None:
        self.say(f"building {', '.join(plan.built)} with {program.title}")
        if program.first_generation:
            modern = has_buildkit(program, self.settings.environment, self.cancel)
            kit = {"COMPOSE_DOCKER_CLI_BUILD": str(int(modern)), "DOCKER_BUILDKIT": "1"}
            program = replace(program, env={**program.env, **kit})
        what = f"building {', '.join(plan.built)}"
        program.drive(
            plan.model, "build", *plan.built, what=what, timeout_s=_BUILD_S, cancel=self.cancel
        )

    def _create(self, plan: Plan, program: Program) -> None:
        # the old program waits for what others depend on, although it starts nothing
        bare = {
            name: {
                **each,
                **({"depends_on": list(each["depends_on"])} if "depends_on" in each else {}),
            }
            for name, each in plan.services.items()
        }
        program.drive(
            {**plan.model, "services": bare},
            *("up", "--no-start", "--no-build"),
            what="creating the containers",
            timeout_s=_CREATE_S,
            cancel=self.cancel,
        )

    def _join(self, plan: Plan, frame: Frame, model: Mapping[str, Any]) -> Made:
        """Have the service join a network with the steps."""
        check_cancelled(self.cancel)
        allowed = self.service.compose.allowed if self.service.compose else frozenset()
        found = containers_of(self.containers.api, frame.project)
        missing = set(plan.services) - set(found)
        if missing:
            raise StepError(f"no container was made of {', '.join(sorted(missing))}")
        check_containers(tuple(found.values()), allowed)
        if not self.service.open:
            check_networks(tuple(found.values()), self.networks, _external(model))
        made = Made(container=str(found[frame.main]["Id"]))
        made.private = self.networks.make_private(self.service.name, frame.labels)
        with engine_errors("joining a network"):
            self.containers.api.connect_container_to_network(
                made.container, made.private, aliases=[self.service.host_name]
            )
        return made

    def _open(self, frame: Frame, made: Made) -> None:
        """Start what this host reaches it through."""
        if self.porter:
            start_porter(
                self.service, self.porter, made, frame.labels, self.containers, self.networks
            )

    def _start(self, plan: Plan, program: Program, frame: Frame) -> None:
        self.say(f"starting {frame.main} with {program.title}")
        try:
            program.drive(
                plan.model,
                *("up", "--detach", "--no-build", "--no-recreate"),
                what=f"starting {frame.main!r}",
                timeout_s=self.service.start_s,
                cancel=self.cancel,
            )
        except StepError as error:
            words = self._words(frame.project)
            raise StepError(f"{error}{words}", hint=error.hint) from error

    def _words(self, project: str) -> str:
        """Say which containers have ended badly, and their last words."""
        told = ""
        for name, found in containers_of(self.containers.api, project).items():
            state = found["State"]
            health = (state.get("Health") or {}).get("Status")
            if state["Status"] == "exited" and state["ExitCode"]:
                told += f"; {name!r} ended with exit code {state['ExitCode']}"
            elif health == "unhealthy":
                told += f"; {name!r} is unhealthy"
            else:
                continue
            told += f": {words_of(self.containers.api, found['Id'])}"
        return told

    def _begun(self, frame: Frame, made: Made, jobs: frozenset[str]) -> Composed:
        found = containers_of(self.containers.api, frame.project)
        main = found.pop(frame.main)
        begun = str(main["State"]["StartedAt"])
        address, forwarder = address_of(self.containers, self.networks, self.service, made)
        return Composed(
            name=self.service.name,
            host=self.service.host_name,
            address=address,
            containers=self.containers,
            networks=self.networks,
            made=made,
            memory_mb=int(main["HostConfig"]["Memory"]) >> 20,
            forwarder=forwarder,
            begun=begun,
            kills=Kills(self.containers, made.container, begun),
            sealed=bool(self.secrets),
            port=self.service.port,
            exposed=Facts.of(self.containers.api, main["Image"]).exposed,
            project=frame.project,
            started={name: str(each["State"]["StartedAt"]) for name, each in found.items()},
            jobs=jobs,
        )


def _jobs(model: Mapping[str, Any]) -> frozenset[str]:
    """Return the services that another one waits for to end."""
    return frozenset(
        name
        for service in mapping(model, "services").values()
        if isinstance(service.get("depends_on"), dict)
        for name, how in service["depends_on"].items()
        if isinstance(how, dict) and how.get("condition") == _DONE
    )


def _external(model: Mapping[str, Any]) -> frozenset[str]:
    """Return the names, on the engine, of networks that are not the file's own."""
    return frozenset(
        str(each.get("name") or name)
        for name, each in mapping(model, "networks").items()
        if each and each.get("external")
    )
