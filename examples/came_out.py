"""Says what came out of a run that is meant to fail its gate, and whether that had good reasons.

examples/came_out.py VERDICT NAME…: ends with 0 where findings failed the gate, nothing is
incomplete, and each scanner named here has found something.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any


def main() -> int:
    verdict = json.loads(Path(sys.argv[1]).read_text())
    for scanner in verdict["scanners"]:
        if scanner["status"] != "not-applicable":
            print(line(scanner))
    wrong = list(problems(verdict, sys.argv[2:]))
    for problem in wrong:
        print(f"not what should have come out: {problem}", file=sys.stderr)
    return int(bool(wrong))


def line(scanner: Mapping[str, Any]) -> str:
    found = ", ".join(f"{count} {severity}" for severity, count in scanner["counts"].items())
    return f"  {scanner['name']:<17} {scanner['status']:<10} {found or scanner['reason']}"


def problems(verdict: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    scanners = {each["name"]: each for each in verdict["scanners"]}
    if verdict["exit_code"] != 1 or verdict["status"] != "failed":
        yield f"the gate did not fail: {verdict['reason']}"
    for condition in verdict["conditions"]:
        if condition["name"] == "complete" and not condition["passed"]:
            yield condition["detail"]
    for name in names:
        if name not in scanners or scanners[name]["status"] != "completed":
            yield f"{name} did not complete"
        elif not scanners[name]["findings"]:
            yield f"{name} found nothing"


if __name__ == "__main__":
    sys.exit(main())
