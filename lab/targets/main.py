"""Starts a target, as the environment says.

MODE    what it answers: one of `pages.modes`; or, from the first request on, one of `server.DEEDS`;
        or `exit`: it ends at once; `never`: it never takes a connection
THEN    what it does instead of answering, one of `server.DEEDS`, from the request after AFTER on
AFTER   how many requests it answers first (3); requests for `/` alone are not counted
DOWN    how many seconds it is away when it restarts (2)
DELAY   seconds before it listens (`slow-start`), or before each answer
TOKEN   the value of the header Authorization that `sign-in` asks for
PORT    where it answers (8080). 8081 is another site, and 8099 tells all requests as JSON
"""

import os
import signal
import sys
import time

from pages import ELSEWHERE, clean, modes
from server import DEEDS, Target, serve

CERTIFICATE = "/target/certificate.pem"
COUNT = 8099


def main() -> int:
    """Serve as the environment says."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))  # the first process has to ask for it
    mode = (sys.argv[1:] or [os.environ.get("MODE", "vuln")])[0]
    if mode == "exit":
        print("cannot read the configuration", file=sys.stderr)
        return 1
    if mode == "never":
        time.sleep(3600)
    known = modes(os.environ.get("TOKEN", ""))
    if mode not in {*known, *DEEDS}:
        print(f"no mode {mode!r}: one of {', '.join([*known, *DEEDS])}", file=sys.stderr)
        return 2
    delay = float(os.environ.get("DELAY", {"slow": "4", "slow-start": "3"}.get(mode, "0")))
    if mode == "slow-start":
        time.sleep(delay)
        delay = 0
    then = mode if mode in DEEDS else os.environ.get("THEN", "")
    target = Target(
        port=int(os.environ.get("PORT", "8080")),
        mode=known.get(mode, clean),
        deed=then,
        after=0 if mode in DEEDS else int(os.environ.get("AFTER", "3")),
        delay_s=delay,
    )
    if then == "restart":
        _restarting(target)
    serve(target, ELSEWHERE, COUNT, CERTIFICATE if mode == "tls" else "")
    return 0


def _restarting(target: Target) -> None:
    """Return in a child that can have itself ended, and begun anew a moment later."""
    child = 0

    def again(*_: object) -> None:
        os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGUSR1, again)
    begun = 0
    while True:
        child = os.fork()
        if child == 0:
            target.deed = "" if begun else target.deed
            return
        os.waitpid(child, 0)
        begun += 1
        print("restarting", flush=True)
        time.sleep(float(os.environ.get("DOWN", "2")))


if __name__ == "__main__":
    sys.exit(main())
