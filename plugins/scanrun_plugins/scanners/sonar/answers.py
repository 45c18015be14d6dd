"""What a SonarQube server answers, as much of it as is read. Issues stay undecoded until wanted."""

from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from scanrun.api import ConversionError

T = TypeVar("T")


class TextRange(Struct, frozen=True, rename="camel"):
    """A place in a file. Lines count from 1, offsets (UTF-16 units) from 0; the end is outside."""

    start_line: int
    end_line: int | None = None
    start_offset: int | None = None
    end_offset: int | None = None


class Spot(Struct, rename="camel"):
    """One place of a flow."""

    component: str = ""
    text_range: TextRange | None = None
    msg: str = ""


class Flow(Struct, rename="camel"):
    """Places that explain an issue; of type `DATA`, the way the data takes, end first."""

    locations: list[Spot] = []
    type: str = ""


class Impact(Struct, rename="camel"):
    """How bad an issue is for one quality of the software."""

    software_quality: str = ""
    severity: str = ""


class Comment(Struct, rename="camel"):
    """What somebody wrote beside an issue."""

    markdown: str = ""


class Issue(Struct, rename="camel"):
    """One issue. Which of `severity`, `type` and `impacts` are there depends on the server."""

    key: str
    rule: str
    component: str
    project: str = ""
    severity: str = ""
    type: str = ""
    impacts: list[Impact] = []
    line: int | None = None
    text_range: TextRange | None = None
    flows: list[Flow] = []
    status: str = ""
    issue_status: str = ""
    resolution: str = ""
    message: str = ""
    effort: str = ""
    tags: list[str] = []
    creation_date: str = ""
    comments: list[Comment] = []
    branch: str = ""
    pull_request: str = ""


class Hotspot(Struct, rename="camel"):
    """One security hotspot of a server before 2026.4. It has no severity."""

    key: str
    component: str
    status: str
    project: str = ""
    security_category: str = ""
    vulnerability_probability: str = ""
    resolution: str = ""
    line: int | None = None
    text_range: TextRange | None = None
    flows: list[Flow] = []
    message: str = ""
    rule_key: str = ""
    creation_date: str = ""


class Variant(Struct, rename="camel"):
    """Which framework a section of a rule's description is about."""

    display_name: str = ""


class Section(Struct, rename="camel"):
    """A part of a rule's description, in HTML."""

    key: str = ""
    content: str = ""
    context: Variant | None = None


class RuleText(Struct, rename="camel"):
    """One rule. Old servers give the description whole, as `html_desc`."""

    key: str
    name: str = ""
    lang_name: str = ""
    severity: str = ""
    type: str = ""
    impacts: list[Impact] = []
    tags: list[str] = []
    sys_tags: list[str] = []
    description_sections: list[Section] = []
    html_desc: str = ""


class Component(Struct, rename="camel"):
    """A file, folder or project. A project has no path."""

    key: str
    path: str = ""
    qualifier: str = ""


class Paging(Struct, rename="camel"):
    """Which part of a list an answer holds. `issues/list` tells no total."""

    page_index: int = 1
    page_size: int = 0
    total: int | None = None


class FacetValue(Struct):
    """How many issues have one value of a property."""

    val: str
    count: int


class Facet(Struct):
    """How issues are spread over the values of a property, the most frequent values at least."""

    property: str
    values: list[FacetValue] = []


class IssuePage(Struct):
    """A page of issues."""

    paging: Paging
    issues: list[Raw]
    components: list[Component] = []
    facets: list[Facet] = []


class HotspotPage(Struct):
    """A page of hotspots."""

    paging: Paging
    hotspots: list[Raw]
    components: list[Component] = []


def decoded(data: bytes | Raw, shape: type[T], what: str) -> T:
    """Return the JSON in `data` as `shape`; `what` is how an error names it.

    Raises:
        ConversionError: no JSON, or of another shape.
    """
    try:
        return msgspec.json.decode(data, type=shape)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ConversionError(f"{what} can't be read: {error}") from error
