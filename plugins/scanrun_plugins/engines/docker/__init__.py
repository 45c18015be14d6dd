"""The `docker` engine: steps run as hardened containers of any Docker API endpoint.

Reading order: `session` (one run), `step` (one container's life), `hardening`, `volumes`, `images`.
The SDK is imported when an engine is opened, never before: it costs every command 120 ms.
"""

from collections.abc import Iterator

from scanrun.api import Check, Engine, EngineSettings, Session, hookimpl


class DockerEngine:
    """Docker, or Podman behind its Docker API: local, over TLS or over ssh."""

    name = "docker"
    runs = "image"

    def open(self, settings: EngineSettings) -> Session:
        """Find an engine that answers, remove what dead runs left there, and return a session."""
        from scanrun_plugins.engines.docker.session import open_session  # noqa: PLC0415 - the SDK

        return open_session(settings)

    def diagnose(self, settings: EngineSettings) -> Iterator[Check]:
        """Yield what the engine is, what it really enforces, and what it keeps."""
        from scanrun_plugins.engines.docker.diagnosis import diagnose  # noqa: PLC0415 - the SDK

        return diagnose(settings)


@hookimpl
def scanrun_register_engines() -> list[Engine]:
    """Add Docker."""
    return [DockerEngine()]
