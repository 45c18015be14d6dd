"""What a token can do, found out before anything is uploaded."""

from dataclasses import dataclass
from enum import StrEnum

from msgspec import Struct

from scanrun_plugins.scanners.sonar.client import Client
from scanrun_plugins.scanners.sonar.refusals import (
    READER,
    ForbiddenError,
    UnauthorisedError,
    UnknownError,
)


class TokenKind(StrEnum):
    """The kinds of token that SonarQube makes."""

    USER = "user"
    GLOBAL_ANALYSIS = "global analysis"
    PROJECT_ANALYSIS = "project analysis"
    UNKNOWN = "unknown"

    @property
    def only_uploads(self) -> bool:
        """Say whether it is of a kind that can't read issues."""
        return self in {TokenKind.GLOBAL_ANALYSIS, TokenKind.PROJECT_ANALYSIS}


_PREFIXES = {
    "squ_": TokenKind.USER,
    "sqa_": TokenKind.GLOBAL_ANALYSIS,
    "sqp_": TokenKind.PROJECT_ANALYSIS,
}


@dataclass(frozen=True, slots=True)
class Access:
    """What a token was seen to be able to do."""

    kind: TokenKind
    browse: bool | None
    """Whether it may read the project; None where there is no such project yet."""


class _Valid(Struct):
    valid: bool


def token_kind(token: str) -> TokenKind:
    """Return the kind that the token itself tells; old ones tell nothing."""
    return _PREFIXES.get(token[:4], TokenKind.UNKNOWN)


def check_access(client: Client, token: str, project: str) -> Access:
    """Return what the token can do, as far as reading the project goes.

    Raises:
        UnauthorisedError: the server does not know the token.
        ForbiddenError: it can't read a scan of `project`; the hint names one that can.
    """
    if not client.get("api/authentication/validate", _Valid).valid:
        raise UnauthorisedError(
            "the server does not know the token",
            hint="it is wrong, revoked or expired: make a new USER token",
        )
    kind = token_kind(token)
    if kind.only_uploads:
        raise ForbiddenError(f"this is a {kind} token", hint=READER)
    try:
        client.get("api/components/show", dict[str, object], component=project)
    except UnknownError:
        return Access(kind, browse=None)
    except ForbiddenError as error:
        raise ForbiddenError(
            f"the token may not browse the project {project!r}", hint=READER
        ) from error
    return Access(kind, browse=True)
