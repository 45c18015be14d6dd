"""How an answer of the server that somebody has saved is read: one page, or a list of pages."""

from pathlib import Path

from msgspec import Raw, Struct

from scanrun.api import ConversionError, read_json
from scanrun_plugins.scanners.sonar.answers import Component, Paging


class Page(Struct):
    """A page of `issues/search`, `issues/list` or `hotspots/search`, and what it comes with."""

    paging: Paging
    issues: list[Raw] | None = None
    hotspots: list[Raw] | None = None
    components: list[Component] = []
    rules: list[Raw] = []


def read_pages(path: Path) -> list[Page]:
    """Return the pages in `path`.

    Raises:
        ConversionError: unreadable, cut off, or not an answer of SonarQube.
    """
    found: Page | list[Page] = read_json(path, list[Page] | Page)  # type: ignore[arg-type]
    pages = found if isinstance(found, list) else [found]
    if not pages:
        raise ConversionError(f"{path.name!r} is an empty list: any tool could have written it")
    for page in pages:
        if page.issues is None and page.hotspots is None:
            raise ConversionError(f"{path.name!r} holds neither issues nor hotspots of SonarQube")
    return pages


def gaps(pages: list[Page]) -> list[str]:
    """Return what the pages leave out of the lists that they are of."""
    return [
        *_gap("issues", [(each.paging, each.issues) for each in pages if each.issues is not None]),
        *_gap(
            "hotspots",
            [(each.paging, each.hotspots) for each in pages if each.hotspots is not None],
        ),
    ]


def _gap(what: str, lists: list[tuple[Paging, list[Raw]]]) -> list[str]:
    if not lists:
        return []
    held = sum(len(items) for _, items in lists)
    totals = [paging.total for paging, _ in lists if paging.total is not None]
    if not totals:
        sizes = [(paging.page_size, len(items)) for paging, items in lists]
        full = all(held == size for size, held in sizes)
        return [f"there may be more {what} than the saved pages hold"] if full else []
    if max(totals) > held:
        return [f"the server had {max(totals)} {what}, and {held} are in the file"]
    return []
