"""An article and its paragraphs: the raw text untouched, and slices of it.

And, at the end, what stands around an article on its page and is no paragraph.
"""

import re
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


# The page around an article, in the French of newspapers' sites, agencies and ministries.
_ALNUM = re.compile(r"[^\W_]")
_FULL_STOP = re.compile(r"(?<!\.)\.[\s»\"”’')\]*_]*\Z")
_PAGE_NUMBER = re.compile(
    r"(?:p(?:age|\.)?\s)?\W{0,3}\d{1,4}(?:\s?(?:/|sur)\s?\d{1,4})?\W{0,3}\Z", re.IGNORECASE
)
_DATE = (
    r"(?:(?:(?:lun|mar|mercre|jeu|vendre|same)di,? |dimanche,? )?\d{1,2}(?:er)? (?:janv|févr?|mars|"
    r"avr|mai|juin|juil|août|sept|oct|nov|déc)[a-zé]*\.?(?: \d{4})?|"
    r"\d{1,2}[/.]\d{1,2}[/.]\d{2,4}|\d{4}-\d{2}-\d{2})"
)
_DATES = re.compile(_DATE, re.IGNORECASE)
_BESIDE_DATES = re.compile(
    r"\b(?:\d{1,2} ?(?:h|:) ?(?:\d{2})?|(?:publi|post|modifi|cré|actualis)ée?|parue?|le|à|et|mise? "
    r"(?:à jour|en ligne)|(?:temps de )?lecture|\d+ ?min(?:utes)?|gmt|heure de paris)(?!\w)",
    re.IGNORECASE,
)
_BYLINE = re.compile(
    rf"[A-ZÀ-Ý][\w'’ ./-]{{1,40}}(?:\([^()]{{2,30}}\) ?)?,? (?:le )?{_DATE} ?"
    r"(?:\([^()]{2,40}\))? ?[-–—:]*\Z|"
    r"[A-ZÀ-Ý][A-ZÀ-Ý'’ -]{2,40} ?\([A-Z][^()]{1,30}\) ?[-–—:]*\Z|"
    r"(?:Par|PAR|By) (?:notre |nos |la rédaction|[A-ZÀ-Ý])|[Dd]e notre |(?i:propos recueillis|"
    r"entretien (?:réalisé|mené)|(?:notre|nos) (?:correspond|envoyé)|envoyée?s? spécia|"
    r"correspondance\b|temps de lecture|lecture ?:? ?\d|la rédaction\b|traduit (?:de|par)\b|"
    r"(?:(?:publi|post|modifi)ée?|parue?|mise? (?:à jour|en ligne)) (?:le|par|il)\b)"
)
_AGENCY = re.compile(
    r"\(?(?:[\w ]{2,20} )?(?:avec )?(?:l['’])?(?:afp|reuters|agences?)"
    r"(?:(?: et |, |/)(?:afp|reuters|ap|agences))?\)?\.?\Z|[a-z]{2,4}(?:[/-][a-z]{2,5}){1,6}\Z",
    re.IGNORECASE,
)
_RELATED = re.compile(
    r"(?:[àa] )?(?:re)?(?:lire|voir|écouter|regarder) (?:aussi|également|la suite|l['’]article|"
    r"(?:notre|nos) (?:articles?|dossiers?|enquêtes?|reportages?|analyses?|entretiens?|vidéos?))\b|"
    r"[àa] (?:re)?(?:lire|voir|écouter) ?(?::|\Z|(?:sur|dans)\b)|(?:lire|voir) ?:|"
    r"sur le même (?:sujet|thème)|pour aller plus loin|en savoir plus|les plus lus|"
    r"(?:nos )?articles? (?:liés?|associés?|similaires?)|dans la même (?:rubrique|catégorie)",
    re.IGNORECASE,
)
_FURNITURE = re.compile(
    r"©|copyright|\(c\) |contacts? presse|(?:photos?|crédits?(?: photos?)?|légende|illustration|"
    r"image|infographie|vidéo|graphique|carte|sources?|mots[- ]clés|tags?|thèmes?) ?"
    r"(?::|©| [-–—/] )|"
    r"(?:photo|image) (?:d['’](?:illustration|archives?)|afp|dr\b|reuters|prétexte|by\b)|"
    r"partage[rz]? (?:sur|l['’]article|cette|par e?-?mail|par courriel|:)|"
    r"(?:partage[rz]?|écoute[rz]?|enregistrer|commente[rz]?|offrir|imprimer) cet article|"
    r"(?:partage[rz]?|tweet(?:er)?|imprimer|connexion|commenter|réagir|publicité|facebook|twitter|"
    r"linkedin|whatsapp|e?-?mail|(?:\d+ )?commentaires?|tout accepter|tout refuser|accepter)\Z|"
    r"s['’](?:abonner|inscrire)\b|abonnez-vous|je m['’]abonne|inscrivez-vous|newsletter|"
    r"(?:recevez|retrouvez) .{0,60}(?:newsletter|lettre|mail|courriel|application|whatsapp|chaîne)|"
    r"suivez[- ](?:nous|notre|l['’]actu)|se connecter|continuer sans accepter|"
    r"gérer (?:mes|les|vos) (?:cookies|choix|préférences)|cookies?\b|"
    r"(?:nous utilisons|ce site utilise|en poursuivant votre) .{0,80}(?:cookie|navigation|traceur)|"
    r"la suite (?:après la pub|est réservée)|il vous reste \d|déjà abonnée?|pour lire la suite|"
    r"(?:cet |ce )?(?:contenu |article )(?:est )?réservé|copier le lien|haut de page|"
    r"mentions légales|tous droits.{0,20} réservés|veuillez activer",
    re.IGNORECASE,
)
_CREDIT = re.compile(
    r"(?:©|\(c\)|\((?:[Cc]rédits?|[Pp]hotos?)\b)[^.!?]{0,80}\Z|"
    r"\b[A-ZÀ-Ý][\w.'’-]+ [\w.'’ -]{0,30} ?/ ?"
    r"(?:AFP|AP|EPA|(?i:reuters|sipa|maxppp|getty|abaca|hans lucas|xinhua)[\w ]{0,12})\)?\.?\Z"
)
_DECORATION = "#>*_[( →►▶➡»•|-–—"
_MAX_NOISE = 300  # characters: longer, it is a paragraph that begins like a caption


def announces_links(text: str) -> bool:
    """Tell a link to another article, or the line above such links (« Lire aussi : »)."""
    return len(text) <= _MAX_NOISE and bool(_RELATED.match(text.strip(_DECORATION)))


def is_noise(text: str) -> bool:
    """Tell bylines, datelines, captions, credits, links to other articles and site furniture.

    Lines without a letter or a digit (rules, « *** ») and page numbers are noise too.
    """
    flat = " ".join(text[: _MAX_NOISE + 100].split())
    if not _ALNUM.search(flat) or _PAGE_NUMBER.match(flat):
        return True
    if len(flat) > _MAX_NOISE:
        return False
    bare = flat.strip(_DECORATION)
    if announces_links(flat) or _FURNITURE.match(bare) or _AGENCY.match(bare):
        return True
    if _CREDIT.search(flat[-120:]) or (_BYLINE.match(bare) and not _FULL_STOP.search(flat)):
        return True
    dated = _DATES.search(flat)
    return bool(dated) and not _ALNUM.search(_BESIDE_DATES.sub("", _DATES.sub("", flat)))
