"""What a run looks like on a real terminal of eighty columns."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

WIDTH = 80
LONG = "a-scanner-whose-name-alone-fills-most-of-a-line-of-a-terminal---"
TOKEN = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|(.)", re.DOTALL)
KEPT = re.compile(
    r"scanrun \d|tree    |        left out: |engine  |[+-] |    \w|note    |\[ *\d+\.\ds\] [✓✗] "
    r"|HIGH \(1\)|LOW \(1\)|  app\.py:\d  B\d+  |\d+ suppressed|incomplete: |failed: |log: |$"
)


class Screen:
    """As much of a terminal as rich and we use; it never scrolls."""

    def __init__(self):
        self.rows, self.wrapped = [[]], set()
        self.x = self.y = 0

    def feed(self, text):
        for parameters, command, character in TOKEN.findall(text):
            if character:
                self._put(character)
            elif command == "A":
                self.y -= int(parameters or 1)
            elif command == "K":
                assert parameters == "2"
                self.rows[self.y] = []
                self.wrapped.discard(self.y)
            else:
                assert command in "mhl", f"{parameters}{command}"

    def lines(self):
        """Return the lines as they were printed: a wrapped one is one line."""
        found = []
        for number, row in enumerate(self.rows):
            text = "".join(row)
            if number in self.wrapped:
                found[-1] += text
            else:
                found.append(text)
        return [line.rstrip() for line in found]

    def _put(self, character):
        if character == "\r":
            self.x = 0
        elif character == "\n":
            self._down()
        else:
            if self.x == WIDTH:
                self._down()
                self.x = 0
                self.wrapped.add(self.y)
            row = self.rows[self.y]
            row.extend(" " * (self.x - len(row)))
            row[self.x : self.x + 1] = [character]
            self.x += 1

    def _down(self):
        self.y += 1
        if self.y == len(self.rows):
            self.rows.append([])


def on_a_terminal(arguments, environment):
    """Return what a run of scanrun writes to a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, WIDTH, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "scanrun", *map(str, arguments)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            written += os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
    os.close(ours)
    return process.wait(), written.decode()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("live")
    (folder / "tree").mkdir()
    (folder / "tree" / "app.py").write_text("import subprocess\nsubprocess.call(x, shell=True)\n")
    (folder / "tree" / ".bandit").write_text("[bandit]\nskips = B602\n")
    slow = folder / "slow"
    slow.write_text("#!/bin/sh\nsleep 2.5\necho no report\n")
    slow.chmod(0o755)
    config = folder / "config.toml"
    config.write_text(f'[scanner.{LONG}]\ncommand = "slow"\nstdout = true\n[scan]\nskip = []\n')
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"CI", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"}
    }
    environment |= {"TERM": "xterm-256color", "PATH": f"{folder}:{os.environ['PATH']}"}
    arguments = ("scan", f"bandit,{LONG}", folder / "tree", "--engine", "local")
    return on_a_terminal([*arguments, "--config", config], environment)


def test_every_line_that_stays_is_a_line_of_its_own(run):
    code, written = run
    screen = Screen()

    screen.feed(written)

    assert code == 1
    strange = [line for line in screen.lines() if not KEPT.match(line)]
    assert not strange
    shown = "\n".join(screen.lines())
    assert shown.count("✓ bandit: 2 findings (1 high, 1 low)") == 1
    assert shown.count(f"✗ {LONG}: incomplete: ") == 1


def test_nothing_of_the_progress_stays(run):
    screen = Screen()

    screen.feed(run[1])

    assert "running" in run[1]
    assert "running" not in "\n".join(screen.lines())


def test_each_running_scanner_has_one_cropped_row_whose_seconds_tick(run):
    _, written = run
    rows = re.findall(r"  a-scanner-[^\r\n]*… · (\d+) s", written)

    assert {"0", "1"} <= set(rows)


def test_the_plans_notes_are_not_repeated_on_a_terminal(run):
    screen = Screen()

    screen.feed(run[1])

    notes = [line for line in screen.lines() if "'.bandit' has no effect on bandit" in line]
    assert [line.partition(" ")[0] for line in notes] == ["note"]
