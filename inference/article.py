"""An article and its paragraphs: the raw text untouched, and slices of it.

And, at the end, what stands around an article on its page and is no paragraph.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One unit of the codebook, with its context.

    Attributes
    ----------
    text
        The raw slice of the article: a list is here with the sentence that introduces it, a
        hard-wrapped paragraph keeps its line ends.
    start, end
        Its place: `article.text[start:end] == text`.
    heading
        The nearest heading above it, "" when there is none. The article's title is not one.
    preceding
        The text of the paragraph before, "" for the first.
    """

    text: str
    start: int
    end: int
    heading: str = ""
    preceding: str = ""


class Kind(Enum):
    """What a block of a text is to the article."""

    UNIT = "unit"
    MORE = "more"  # the unit before goes on: a list's items after its lead-in
    HEADING = "heading"
    NOISE = "noise"  # bylines, captions, boilerplate: no unit, no context


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of a text that is one thing: a heading, a paragraph, a list's item."""

    start: int
    end: int
    kind: Kind


def assemble(text: str, blocks: Iterable[Block]) -> tuple[Paragraph, ...]:
    """Make paragraphs of a text's blocks, which are in order and do not overlap."""
    spans: list[tuple[int, int, str]] = []
    heading = ""
    for block in blocks:
        if block.kind is Kind.HEADING:
            heading = " ".join(text[block.start : block.end].split())
        elif block.kind is Kind.UNIT:
            spans.append((block.start, block.end, heading))
        elif block.kind is Kind.MORE:
            start, _, above = spans.pop()
            spans.append((start, block.end, above))
    paragraphs: list[Paragraph] = []
    preceding = ""
    for start, end, above in spans:
        paragraphs.append(Paragraph(text[start:end], start, end, above, preceding))
        preceding = paragraphs[-1].text
    return tuple(paragraphs)


@dataclass(frozen=True, slots=True)
class Article:
    """A text cut in paragraphs, in order and not overlapping, with what is known of it.

    `date` is as the source gives it, ISO 8601 where a reader found it. `extra` carries the
    columns of the input that are not fields here.
    """

    text: str
    paragraphs: tuple[Paragraph, ...]
    id: str = ""
    title: str = ""
    date: str = ""
    source: str = ""
    url: str = ""
    extra: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def from_text(
        cls,
        text: str,
        *,
        id: str = "",  # noqa: A002 - the field's own name
        title: str = "",
        date: str = "",
        source: str = "",
        url: str = "",
        extra: Mapping[str, object] | None = None,
    ) -> "Article":
        """Cut plain text into paragraphs; without a `title`, the text's own title line is it."""
        from inference.segmentation import cut  # it imports Paragraph from here

        title, paragraphs = cut(text, title)
        return cls(
            text=text,
            paragraphs=paragraphs,
            id=id,
            title=title,
            date=date,
            source=source,
            url=url,
            extra=dict(extra or {}),
        )
