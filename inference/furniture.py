"""The page around an article, in the French of newspapers' sites, agencies and ministries."""

import re

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
