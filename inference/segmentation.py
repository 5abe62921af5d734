"""Plain text, as people paste it, to the units of the codebook."""

import re
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise, zip_longest

from inference.article import Block, Kind, Paragraph, assemble
from inference.furniture import announces_links, is_noise

_LINE = re.compile("[^\n\r\v\f\x85\u2028\u2029]+")
_BREAK = re.compile("\r\n|[\n\r\v\x85\u2028\u2029]")
_BLANKS = "".join(c for c in map(chr, range(0x3001)) if c.isspace()) + "\u200b\u2060\ufeff"
_GLANCE = 400  # characters of a block that decide what it is, so that long lines cost nothing
_ALNUM = re.compile(r"[^\W_]")
_AFTER_STOP = r"(?:[\s»\"”’')\]*_]|\[\d{1,3}\]|\(\d{1,3}\)|[\u00b9\u00b2\u00b3\u2070-\u2079])*\Z"
_STOP = re.compile(rf"[.!?…]{_AFTER_STOP}")
_FULL_STOP = re.compile(rf"(?<!\.)\.{_AFTER_STOP}")
_QUESTION_END = re.compile(r"\?[\s»\"”)*_]*\Z")
_LIST_END = re.compile(r"[;,][\s*_]*(?:et|ou)?\Z")
_HASHES = re.compile(r"#{1,6}\s+(?=\S)")
_MARKUP = re.compile(r"(?:#{1,6}\s+|>\s*)+")
_BOLD = re.compile(r"(\*\*|__)[^*\s][^*]*\1\s*:?\Z")
_BULLET = re.compile(r"(?:[•▪●◦‣▸■□∙➢✓]\s*|[-–—*+·]\s+)(?=\S)")
_UNSURE_BULLET = re.compile(r"[-–—+·]\s")  # may also open a line inside a wrapped sentence
_NUMBER = re.compile(r"\(?(?:\d{1,2}|[a-h]|[ivx]{1,4})(?:\.?[)°]|\.(?:\s?[-–—])?|\s?/)\s+(?=\S)")
_CHAPTER = re.compile(r"(?:\d{1,2}(?:\.\d{1,2})*|[IVX]{1,5}|[A-H])\s?[.)°–—-]\s+(?=\S)")
_ADDRESSED = re.compile(
    r"\b(?i:vous|votre|vos|tu)\b|\A[#*\s]*(?:Q|Question|[A-ZÀ-Ý][A-ZÀ-Ý'’ ]{2,30})\s?[.:]"
)
_SPEECH = re.compile(
    r"\b(?:dit|fait|demand|répond|répli|rétorqu|lanc|souffl|cri|gliss|ajout|repr|tranch|sour|exclam|"
    r"étonn|expliqu|interrog|coup|poursui)\w{0,5}"
    r"(?:-(?:t-)?(?:il|elle|on)s?\b|\s(?:le|la|l['’]|un|une|M\.|Mme|[A-Z]))"
)
_TALK = re.compile(r"\b(?:je|j['’]|tu|vous|oui|non|moi)(?!\w)", re.IGNORECASE)
_NOTES = re.compile(
    r"(?:notes?(?: de bas de page)?|références|bibliographie)\s?:?\Z", re.IGNORECASE
)
_NOTE = re.compile(r"(?:\[\^?\w{1,9}\]:?|[\u00b9\u00b2\u00b3\u2070-\u2079]+|↑)\s*\S")
_LATE_NOTE = re.compile(r"(?:\(\d{1,2}\)|\(?\*{1,3}\)?)\s*[^\s*]")
_CLOSERS = "»”:;?!)],%"

# What a span looks like by itself (SHORT: like a heading); its neighbours settle what it is.
_Role = Enum("_Role", "PROSE HEADING SHORT QUESTION BULLET NUMBER RELATED NOISE")


@dataclass(frozen=True, slots=True)
class _Span:
    """A line, or lines that belong together; `head` and `tail` are its ends."""

    start: int
    end: int
    blanks: int  # blank lines above
    indent: int
    head: str
    tail: str

    @property
    def size(self) -> int:
        return self.end - self.start

    @property
    def closed(self) -> bool:
        return bool(_STOP.search(self.tail)) or self.leads

    @property
    def leads(self) -> bool:
        return self.tail.rstrip("*_ ").endswith(":")


def cut(text: str, title: str = "") -> tuple[str, tuple[Paragraph, ...]]:
    """Cut plain text into its title, which is no paragraph's `heading`, and its units.

    One paragraph a line, or blank lines between hard-wrapped ones: decided for each text. A list
    is one unit with the sentence that introduces it; titles, headings, bylines, captions, links
    and notes are none. A text that is nothing but short lines is body. Empty text gives "" and ().

    Where another `title` is known, it stays, and the text may open on a section's heading.
    """
    spans, roles = _read(text)
    at = _title(spans, roles)
    own = _flat(spans[at].head).strip("#*_ ") if at >= 0 else ""
    if title and _flat(title).casefold() != own.casefold():
        at = -1
    blocks = []
    for i, (span, kind) in enumerate(zip(spans, _kinds(spans, roles), strict=True)):
        start, end = span.start, span.end
        if kind is Kind.HEADING:
            start += len(span.head) - len(span.head.lstrip("#*_ "))
            end -= len(span.tail) - len(span.tail.rstrip("#*_ "))
        elif marks := _MARKUP.match(span.head):
            start += marks.end()
        blocks.append(Block(start, end, Kind.NOISE if i <= at else kind))
    return title or own, assemble(text, blocks)


def is_interview_question(text: str) -> bool:
    """Tell a question put to somebody, which is a unit even where it is set like a heading."""
    return bool(_QUESTION_END.search(text[-20:]) and _ADDRESSED.search(text[:_GLANCE]))


def _flat(text: str) -> str:
    return " ".join(text.split())


def _read(text: str) -> tuple[list[_Span], list[_Role]]:
    lines = _lines(text)
    layout = _wrapping(lines)
    groups: list[tuple[_Span, _Span]] = []  # the first line and the last of each span
    for line, after in zip_longest(lines, lines[1:]):
        if groups and _continues(*groups[-1], line, after, layout):
            groups[-1] = (groups[-1][0], line)
        else:
            groups.append((line, line))
    spans = [
        replace(a, end=b.end, tail=b.tail, head=text[a.start : min(b.end, a.start + _GLANCE)])
        for a, b in groups
    ]
    roles = [_role(span) for span in spans]
    for i, line in enumerate(spans[1:]):  # a setext heading is underlined
        rule = line.size > 2 and not line.blanks and not line.head.strip(line.head[0])
        short = roles[i] in (_Role.SHORT, _Role.QUESTION) and line.head[0] in "=-"
        if rule and (short or (line.head[0] == "=" and spans[i].size < 200)):
            roles[i] = _Role.HEADING
    opening = next((i for i, role in enumerate(roles) if role is not _Role.NOISE), -1)
    if opening >= 0 and roles[opening] is _Role.PROSE and _short(_flat(spans[opening].head), 200):
        roles[opening] = _Role.SHORT
    questions = [i for i, role in enumerate(roles) if role is _Role.QUESTION]
    interview = sum(is_interview_question(spans[i].head) for i in questions) >= 2
    for i in questions:
        flat = _flat(spans[i].head)
        marked = bool(_HASHES.match(flat) or _BOLD.match(flat))
        asked = interview or (is_interview_question(flat) and i != opening)
        if marked and (i == opening or not interview):
            roles[i] = _Role.HEADING
        else:
            short = not asked and _short(flat, 200 if i == opening else 110)
            roles[i] = _Role.SHORT if short else _Role.PROSE
    return spans, roles


def _lines(text: str) -> list[_Span]:
    lines: list[_Span] = []
    before = 0
    for match in _LINE.finditer(text):
        body = match[0].strip(_BLANKS)
        if not body:
            continue
        indent = len(match[0]) - len(match[0].lstrip(_BLANKS))
        start = match.start() + indent
        breaks = len(_BREAK.findall(text, before, start)) + text.count("\u2029", before, start)
        before = start + len(body)
        # A page number inside a sentence is passed over: the sentence runs on.
        number = len(lines) > 1 and lines[-1].head.strip("-–— ").isdigit()
        if number and body[0].islower() and not lines[-2].closed:
            lines.pop()
            breaks = 0
        lines.append(_Span(start, before, max(0, breaks - 1), indent, body[:_GLANCE], body[-24:]))
    return lines


def _wrapping(lines: list[_Span]) -> tuple[int, int]:
    """The blank lines between the lines of a paragraph (-1: it is one line), and their width.

    The width is that of a line and the first word of the next, where that word had no room.
    """
    for spacing in (0, 1):
        pairs = [
            (a, b)
            for a, b in pairwise(lines)
            if b.blanks == spacing and a.size >= 20 and not _BULLET.match(b.head)
        ]
        open_ended = [(a, b) for a, b in pairs if not a.closed]
        broken = [(a, b) for a, b in open_ended if b.head[0].islower()]
        if len(broken) < 1 + 2 * spacing or len(open_ended) < 0.3 * len(pairs):
            continue
        sizes = sorted(a.size for a, _ in broken)
        width = sizes[len(sizes) * 9 // 10]
        if width > 200 or sum(line.size > 1.3 * width for line in lines) > 0.1 * len(lines):
            continue
        # A program wraps at a width exactly, a page set in print does not.
        filled = sum(_with_next_word(a, b) > sizes[-1] for a, b in broken)
        return spacing, sizes[-1] + 1 if filled > 0.95 * len(broken) else int(0.85 * width)
    return -1, 0


def _with_next_word(line: _Span, after: _Span) -> int:
    return line.size + 1 + len(re.split("[ \t]", after.head, maxsplit=1)[0])


def _continues(
    first: _Span, last: _Span, line: _Span, after: _Span | None, layout: tuple[int, int]
) -> bool:
    """Whether `line` goes on with what the line `first` began and `last` ends so far."""
    spacing, width = layout
    head = line.head
    lower = head[0].islower()
    alone = (not _ALNUM.search(head) and head[0] not in _CLOSERS) or _HASHES.match(head)
    after_noise = spacing >= 0 and first is last and not lower and is_noise(first.head)
    if line.blanks > max(0, spacing) or alone or after_noise or _HASHES.match(first.head):
        return False
    if head[0] in _CLOSERS and not announces_links(head):
        return True  # a wrap before the « » » or « : » of French, which a space precedes
    if first.head[0] == ">" or head[0] == ">":
        return first.head[0] == head[0] and bool(_ALNUM.search(last.head))
    if spacing < 0:
        cut_short = lower and not last.closed and last.size >= 40
        return cut_short and not _LIST_END.search(last.tail)
    full = _with_next_word(last, line) >= width
    bullet = _BULLET.match(head)
    opens = bullet or _NUMBER.match(head) or is_noise(head)
    if not last.closed:
        aside = _UNSURE_BULLET.match(head) and not _BULLET.match(first.head)
        goes_on = lower or (head[0].isdigit() and first is not last)
        return bool(not bullet or aside) if full else goes_on and not opens
    # A full line that ends a sentence: the next may still open a paragraph, or be a heading.
    indented = line.indent > last.indent and not (_BULLET.match(first.head) and first is last)
    short = after and not line.closed and _with_next_word(line, after) < width
    heading = short and after and after.head[0].isupper() and not after.blanks
    return full and not opens and not indented and not heading


def _role(span: _Span) -> _Role:
    flat = _flat(span.head)
    capitals = flat.isupper() and len(flat) > 3
    bold = (_BOLD.match(flat) or _CHAPTER.match(flat)) and not _FULL_STOP.search(flat)
    role = _Role.SHORT if _short(flat) else _Role.PROSE
    if announces_links(flat):
        role = _Role.RELATED
    elif is_noise(flat) or _NOTE.match(flat):
        role = _Role.NOISE
    elif _BULLET.match(flat):
        role = _Role.BULLET
    elif _NUMBER.match(flat):
        role = _Role.NUMBER
    elif span.size <= 300 and _QUESTION_END.search(flat):
        role = _Role.QUESTION
    elif _HASHES.match(flat) or (span.size <= 150 and (capitals or bold)):
        role = _Role.HEADING
    return role


def _short(flat: str, limit: int = 110) -> bool:
    """Whether a line is as short and as bare of punctuation as a heading."""
    sentence = flat[0].islower() or _FULL_STOP.search(flat) or _LIST_END.search(flat)
    if sentence or flat[0] == ">" or len(flat) > limit:
        return False
    if flat[-1] == ":":
        return len(flat.split()) <= 4
    if _STOP.search(flat) or (flat[0] == "«" and flat[-1] == "»"):
        return len(flat) <= (limit // 2 if flat[-1] in "?»" else 60)
    return True


def _title(spans: list[_Span], roles: list[_Role]) -> int:
    """The index of the title, -1 without: the longer of the two headings above the body."""
    headings: list[int] = []
    for i, (span, role) in enumerate(zip(spans, roles, strict=True)):
        if role in (_Role.HEADING, _Role.SHORT) and not _CHAPTER.match(span.head):
            headings += [] if span.leads else [i]
        elif role not in (_Role.NOISE, _Role.RELATED):
            marked = headings and spans[headings[0]].head[0] == "#"
            return max(headings[: 1 if marked else 2], key=lambda k: spans[k].size, default=-1)
    return -1


def _kinds(spans: list[_Span], roles: list[_Role]) -> list[Kind]:
    kinds: list[Kind] = []
    spaced = 2 * sum(span.blanks > 0 for span in spans) > len(spans)
    around = (_Role.NOISE, _Role.RELATED, _Role.SHORT)
    body_end = max((i for i, role in enumerate(roles) if role not in around), default=-1)
    while (i := len(kinds)) < len(spans):
        role, span = roles[i], spans[i]
        after_unit = bool(kinds) and kinds[-1] in (Kind.UNIT, Kind.MORE)
        led = after_unit and spans[i - 1].leads
        linked = i > 0 and roles[i - 1] is _Role.RELATED
        j = i
        while j < len(roles) and roles[j] in (_Role.BULLET, _Role.NUMBER):
            j += 1
        if j - i > 1 and roles[j - 2 : j] == [_Role.BULLET, _Role.NUMBER]:
            j -= 1  # « 2. Le marché » under a list is a heading
        if j > i:
            notes = i > 0 and _NOTES.match(spans[i - 1].head.strip("#*_ "))
            late = i > 0 and body_end < j and _LATE_NOTE.match(span.head) and not led
            if linked or notes or (late and (j - i == 1 or span.head[0] == "(")):
                kinds += [Kind.NOISE] * (j - i)
                continue
            kind = _kind_of_items(spans[i:j], roles[i], spans[i - 1] if led else None)
            joined = led or (after_unit and spaced and not span.blanks)
            opens = kind is Kind.MORE and not joined
            kinds += [Kind.UNIT if opens else kind] + [kind] * (j - i - 1)
        elif led and kinds[-1] is Kind.UNIT and (j := _unmarked_list(spans, i)) > i:
            kinds += [Kind.MORE] * (j - i)
        elif role is _Role.PROSE or (role is _Role.SHORT and led):
            kinds.append(Kind.UNIT)
        elif role is _Role.SHORT and linked and spans[i - 1].size <= 30:
            kinds.append(Kind.NOISE)  # the link that « Lire aussi : » announces
        elif role is _Role.SHORT and span.leads and i + 1 < len(spans):
            items = roles[i + 1] in (_Role.BULLET, _Role.NUMBER) or spans[i + 1].tail.endswith(";")
            kinds.append(Kind.UNIT if items or spans[i + 1].head[0] == "«" else Kind.HEADING)
        else:
            kinds.append(Kind.HEADING if role in (_Role.HEADING, _Role.SHORT) else Kind.NOISE)
    if Kind.UNIT not in kinds:
        return [Kind.UNIT if role is _Role.SHORT else Kind.NOISE for role in roles]
    return kinds


def _kind_of_items(items: list[_Span], role: _Role, lead: _Span | None) -> Kind:
    """MORE when the lines are a list's items, else what each of them is."""
    if not lead:
        if len(items) == 1 and role is _Role.NUMBER and _short(_flat(items[0].head)):
            return Kind.HEADING
        if len(items) == 1 or sum(item.size for item in items) > 250 * len(items):
            return Kind.UNIT
    list_lead = lead and lead.tail.rstrip("s :\xa0\u202f").endswith(("suivant", "suivante"))
    return Kind.MORE if list_lead or not _is_dialogue(items) else Kind.UNIT


def _unmarked_list(spans: list[_Span], i: int) -> int:
    """The index after the items without a marker (« ; » ends them) that begin at `i`."""
    for j in range(i, len(spans)):
        span, first = spans[j], spans[j].head[0]
        after_item = j > i and spans[j - 1].tail.endswith(";")
        bare = span.size <= 110 and not span.closed and (first.islower() or first.isdigit())
        if span.size > 300 or not (after_item or bare or span.tail.endswith(";")):
            return j
    return len(spans)


def _is_dialogue(items: list[_Span]) -> bool:
    """Whether dashes open replies: sentences, with an inserted clause or questions and answers."""
    for item in items:
        reply = item.head.lstrip("-–—")
        if reply == item.head or reply.lstrip()[0].islower() or not _STOP.search(item.tail):
            return False
    asked = sum(bool(_QUESTION_END.search(item.tail)) for item in items)
    talk = 0 < asked < len(items) and any(_TALK.search(item.head) for item in items)
    return talk or any(_SPEECH.search(item.head) for item in items)
