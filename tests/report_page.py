"""A rendered report as a reader, a screen reader or a browser sees it: text, pictures, sections, links."""

import re
from html.parser import HTMLParser
from pathlib import Path

_ADDRESSES = ("src", "href", "xlink:href", "srcset", "data", "action", "poster")


class Page(HTMLParser):
    """A page's links, text and pictures.

    Attributes:
        tags: every tag, in order.
        links: every address that a browser would open.
        pictures: the attributes of every element whose role is "img".
        text: the text that a reader sees, with single spaces.
        sections: the text of each section by its heading, in order.
        tables: the rows of cells of each table by its caption, header row first.
    """

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.pictures: list[dict[str, str]] = []
        self.sections: dict[str, str] = {}
        self.tables: dict[str, list[list[str]]] = {}
        self._read: list[str] = []
        self._open: list[str] = []
        self._heading = self._caption = ""
        self.feed(text)
        self.text = _spaced(" ".join(self._read))
        self.sections = {heading: _spaced(words) for heading, words in self.sections.items()}

    @classmethod
    def of(cls, file: Path) -> "Page":
        """The page in a file."""
        return cls(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        found = {name: value or "" for name, value in attributes}
        self.links += [
            found[name] for name in ("src", "href", "xlink:href", "srcset", "data", "action", "poster") if name in found
        ]
        if found.get("role") == "img":
            self.pictures.append(found)
        if tag == "h2":
            self._heading = ""
        elif tag == "caption":
            self._caption = ""
        elif tag == "tr":
            self.tables[self._caption].append([])
        elif tag in ("th", "td"):
            self.tables[self._caption][-1].append("")
        if tag not in ("meta", "img", "br"):
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        # In an SVG, an element may close itself.
        self.handle_starttag(tag, attributes)
        if self._open[-1:] == [tag]:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag, "the page is well-formed"
        if tag == "h2":
            self.sections[self._heading] = ""
        elif tag == "caption":
            self.tables[self._caption] = []

    def handle_data(self, data):
        if "style" in self._open:
            return
        self._read.append(data)
        if "h2" in self._open:
            self._heading += data
        elif self._heading:
            self.sections[self._heading] += f" {data}"
        if "caption" in self._open:
            self._caption += data
        elif {"th", "td"} & set(self._open):
            self.tables[self._caption][-1][-1] += data


def _spaced(words: str) -> str:
    return re.sub(r" ([.,:;)])", r"\1", " ".join(words.split()))
