"""What are the parts of an image reference, and what does a mirror call the image?"""

from dataclasses import dataclass
from typing import Self

HUB_HOSTS = ("docker.io", "index.docker.io")


@dataclass(frozen=True, slots=True)
class Reference:
    """`HOST/PATH:TAG@DIGEST`, each but the path optional."""

    host: str
    path: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take a reference apart. What is no host (no dot, no port) belongs to the path."""
        name, _, digest = text.partition("@")
        stem, colon, tag = name.rpartition(":")
        if not colon or "/" in tag:
            stem, tag = name, ""
        first, slash, rest = stem.partition("/")
        is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
        host, path = (first, rest) if is_host else ("", stem)
        return cls("" if host in HUB_HOSTS else host, path, tag, digest)

    @property
    def repository(self) -> str:
        """Return the name without tag and digest."""
        return f"{self.host}/{self.path}" if self.host else self.path

    @property
    def version(self) -> str:
        """Return what the reference says of the version: its tag, or its digest."""
        return self.tag or self.digest

    def at(self, digest: str) -> str:
        """Return the name that means exactly one image."""
        return f"{self.repository}@{digest}"

    def mirrored(self, prefix: str) -> Self:
        """Return the same image as a mirror names it: the prefix, then all but the hub's host."""
        if not prefix:
            return self
        head = self.parse(f"{prefix.rstrip('/')}/{self.repository}")
        return type(self)(head.host, head.path, self.tag, self.digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}{f'@{self.digest}' if self.digest else ''}"
