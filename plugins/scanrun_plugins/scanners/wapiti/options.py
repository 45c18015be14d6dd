"""What `[scanner.wapiti]` may say, and which of wapiti's modules that means."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

PASSIVE = ("cookieflags", "csp", "http_headers")
"""Each looks at the start page once, and says so: one that did not has found nothing out."""
ACTIVE = ("exec", "file", "permanentxss", "redirect", "sql", "upload", "xss")
"""Those of wapiti's own default that attack nobody but the application."""
More = Literal[
    "backup", "crlf", "csrf", "htaccess", "https_redirect", "ldap", "methods", "shellshock",
    "timesql",
]  # fmt: skip
"""Left out: what fetches data elsewhere (cms, htp, nikto, takeover, wapp, wp_enum), guesses for
hours (brute_login_form, buster, network_device), needs a program (ssl), or has the application
call somebody else's server (log4shell, spring4shell, ssrf, xxe)."""

_Seconds = Annotated[int, Field(strict=True, ge=1, le=86_400)]
_Pattern = Annotated[str, Field(pattern=r"^/[^\s\x00-\x1f\x7f]{0,500}$")]


class Options(BaseModel):
    """The scanner's own keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    active: Annotated[bool, Field(strict=True)] = False
    """Attack it: injections, uploads, stored scripts. It may change or lose data."""
    modules: tuple[More, ...] = ()
    """Further modules of wapiti. All of them but `https_redirect` attack."""
    pages: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = 2
    """So many pages it has to see, or the scan is incomplete. 1: the application has one page."""
    exclude: tuple[_Pattern, ...] = ()
    """Paths to leave alone: `/logout`, `/calendar/*` (`*` is anything)."""
    depth: Annotated[int, Field(strict=True, ge=0, le=100)] = 40
    """Links from the start page to the last page that is asked for."""
    crawl_time: _Seconds = 300
    """Seconds after which the crawl is broken off; what is left then makes the scan incomplete."""
    module_time: _Seconds = 300
    """The same for each module."""

    @property
    def chosen(self) -> tuple[str, ...]:
        """Return the modules to launch."""
        return tuple(dict.fromkeys([*PASSIVE, *(ACTIVE if self.active else ()), *self.modules]))

    @property
    def quiet(self) -> bool:
        """Say whether nothing is attacked."""
        return not self.active and not set(self.modules) - {"https_redirect"}


def options_of(given: Mapping[str, Any]) -> Options:
    """Return the options that a target, or what a scan has left, holds."""
    return Options.model_validate(dict(given))
