"""Comments at which SonarQube looks away: in the scanned copy they read otherwise.

Measured: Python heeds `NOSONAR` and `nosonar`, and a bare `noqa` or `nosec`; JavaScript heeds
`NOSONAR` in any case, and what switches ESLint off. Stylelint is taken to be like ESLint.
"""

from collections.abc import Iterator

from scanrun.api import Ignore, Rewrite


def _files(suffixes: str) -> tuple[str, ...]:
    return tuple(f"*.{each}" for each in suffixes.split())


_CODE = (
    "Dockerfile",
    "Dockerfile.*",
    *_files(
        "c cc cjs cls cpp cs css cts cxx dockerfile go gradle groovy h hpp htm html ipynb java js"
        " jsp jspx jsx kt kts less mjs mts php py pyi rb rs sass scala scss sh sql swift tf ts tsx"
        " vb vue xhtml xml yaml yml"
    ),
)
_PYTHON = _files("py pyi ipynb")
_SCRIPTS = _files("js jsx mjs cjs ts tsx mts cts vue html htm")
_STYLES = _files("css scss sass less vue html htm")
_NOSONAR = ("NOSONAR", "nosonar", "NoSonar", "Nosonar", "noSonar", "NOSonar", "NoSONAR", "noSONAR")
_NOSEC = ("nosec", "NOSEC", "NoSec", "Nosec", "noSec")
_ESLINT = ("eslint-disable", "/* eslint ", "/*eslint ")

IGNORES = (
    Ignore(r"\b(?i:NOSONAR)\b(?:\((?P<rules>[^)]{1,500})\))?(?P<reason>.*)"),
    Ignore(r"#\s*noqa\b(?:\s*:\s*(?P<rules>[\w, ]{1,500}))?"),
    Ignore(r"#\s*(?i:nosec)\s*$"),
    Ignore(r"\beslint-disable-line\b(?:\s+(?P<rules>[\w/@, -]{1,500}))?"),
)


def _rewrites() -> Iterator[Rewrite]:
    """Yield the same letters but for one: no column moves."""
    for word in _NOSONAR:
        yield Rewrite(_CODE, word.encode(), (word[0] + "0" + word[2:]).encode())
    for word in ("noqa", *_NOSEC):
        yield Rewrite(_PYTHON, word.encode(), (word[0] + "0" + word[2:]).encode())
    for text in _ESLINT:
        yield Rewrite(_SCRIPTS, text.encode(), text.replace("lint", "l1nt").encode())
    yield Rewrite(_STYLES, b"stylelint-disable", b"stylel1nt-disable")


REWRITES = tuple(_rewrites())
