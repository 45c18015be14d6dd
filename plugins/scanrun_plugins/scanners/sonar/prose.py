"""How a rule's description, which is HTML of the server's, becomes plain text and Markdown.

Of the HTML only words and a few shapes are kept, and what Markdown would read as its own in a word
is escaped: no markup of a server's reaches a reader's page.
"""

import re
from collections.abc import Sequence
from html.parser import HTMLParser

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|!])")
_BLANK_LINES = re.compile(r"\n{3,}")
_TRAILING = re.compile(r"[ \t]+\n")
_SPACES = re.compile(r"\s+")
_HEADINGS = {f"h{level}" for level in range(1, 7)}
_BLOCKS = {"p", "div", "ul", "ol", "table", "tr", "blockquote", "section", *_HEADINGS}
_FENCE = "```\n"
_SILENT = {"script", "style", "head", "title", "iframe", "object", "svg"}


def to_text(html: str) -> str:
    """Return the words of the HTML."""
    return _read(html, markdown=False)


def to_markdown(html: str) -> str:
    """Return the HTML as Markdown that holds no HTML and no links but those to the web."""
    return _read(html, markdown=True)


def _read(html: str, *, markdown: bool) -> str:
    reader = _Reader(markdown=markdown)
    reader.feed(html)
    reader.close()
    text = _TRAILING.sub("\n", "".join(reader.parts))
    return _BLANK_LINES.sub("\n\n", text).strip()


class _Reader(HTMLParser):
    def __init__(self, *, markdown: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._markdown = markdown
        self._code = self._pre = self._silent = 0
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        elif tag == "pre":
            self._pre += 1
            self._say("\n\n", _FENCE)
        elif tag in _BLOCKS:
            self._say("\n\n", "#### " if tag in _HEADINGS else "")
        elif tag == "li":
            self._say("\n- ")
        elif tag == "br":
            self._say("\n")
        elif tag == "code" and not self._pre:
            self._code += 1
            self._say("", "`")
        elif tag == "a":
            self._links.append(_web(dict(attrs).get("href") or ""))
            self._say("", "[" if self._links[-1] else "")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag == "pre" and self._pre:
            self._pre -= 1
            self._say("\n", "```\n\n")
        elif tag in _BLOCKS:
            self._say("\n\n")
        elif tag == "code" and self._code:
            self._code -= 1
            self._say("", "`")
        elif tag == "a" and self._links:
            link = self._links.pop()
            self._say("", f"]({link})" if link else "")

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        if self._pre:
            # as in HTML, a line end right after the tag is none
            start = data.removeprefix("\n") if self.parts[-1].endswith(_FENCE) else data
            self._say(start.replace("```", "'''"))
            return
        text = _SPACES.sub(" ", data)
        if self._code:
            self._say(text.replace("`", "'"))
        else:
            self._say(_SPECIAL.sub(r"\\\1", text) if self._markdown else text)

    def _say(self, text: str, mark: str = "") -> None:
        """Say `text`; in Markdown, `mark` after it."""
        self.parts.append(text + (mark if self._markdown else ""))


def _web(address: str) -> str:
    """Return an address of the web that can't end the link it stands in; else nothing."""
    plain = address.isascii() and address.isprintable() and not set(address) & set(" ()<>\"'\\[]`")
    return address if plain and address.startswith(("https://", "http://")) else ""
