"""Reads a saved web page as an article, without what stands around it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.article import Article, Block, Kind, assemble
from inference.decode import decode
from inference.errors import InputError
from inference.furniture import announces_links, is_noise
from inference.segmentation import is_interview_question

_MIN_WORDS = 10  # fewer on a whole page are a form or an error message, not an article
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([\w-]{2,30})", re.IGNORECASE)
_DECLARATION = re.compile(r"\s*<\?xml[^>]{0,200}\?>")
_SENTENCE_END = re.compile(r"[.!?…:][\s»”\")\]]*\Z")
_SPACES = re.compile(r"[ \t\r\n\f]+")  # and not the no-break spaces of French
_NESTED = ("p", "head", "quote", "list", "item", "div", "code", "ab")


@dataclass(frozen=True, slots=True)
class _Part:
    """A block of the page; `tag` is p, bold (a p all in bold), head, quote or item."""

    tag: str
    text: str


def read_web_page(data: bytes, path: Path) -> Article:
    """An article; raises InputError where the page has none."""
    import trafilatura  # it takes 0.3 s, and plain text needs none of it

    page = _DECLARATION.sub("", _decode_page(data, str(path)), count=1)
    found: Any = trafilatura.bare_extraction(
        page,
        favor_recall=True,
        include_comments=False,
        include_tables=False,
        include_formatting=True,
        with_metadata=True,
    )
    title = (found and found.title) or ""
    bodies = [found.body] if found else []
    for body in [*bodies, trafilatura.baseline(page)[0]]:
        text, blocks = _lay_out(list(_parts(body)), title)
        paragraphs = assemble(text, blocks)
        if sum(len(paragraph.text.split()) for paragraph in paragraphs) < _MIN_WORDS:
            continue
        return Article(
            text=text,
            paragraphs=paragraphs,
            id=path.stem,
            title=title,
            date=(found and found.date) or "",
            source=(found and (found.sitename or found.hostname)) or "",
            url=(found and found.url) or "",
        )
    raise InputError(
        f"{path}: found no article in the page (a form, a menu or a script?), expected paragraphs "
        "of text; save the page once it has loaded, or paste the article into a .txt file"
    )


def _decode_page(data: bytes, where: str) -> str:
    """UTF-8 when the bytes are, whatever the page says; else the charset that it declares."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        declared = _CHARSET.search(data[:4096])
        name = declared[1].decode("ascii").lower() if declared else "utf-8"
        # Pages that declare Latin-1 are in Windows-1252, as browsers know.
        name = "cp1252" if name in ("iso-8859-1", "latin-1", "latin1", "us-ascii") else name
        if name not in ("utf-8", "utf8", "utf-16") and b"\x00" not in data:
            try:
                return data.decode(name)
            except (UnicodeDecodeError, LookupError):
                pass
    return decode(data, where)


def _parts(element: Any, tag: str = "p") -> Iterator[_Part]:
    """The blocks of trafilatura's tree (an lxml element), in the page's order."""
    if tag == "p" and len(element) and not (element.text or "").strip():
        bold = all(c.get("rend") == "#b" and not (c.tail or "").strip() for c in element)
        tag = "bold" if bold else tag
    text = _SPACES.sub(" ", element.text or "")
    for child in element:
        if child.tag in _NESTED:
            yield from _split(text, tag)
            text = ""
            yield from _parts(child, child.tag if child.tag in ("head", "quote", "item") else tag)
        elif child.tag != "table":
            text += _inline(child)
        text += _SPACES.sub(" ", child.tail or "")
    yield from _split(text, tag)


def _inline(element: Any) -> str:
    if element.tag == "lb":
        return "\n"
    inside = "".join(_inline(child) + _SPACES.sub(" ", child.tail or "") for child in element)
    return _SPACES.sub(" ", element.text or "") + inside


def _split(text: str, tag: str) -> Iterator[_Part]:
    """A block's own text; line breaks (<br>) may stand in it for the ends of paragraphs."""
    lines: list[str] = []
    for line in map(str.strip, text.split("\n")):
        if lines and (not line or (len(lines[-1]) > 80 and _SENTENCE_END.search(lines[-1][-9:]))):
            yield _Part(tag, "\n".join(lines))
            lines = []
        if line:
            lines.append(line)
    if lines:
        yield _Part(tag, "\n".join(lines))


def _lay_out(parts: list[_Part], title: str) -> tuple[str, list[Block]]:
    """The article's text as a reader sees it, and its blocks. What is no article is left out."""
    asked = [part for part in parts if part.tag in ("head", "bold", "p")]
    interview = sum(len(p.text) < 300 and is_interview_question(p.text) for p in asked) > 1
    text = ""
    blocks: list[Block] = []
    previous = _Part("", "")
    links = False  # below « Sur le même sujet »
    for i, part in enumerate(parts):
        marked = part.tag == "head" or (part.tag == "bold" and _like_heading(part.text))
        links = announces_links(part.text) or (links and part.tag == "item")
        if links or is_noise(part.text) or _same(part.text, title):
            continue
        kind = Kind.HEADING if marked else Kind.UNIT
        if marked and interview and part.text.rstrip().endswith("?"):
            kind = Kind.UNIT
        # A signature below the article, a section's name above it.
        edge = i == len(parts) - 1 or all(block.kind is Kind.HEADING for block in blocks)
        if edge and kind is Kind.UNIT and part.tag == "p" and _is_label(part.text):
            continue
        same = part.tag in ("item", "quote") and previous.tag == part.tag
        lead = previous.text.endswith(":") and blocks[-1].kind is Kind.UNIT
        if same or (part.tag == "item" and lead):
            kind = Kind.MORE
        mark = "- " if part.tag == "item" else ""
        text += ("\n" if kind is Kind.MORE else "\n\n" if text else "") + mark + part.text
        blocks.append(Block(len(text) - len(mark) - len(part.text), len(text), kind))
        previous = part
    return text, blocks


def _like_heading(text: str) -> bool:
    return len(text) <= 150 and not text.rstrip(" »”)").endswith(".")


def _is_label(text: str) -> bool:
    return len(text.split()) < 5 and not _SENTENCE_END.search(text)


def _same(text: str, title: str) -> bool:
    return bool(title) and " ".join(text.split()).casefold() == " ".join(title.split()).casefold()
