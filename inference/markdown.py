"""Reads a Markdown file as an article, without its markup."""

from __future__ import annotations

import html
import re
from pathlib import Path

from inference.article import Article
from inference.decode import decode

_FRONT_MATTER = re.compile(
    r"\s*---[ \t]*\n((?:(?!---|\.\.\.)[^\n]*\n){0,200})(?:---|\.\.\.)[ \t]*\n"
)
_KEY = re.compile(r"(title|titre|date|source|url)[ \t]*:[ \t]*(.*)", re.IGNORECASE)
_FENCE = re.compile(r"(?:```|~~~)")
_LEFT_OUT = re.compile(r"\||\[[^\]]{1,200}\]:|:::")  # a table's row, a link's target, a footnote
_BLOCK_START = re.compile(r"#{1,6}\s|>|[-*+•–—]\s|\d{1,3}[.)]\s")
_ITEM = re.compile(r"[-*+•–—]\s|\d{1,3}[.)]\s")
_UNDERLINE = re.compile(r"(=+|-{2,})\s*\Z")
_BOLD_LINE = re.compile(r"(\*\*|__)[^*_]+\1\Z")
_INLINE = [
    (re.compile(r"!\[[^\]]{0,300}\](?:\([^)]{0,500}\)|\[[^\]]{0,100}\])"), ""),  # an image
    (re.compile(r"\[\^[^\]\s]{1,50}\]"), ""),  # a footnote's call
    (re.compile(r"\[([^\[\]]{1,300})\](?:\([^)]{0,500}\)|\[[^\]]{0,100}\])"), r"\1"),
    (re.compile(r"<(https?://[^>\s]{1,500})>"), r"\1"),
    (re.compile(r"</?[a-zA-Z][^<>]{0,300}>"), ""),
    (re.compile(r"`([^`]{1,300})`"), r"\1"),
    (re.compile(r"(?<![\w*\\])(\*{1,3})(?=[^\s*])([^*]{1,600})(?<=\S)\1(?!\*)"), r"\2"),
    (re.compile(r"(?<![\w\\])(_{1,3})(?=[^\s_])([^_]{1,600})(?<=\S)\1(?!\w)"), r"\2"),
    (re.compile(r"\\([\\`*_{}\[\]()#+.!>-])"), r"\1"),
]


def read_markdown(data: bytes, path: Path) -> Article:
    """An article; its front matter, if there is some, gives title, date, source and url."""
    source = "\n".join(decode(data, str(path)).removeprefix("\ufeff").splitlines()) + "\n"
    front = _FRONT_MATTER.match(source)
    keys: dict[str, str] = {}
    if front:
        for line in front[1].splitlines():
            if pair := _KEY.match(line):
                keys[pair[1].lower()] = pair[2].strip().strip("\"'")
        source = source[front.end() :]
    return Article.from_text(
        _without_markup(source),
        id=path.stem,
        title=keys.get("title") or keys.get("titre", ""),
        date=keys.get("date", ""),
        source=keys.get("source", ""),
        url=keys.get("url", ""),
    )


def _without_markup(source: str) -> str:
    """Markdown as plain text: a block a line; headings, items and quotations keep their marks."""
    blocks: list[str] = []
    fenced = False
    inside = False  # a block that the next line may go on with
    for raw in _without_comments(source).split("\n"):
        line = raw.strip()
        if _FENCE.match(line):
            fenced = not fenced
        if fenced or not line or _FENCE.match(line) or _LEFT_OUT.match(line):
            inside = False
        elif inside and _UNDERLINE.match(line) and len(blocks[-1]) < 200:
            blocks[-1] = f"# {blocks[-1]}" if line[0] == "=" else f"## {blocks[-1]}"
            inside = False
        elif inside and line[0] == ">" and blocks[-1][0] == ">" and line.strip("> "):
            blocks[-1] += " " + line.lstrip("> ")
        elif inside and not _BLOCK_START.match(line):
            blocks[-1] += " " + line
        else:
            blocks.append(line)
            inside = bool(line.strip("> ")) and not re.match(r"#{1,6}\s", line)
    text = ""
    for block in filter(None, map(_without_inline_markup, blocks)):
        item = _ITEM.match(block) and (
            text.endswith(":") or _ITEM.match(text, text.rfind("\n") + 1)
        )
        text += ("\n" if item else "\n\n" if text else "") + block
    return text


def _without_comments(source: str) -> str:
    """The source less its comments; one that never ends is none."""
    kept: list[str] = []
    start = 0
    while (opened := source.find("<!--", start)) >= 0:
        closed = source.find("-->", opened + 4)
        if closed < 0:
            break
        kept.append(source[start:opened])
        start = closed + 3
    return "".join([*kept, source[start:]])


def _without_inline_markup(block: str) -> str:
    if _BOLD_LINE.match(block):  # the mark of a heading, which `segmentation` reads
        return block
    mark = _BLOCK_START.match(block)
    start = mark.end() if mark else 0
    text = block[start:]
    for pattern, replacement in _INLINE:
        text = pattern.sub(replacement, text)
    text = html.unescape(text).strip()
    return block[:start] + text if text else ""
