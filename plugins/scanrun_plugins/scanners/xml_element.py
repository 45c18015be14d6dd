"""An element of an XML report, as those who read one as a stream keep it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Element:
    """One element, with the text directly in it."""

    name: str
    attributes: Mapping[str, str]
    children: list["Element"] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    @property
    def content(self) -> str:
        """Return the text, less white space around it."""
        return "".join(self.parts).strip()

    def all(self, name: str) -> Iterator["Element"]:
        """Yield the children of that name."""
        return (each for each in self.children if each.name == name)

    def first(self, name: str) -> "Element | None":
        """Return the first child of that name."""
        return next(self.all(name), None)

    def below(self, *names: str) -> Iterator["Element"]:
        """Yield the elements that the names lead to."""
        found = [self]
        for name in names:
            found = [child for each in found for child in each.all(name)]
        yield from found

    def text(self, name: str) -> str:
        """Return the text of the first child of that name."""
        child = self.first(name)
        return child.content if child else ""
