"""Which images does a Dockerfile name, and what else would its builder fetch?

There are several builders, and they don't agree on all that may stand there. What one of them may
read in another way than the rest is not guessed at: a build that is to fetch nothing is refused.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

_BLANK = r"[^\S\n\x1c-\x1f]"
"""Python takes four more characters for blanks than builders do."""
_COMMENT = re.compile(rf"^{_BLANK}*#.*(?:\n|\Z)", re.MULTILINE)
_CONTINUED = re.compile(rf"(?<!\\)\\[ \t]*(?:\n(?:{_BLANK}*\n)*|\Z)")
_JOINED = "\0"
_FROM = re.compile(r"(?i)FROM\s+(?P<flags>(?:--\S+\s+)*)(?P<base>\S+)(?:\s+AS\s+(?P<name>\S+))?$")
_ARG = re.compile(r"(?i)ARG\s+(?P<words>.*)")
_WORDS = re.compile(
    r"""(?a)(?:\w+(?:=(?:[\w./:@+${}-]*|"[\w./:@+${}-]*"|'[\w./:@+-]*'))?(?:\s+|$))+"""
)
_VALUE = re.compile(r"(?a)[\w./:@+-]*")
_NAMES = re.compile(r"\w+")
_OTHER = re.compile(r"(?i)(?:COPY|ADD|RUN)\s.*?\bfrom=(?P<source>[^\s,]+)")
_VARIABLE = re.compile(
    r"(?ai)\$(?:(?P<bare>[a-z_]\w*)|\{(?P<name>[a-z_]\w*)(?::-(?P<otherwise>[^}$]*))?\})"
)
_PLATFORMS = re.compile(r"(?:BUILD|TARGET)(?:PLATFORM|OS|ARCH|VARIANT)")
"""Variables that some builders set, and others leave to the Dockerfile."""
_UNTOLD = "$"
_EMPTY = "scratch"
_ADD = re.compile(r"(?i)(?:ONBUILD\s+)?ADD\s(?P<words>.*)")
_NO_QUOTES = str.maketrans("", "", "\"'\\")
_ELSEWHERE = re.compile(r"(?i)://|git@|[\w-]@[\w.-]+:|\$")
_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{4}")
_DIRECTIVE = re.compile(r"(?im)^[^\S\n]*(?:#|//)\s*(?P<name>syntax|escape)\s*=\s*(?P<value>\S+)")
_ORDINARY = re.compile(r"\\|(?:docker\.io/)?docker/dockerfile(?:[:@][\w.:-]+)?")
"""Values of directives that change nothing of how a Dockerfile is read."""
_HEREDOC = re.compile(r"""(?<!\S)\d*<<(?P<tabs>-?)(?P<word>(?:"[^"]*"|'[^']*'|[^\s"'<])+)""")
_NO_END = re.compile(r"[\s\"']*(?:#|$)")
_MOST_HEREDOCS = 100
_TWICE = re.compile(r"^.*\\\\[ \t]*$", re.MULTILINE)


@dataclass(slots=True, eq=False)
class Stage:
    """What a `FROM` begins."""

    line: str
    base: str
    """Image; empty: none, or another stage is its parent."""
    name: str
    foreign: bool
    """Asked for by another platform than the engine's own."""
    needs: list["Stage"] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    """What is copied or mounted from."""

    @property
    def untold(self) -> bool:
        """Say whether it depends on what a builder makes of it which image that is."""
        return _UNTOLD in self.base


def images_of(stages: Iterable[Stage]) -> tuple[str, ...]:
    """Return the images that stages need, none of them a stage of its own.

    One whose name can't be told, or that is asked for by platform, is the builder's affair.
    """
    images = (
        image
        for stage in stages
        for image in ("" if stage.foreign else stage.base, *stage.others)
        if image and image.lower() != _EMPTY and _UNTOLD not in image
    )
    return tuple(dict.fromkeys(images))


def stages_of(
    text: str, *, target: str, args: Mapping[str, str], platform: str, every: bool = False
) -> tuple[Stage, ...]:
    """Return the stages that a Dockerfile's `target` needs.

    `every`: and all others. A builder that is no BuildKit builds those that stand before, too.
    """
    stages = list(_stages(text, args, platform))
    numbered = {str(number): stage for number, stage in enumerate(stages)}
    named = {stage.name.lower(): stage for stage in stages if stage.name} | numbered
    for each in stages:
        each.needs += [named[other.lower()] for other in each.others if other.lower() in named]
        each.others = [other for other in each.others if other.lower() not in named]
    if every:
        return tuple(stages)
    wanted = [named.get(target.lower())] if target else stages[-1:]
    reached: dict[Stage, None] = {}
    while wanted:
        stage = wanted.pop()
        if stage is not None and stage not in reached:
            reached[stage] = None
            wanted += stage.needs
    return tuple(reached)


def fetches_of(text: str) -> Iterator[str]:
    """Yield the lines by which a builder fetches from elsewhere than a registry, or may do so."""
    for found in _DIRECTIVE.finditer(text):
        if not _ORDINARY.fullmatch(found["value"]):
            yield found[0].strip()
    if text.lstrip().startswith("{"):
        yield "another syntax"
    if _JOINED in text or "\r" in text:
        yield "a character that ends no line, and stands for nothing else"
    # a continued line to some builders
    yield from (found[0] for found in _TWICE.finditer(_COMMENT.sub("", text)))
    heredocs: list[_Heredocs] = []
    for line in _lines(text):
        *_, last = line.split(_JOINED)
        heredocs = [each for each in heredocs if each.after(last)]
        instruction = line.replace(_JOINED, "").strip()
        # a stage to some builders, and a line of a file to others
        hidden = bool(heredocs) and _begins(instruction)
        begun = _Heredocs.of(instruction)
        if hidden or _adds(instruction) or _reads_oddly(instruction) or begun.odd:
            yield instruction
        heredocs += [begun] if begun.ends else []
        if len(heredocs) > _MOST_HEREDOCS:
            yield "too many heredocs"
            return


def _adds(line: str) -> bool:
    """Say whether a line adds what is elsewhere; quotes may stand within what it names."""
    found = _ADD.match(line)
    if found is None:
        return False
    bare = found["words"].translate(_NO_QUOTES)
    return bool(_ELSEWHERE.search(bare) or _ESCAPE.search(found["words"]))


def _reads_oddly(line: str) -> bool:
    return _begins(line) and not _FROM.match(line)


def _begins(line: str) -> bool:
    return line[:4].lower() == "from" and line[4:5].isspace()


@dataclass(slots=True)
class _Heredocs:
    """What a line may begin, for builders who know heredocs; and for all others it does not."""

    ends: list[tuple[str, str]]
    """The last line of each, and what may stand before that."""
    odd: bool
    """The last line of one is a comment, a blank or a continued line to who knows none of them:
    so what comes next is another instruction to some."""

    @classmethod
    def of(cls, line: str) -> Self:
        found = [(each["word"], each["tabs"]) for each in _HEREDOC.finditer(line)]
        odd = any("\\" in word or _NO_END.match(word) for word, _ in found)
        ends = [(word.translate(_NO_QUOTES), "\t" if tabs else "") for word, tabs in found]
        return cls(ends, odd)

    def after(self, line: str) -> bool:
        """Take in a line; say whether one still goes on."""
        word, blank = self.ends[0]
        if (line.lstrip(blank) if blank else line) == word:
            del self.ends[0]
        return bool(self.ends)


def _stages(text: str, args: Mapping[str, str], platform: str) -> Iterator[Stage]:
    known = _Arguments(args, platform)
    earlier: dict[str, Stage] = {}
    stage: Stage | None = None
    for line in _instructions(text):
        if found := _FROM.match(line):
            if stage is not None:
                yield stage
            stage = _stage(found, known, earlier)
            earlier[stage.name.lower()] = stage
        elif stage is None and (found := _ARG.match(line)):
            known.declare(found["words"].strip())
        elif stage is not None and (found := _OTHER.match(line)):
            stage.others.append(_expanded(found["source"], known.values))
    if stage is not None:
        yield stage


def _stage(found: re.Match[str], known: "_Arguments", earlier: Mapping[str, Stage]) -> Stage:
    base = _expanded(found["base"], known.values)
    # an image may have the name of a stage that comes later
    parent = earlier.get(base.lower())
    is_image = parent is None and base.lower() != _EMPTY
    foreign = is_image and any(map(known.foreign, found["flags"].split()))
    stage = Stage(found[0], "" if parent else base, found["name"] or "", foreign)
    stage.needs += [parent] if parent else []
    return stage


class _Arguments:
    """The variables that a `FROM` may be told by, as far as all builders agree on them."""

    def __init__(self, given: Mapping[str, str], platform: str) -> None:
        self.values: dict[str, str] = {}
        self._given = given
        self._platform = platform
        self._platforms: dict[str, str] = {}
        self._seen: set[str] = set()

    def declare(self, words: str) -> None:
        """Take in what an `ARG` says."""
        if not _WORDS.fullmatch(words):
            for name in _NAMES.findall(words):
                self._set(name, _UNTOLD)
            return
        for word in words.split():
            name, is_set, value = word.partition("=")
            own = _expanded(value.strip("\"'"), self.values) if is_set else None
            given = self._given.get(name)
            if given is not None:
                own = given if _VALUE.fullmatch(given) else _UNTOLD
            self._set(name, own)

    def foreign(self, flag: str) -> bool:
        """Say whether a flag of a `FROM` may ask for another platform than the engine's own.

        A builder that is no BuildKit has no variables of platforms, but what follows `:-`.
        """
        word = flag.partition("=")[2]
        own = dict.fromkeys(("BUILDPLATFORM", "TARGETPLATFORM"), self._platform)
        asked = _expanded(word, {**own, **self._platforms})
        otherwise = _expanded(word, self._platforms)
        return asked != self._platform or otherwise not in {self._platform, word}

    def _set(self, name: str, value: str | None) -> None:
        if name in self._seen:
            value = _UNTOLD
        self._seen.add(name)
        if value is not None and _PLATFORMS.fullmatch(name):
            self._platforms[name] = value
            value = _UNTOLD
        if value is not None:
            self.values[name] = value


def _instructions(text: str) -> Iterable[str]:
    return filter(None, (line.replace(_JOINED, "").strip() for line in _lines(text)))


def _lines(text: str) -> Iterable[str]:
    """Return the lines that are neither empty nor comments; those that are continued are one."""
    return filter(None, _CONTINUED.sub(_JOINED, _COMMENT.sub("", text)).split("\n"))


def _expanded(word: str, known: Mapping[str, str]) -> str:
    """Return the word with what is known of it put in; the rest stays, `$` and all."""

    def value(found: re.Match[str]) -> str:
        name = found["bare"] or found["name"]
        return known.get(name) or found["otherwise"] or found[0]

    return _VARIABLE.sub(value, word)
