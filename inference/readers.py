"""Files to articles: plain text, Markdown and HTML."""

import html
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.article import Article, Block, Kind, assemble
from inference.decode import decode
from inference.errors import InputError
from inference.furniture import announces_links, is_noise
from inference.segmentation import is_interview_question

_MIN_WORDS = 10  # fewer on a whole page are a form or an error message, not an article


def read_article(path: Path) -> Article:
    """Read one file; its name without the suffix is the article's id.

    A .txt file is the article's text as it stands. Of a .md file and a .html file, `text` is what
    a reader sees: markup is removed first, and paragraphs are slices of the result.

    Raises
    ------
    InputError
        When the file cannot be opened, is of another kind, or holds no article.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"{path}: found a file of kind {path.suffix or 'unknown'!r}, expected one of "
            f"{', '.join(_READERS)}; convert it or give another file"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: found no readable file ({error.strerror}), expected an article; "
            "check the path and its permissions"
        ) from error
    return reader(data, path)


def read_stream(data: bytes, suffix: str, where: str) -> Article:
    """Read what came without a file, as a file of that suffix is read; `where` is its id."""
    return _READERS[suffix](data, Path(where))


def article_paths(path: Path) -> Iterator[Path]:
    """Give a folder's articles, subfolders' too, sorted; hidden files are left out.

    A file's own path is given back. Links to folders are not followed.

    Raises
    ------
    InputError
        When the path does not exist, or the folder holds no article, a subfolder that cannot be
        read, or a pipe or a device that is named like an article. At once, not on iteration.
    """
    if not is_folder(path):
        return iter([path])
    found: list[Path] = []
    for folder, subfolders, names in os.walk(path, onerror=_refuse_folder):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        found += [
            Path(folder, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in _READERS
        ]
    if not found:
        raise InputError(
            f"{path}: found no article in the folder, expected files in {', '.join(_READERS)}; "
            "give another folder"
        )
    for file in found:
        if not stat.S_ISREG(_mode(file)):  # to read a pipe is to wait for its writer
            raise InputError(
                f"{file}: found no regular file (a pipe or a device?), expected an article; move "
                "it out of the folder"
            )
    return iter(sorted(found))


def is_folder(path: Path) -> bool:
    """Whether a folder is at the path, and not a file. Raises InputError where nothing is."""
    return stat.S_ISDIR(_mode(path))


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError as error:
        raise InputError(
            f"{path}: does not exist or cannot be read ({error.strerror}), expected a file or a "
            "folder; check the path and its permissions"
        ) from error


def _refuse_folder(error: OSError) -> None:
    raise InputError(
        f"{error.filename}: found a folder that cannot be read ({error.strerror}), expected "
        "articles; check its permissions, or move it out of the folder above"
    ) from error


def _read_text(data: bytes, path: Path) -> Article:
    return Article.from_text(decode(data, str(path)), id=path.stem)


# Markdown.

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


def _read_markdown(data: bytes, path: Path) -> Article:
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


# HTML.

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


def _read_html(data: bytes, path: Path) -> Article:
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


_READERS: dict[str, Callable[[bytes, Path], Article]] = {
    ".txt": _read_text,
    ".md": _read_markdown,
    ".markdown": _read_markdown,
    ".html": _read_html,
    ".htm": _read_html,
}
