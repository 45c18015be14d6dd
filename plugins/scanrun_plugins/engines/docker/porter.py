"""How does this host reach an application that stands in no network with it?

Where the engine's host stands in a network, a container there reaches all that listens on it. So
the application is on the private network alone. A porter stands there beside it, and in a network
with this host: a container of the scanner's image, which connects to the application's one port
and to nothing else. Where this host sees no network of the engine's, it is asked through a process
in the porter.
"""

from collections.abc import Mapping

from scanrun.api import Limits, Service
from scanrun_plugins.engines.docker.containers import Containers, unique_name
from scanrun_plugins.engines.docker.failures import engine_errors
from scanrun_plugins.engines.docker.helper import check_helper, helper_config
from scanrun_plugins.engines.docker.networks import Networks
from scanrun_plugins.engines.docker.served import Made

LIMITS = Limits(memory_mb=128, pids=64, scratch_mb=16)


def start_porter(  # noqa: PLR0917 - all that it is started with
    service: Service,
    image: str,
    made: Made,
    labels: Mapping[str, str],
    containers: Containers,
    networks: Networks,
) -> None:
    """Start the porter of a service whose private network is there, whether or not that runs.

    What it consists of is put into `made`, as soon as there is any.

    Raises:
        StepError: the engine does not keep it in.
    """
    made.front = networks.make_front(service.name, labels)
    name = f"porter of {service.name}"
    # nobody calls it by a name, and it calls the application by its own, which may start later
    argv = (str(service.port), service.host_name, str(service.port))
    config = helper_config(
        image,
        "porter_inside.py",
        argv,
        port=service.port,
        limits=LIMITS,
        private=made.private,
        podman=containers.podman,
    )
    with engine_errors(f"creating the {name}"):
        made.porter = str(
            containers.api.create_container_from_config(
                {**config, "Labels": dict(labels)}, unique_name(f"porter-{service.name}")
            )["Id"]
        )
    fronts = [made.front] if made.front else []
    networks.join(made.porter, fronts)
    check_helper(name, made.porter, containers, LIMITS, [made.private, *fronts])
    with engine_errors(f"starting the {name}"):
        containers.api.start(made.porter)
