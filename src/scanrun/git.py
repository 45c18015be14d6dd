"""What git knows of the tree: tracked, ignored, which commit, changed since.

The repository is a stranger's: nothing in its configuration may run a program. Filters, hooks and
the file system monitor are switched off, no protocol is allowed for missing objects, and the
caller's environment (GIT_DIR, GIT_CONFIG_…) does not reach git.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from scanrun.errors import ScanrunError

TIMEOUT_S = 60.0
"""A FIFO in the place of a `.gitignore` would hold git for ever."""

_HARMLESS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.untrackedCache": "false",
    "protocol.allow": "never",
    "safe.directory": "*",
    "submodule.recurse": "false",
}
_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_HERE = ("--ignore-submodules=dirty", "--", ".")
"""Looking into a submodule would obey that one's configuration."""
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class GitError(ScanrunError):
    """Git can't be had, or says nothing that can be believed. Then every file is scanned."""


@dataclass(frozen=True, kw_only=True)
class WorkTree:
    """What git says. Paths are relative to the folder that it was asked about."""

    tracked: Mapping[str, str]
    """Path -> why it may be missing: `sparse checkout`, or `submodule not checked out`."""
    ignored: frozenset[str]
    """Files, and folders with a `/` at the end, that git ignores."""
    commit: str | None
    changed: bool
    """Whether a tracked file is not as in the commit."""
    address: str = ""
    """Where it was cloned from, without user and password; empty for a local path."""

    @cached_property
    def tracked_folders(self) -> frozenset[str]:
        """Return every folder that a tracked file lies in, at any depth."""
        found: set[str] = set()
        for path in self.tracked:
            folder = path.rpartition("/")[0]
            while folder and folder not in found:
                found.add(folder)
                folder = folder.rpartition("/")[0]
        return frozenset(found)

    def ignores(self, path: str, *, folder: bool) -> bool:
        """Say whether git ignores it. What is tracked, or holds tracked files, never is."""
        if folder:
            return f"{path}/" in self.ignored and path not in self.tracked_folders
        return path in self.ignored and path not in self.tracked

    def is_foreign(self, path: str) -> bool:
        """Say whether the commit knows nothing of the file, nor of a submodule it lies in."""
        return path not in self.tracked and not path.startswith(self._submodules)

    @cached_property
    def _submodules(self) -> tuple[str, ...]:
        return tuple(f"{path}/" for path, why in self.tracked.items() if why.startswith("submod"))


def read_work_tree(
    root: Path, environment: Mapping[str, str], *, timeout: float = TIMEOUT_S
) -> WorkTree | None:
    """Return what git says of the folder `root`; None where it lies in no work tree.

    Raises:
        GitError: there is a work tree, and git can't read it.
    """
    top = next((each for each in (root, *root.parents) if os.path.lexists(each / ".git")), None)
    if top is None:
        return None
    git = _Git(_find_git(environment, top), root, timeout)
    _check_harmless(git)
    _check_top(git, top)
    tracked = _read_index(git.paths("ls-files", "--stage", "-t"))
    if not tracked and git.run("check-ignore", ".", ok=(0, 1)):
        raise GitError("git ignores the whole folder")
    ignored = git.paths("ls-files", "--others", "--ignored", "--exclude-standard", "--directory")
    commit = git.run("rev-parse", "--verify", "--quiet", "HEAD", ok=(0, 1)).strip()
    return WorkTree(
        tracked=tracked,
        ignored=frozenset(ignored),
        commit=commit if _COMMIT.fullmatch(commit) else None,
        changed=_is_changed(git),
        address=_address(git.run("config", "--get", "remote.origin.url", ok=(0, 1, 2)).strip()),
    )


def _address(url: str) -> str:
    """Return where the repository came from as a URI, without user, password and query."""
    if match := _SCP_LIKE.fullmatch(url):
        return f"ssh://{match[1]}/{match[2]}"
    if match := _REMOTE.fullmatch(url):
        return f"{match[1]}://{match[2]}"
    return ""


_SCP_LIKE = re.compile(r"(?:[\w.-]+@)?([\w.-]+\.[\w.-]+):([\w./~-]+)")
_REMOTE = re.compile(r"(https?|ssh|git)://(?:[^/@\s]*@)?([\w.:-]+/[\w./~%+-]+)(?:[?#]\S*)?")


class _Git:
    def __init__(self, program: str, folder: Path, timeout: float) -> None:
        self._program, self._folder, self._timeout = program, folder, timeout
        self._config = dict(_HARMLESS)

    def run(self, *args: str, ok: Sequence[int] = (0,)) -> str:
        try:
            done = subprocess.run(
                [self._program, "--no-pager", *args],
                cwd=self._folder,
                env=_ENVIRONMENT | _as_environment(self._config),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise GitError(f"git {args[0]} gave no answer in {self._timeout:g} s") from error
        except OSError as error:
            raise GitError(f"git can't be started ({error.strerror})") from error
        if done.returncode not in ok:
            last = os.fsdecode(done.stderr).strip().rpartition("\n")[2]
            raise GitError(f"git {args[0]} failed ({last or done.returncode})")
        return os.fsdecode(done.stdout)

    def paths(self, command: str, *args: str) -> list[str]:
        return [each for each in self.run(command, "-z", *args).split("\0") if each]

    def set_harmless(self, keys: Mapping[str, str]) -> None:
        self._config |= keys


def _as_environment(config: Mapping[str, str]) -> dict[str, str]:
    """Return configuration as variables: unlike `-c` they can name a key that holds a `=`."""
    made = {"GIT_CONFIG_COUNT": str(len(config))}
    for number, (key, value) in enumerate(config.items()):
        made |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return made


def _find_git(environment: Mapping[str, str], top: Path) -> str:
    """Return the program; one that lies in the scanned tree is never run."""
    folders = environment.get("PATH", os.defpath).split(os.pathsep)
    places = [Path(each) for each in folders]
    safe = [
        str(each)
        for each in places
        if each.is_absolute() and not each.resolve().is_relative_to(top)
    ]
    found = shutil.which("git", path=os.pathsep.join(safe)) if safe else None
    if found is None or Path(found).resolve().is_relative_to(top):
        raise GitError("git is not installed")
    return found


def _check_harmless(git: _Git) -> None:
    """Refuse a git too old (before 2.31) to take configuration from variables: it ran programs."""
    if git.run("config", "protocol.allow", ok=(0, 1)) != "never\n":
        raise GitError("git is too old")


def _check_top(git: _Git, top: Path) -> None:
    """Refuse a repository whose configuration speaks of another folder (`core.worktree`)."""
    said = Path(git.run("rev-parse", "--show-toplevel").removesuffix("\n"))
    if not said.is_dir() or not said.samefile(top):
        raise GitError("the repository's work tree is another folder")


def _read_index(entries: Sequence[str]) -> dict[str, str]:
    """Read `H 100644 HASH 0<tab>PATH`; the first letter is `S` where git left the file out."""
    tracked = {}
    for entry in entries:
        meta, _, path = entry.partition("\t")
        tag, mode, *_ = meta.split(" ")
        submodule = "submodule not checked out" if mode == "160000" else ""
        tracked[path] = submodule or ("sparse checkout" if tag == "S" else "")
    return tracked


def _is_changed(git: _Git) -> bool:
    """Ask for changes of tracked files, with every filter switched off: a filter is a program.

    A file that only a filter makes equal (LFS) may count as changed; never the other way round.
    """
    listed = git.run("config", "-z", "--name-only", "--get-regexp", r"^filter\.", ok=(0, 1))
    drivers = {key.rpartition(".")[0] for key in listed.split("\0") if key}
    for driver in drivers:
        git.set_harmless({f"{driver}.clean": "", f"{driver}.smudge": "", f"{driver}.process": ""})
        git.set_harmless({f"{driver}.required": "false"})
    said = git.run("status", "--porcelain", "-z", "-uno", "--no-renames", *_HERE)
    return bool(said)
