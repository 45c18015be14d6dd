"""Flawfinder: dangerous calls in C and C++. Writes SARIF itself, and has no image.

https://dwheeler.com/flawfinder/
"""

from collections.abc import Iterator

from scanrun import api

REPORT = "/out/flawfinder.sarif"


class Flawfinder:
    """Reads every C and C++ file, whatever its comments say."""

    name = "flawfinder"
    category = api.Category.SAST

    def applies(self, target: api.Target) -> api.Applies:
        """Apply to C and C++ files."""
        return api.Applies.to(target.match("*.c", "*.h", "*.cc", "*.cpp", "*.hpp"), "C file")

    def steps(self, target: api.Target) -> tuple[api.Step, ...]:
        """Print SARIF; never ignore, and look into folders whose name begins with a dot."""
        argv = ("--sarif", "--neverignore", "--followdotdir", "--nolink", *target.args, ".")
        return (
            api.Step(
                executable="flawfinder", argv=argv, workdir="/src", outputs=(REPORT,), stdout=REPORT
            ),
        )

    def canary(self) -> api.Canary:
        """Return a call that is never right."""
        return api.Canary({"canary.c": b"char *f(char *b) { return gets(b); }\n"}, "FF1014")

    def convert(self, outputs: api.Outputs) -> Iterator[api.Rule | api.Result | api.Notification]:
        """Pass its log on: the level is right, and goes before a rank that ends at 1."""
        yield from api.read_sarif(outputs[REPORT])


@api.hookimpl
def scanrun_register_scanners() -> list[api.Scanner]:
    """Add Flawfinder."""
    return [Flawfinder()]
