"""Pasted text to units: how a person would cut it."""

import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference import segmentation
from inference.article import Article, Paragraph

TITLE = "Brest : les chasseurs de mines passent la main aux drones"

# Marked by hand: "# " opens a heading, "! " what is no unit; every other block is one unit.
MARKED = Path(__file__).parent / "pages" / "chasseurs-de-mines.txt"


def _blocks() -> list[str]:
    """The article's blocks, marks kept; a list's items stand in its unit, a line each."""
    blocks: list[str] = []
    for line in MARKED.read_text(encoding="utf-8").splitlines():
        if line.startswith("- "):
            blocks[-1] += "\n" + line
        else:
            blocks.append(line)
    return blocks


BLOCKS = [block.removeprefix("# ").removeprefix("! ") for block in _blocks()]
UNITS = [block for block in _blocks() if not block.startswith(("# ", "! "))]


def _wrap(block: str) -> str:
    return "\n".join(
        textwrap.fill(
            line,
            72,
            subsequent_indent="  " if line.startswith("- ") else "",
            break_on_hyphens=False,
        )
        for line in block.split("\n")
    )


PASTES = {
    "one paragraph a line": "\n".join(BLOCKS),
    "blank lines": "\n\n".join(BLOCKS),
    "wrapped at 72 columns": "\n\n".join(map(_wrap, BLOCKS)),
    "CRLF": "\r\n\r\n".join(BLOCKS).replace("\r\n", "\n").replace("\n", "\r\n"),
    "blank lines between items": "\n\n".join(BLOCKS).replace("\n- ", "\n\n- "),
    "bullets, no-break spaces, form feeds": "\n\f".join(BLOCKS)
    .replace("\n- ", "\n•\N{NO-BREAK SPACE}")
    .replace(" ;", "\N{NARROW NO-BREAK SPACE};"),
    "old Mac line ends": "\r".join(BLOCKS),
    "Unicode line ends": "\u2028".join(BLOCKS).replace("\n", "\u2028"),
}


def segment(text: str) -> tuple[Paragraph, ...]:
    return segmentation.cut(text)[1]


def flat(text: str) -> str:
    return " ".join(text.replace("•\N{NO-BREAK SPACE}", "- ").split())


def cut(text: str) -> list[str]:
    """The units of a text, each on one line; the offsets are checked on the way."""
    paragraphs = segment(text)
    end = 0
    preceding = ""
    for paragraph in paragraphs:
        assert text[paragraph.start : paragraph.end] == paragraph.text
        assert paragraph.start >= end
        assert paragraph.preceding == preceding
        end, preceding = paragraph.end, paragraph.text
    return [flat(paragraph.text) for paragraph in paragraphs]


def test_article_has_forty_units() -> None:
    assert len(UNITS) == 40


@pytest.mark.parametrize("form", PASTES)
def test_forty_paragraphs_however_pasted(form: str) -> None:
    assert cut(PASTES[form]) == [flat(unit) for unit in UNITS]
    assert flat(segmentation.cut(PASTES[form])[0]) == TITLE


@pytest.mark.parametrize("form", PASTES)
def test_headings_are_the_nearest_above(form: str) -> None:
    expected, heading = [], ""
    for block in _blocks()[1:]:
        if block.startswith("# "):
            heading = block[2:]
        elif not block.startswith("! "):
            expected.append(heading)
    assert [paragraph.heading for paragraph in segment(PASTES[form])] == expected


def test_empty_text_has_no_unit() -> None:
    assert segment("") == ()
    assert segment(" \r\n\t\f\N{NO-BREAK SPACE}\n") == ()
    assert segmentation.cut("")[0] == ""


def test_single_line_is_a_unit_even_without_full_stop() -> None:
    assert cut("La France livre douze obusiers à l'Ukraine") == [
        "La France livre douze obusiers à l'Ukraine"
    ]
    assert segmentation.cut("La France livre douze obusiers à l'Ukraine")[0] == ""


def test_one_broken_line_among_paragraphs_is_mended() -> None:
    text = (
        "La frégate a quitté Toulon lundi matin.\n"
        "Elle rejoint en mer Rouge la force européenne qui protège les navires\n"
        "marchands contre les tirs venus du Yémen.\n"
        "Son équipage compte cent cinquante marins.\n"
        "Elle rentrera en mai, selon la préfecture maritime, après une escale à Djibouti, où elle "
        "embarquera des rechanges, et une seconde à Chypre, pour laisser souffler les hommes et "
        "réparer ce qui doit l'être avant le retour, comme à chaque mission de cette durée.\n"
    )
    assert len(segment(text)) == 4


def test_dash_inside_a_wrapped_sentence_is_no_bullet() -> None:
    text = textwrap.dedent("""\
        Le porte-avions a regagné mardi son port base, au terme de quatre mois
        – Toulon n'en avait pas connu d'aussi longs – passés en océan Indien et
        en mer Rouge, et il y restera sept mois.

        Le calendrier de la suite dépendra du budget, que le Parlement examine à
        partir de lundi.
        """)
    assert len(segment(text)) == 2


def test_page_break_inside_a_sentence() -> None:
    first = (
        "La posture de dissuasion suppose des stocks de munitions bien plus\n\n12\n\n\f"
        "importants que ceux dont disposent aujourd'hui les armées, selon les\nrapporteurs."
    )
    second = "La loi y consacre seize milliards d'euros."
    assert cut(f"{first}\n\n{second}\n") == [flat(first), second]


def test_wrap_before_the_mark_that_a_space_precedes() -> None:
    text = (
        "La marine a demandé à chacun de ses commandants de répondre à une seule question\n"
        ": que faire si le goulet se ferme ? Les réponses sont attendues « avant Noël\n"
        "», dit la note."
    )
    assert cut(text) == [flat(text)]


def test_blank_line_between_all_lines() -> None:
    text = (
        "Le porte-avions Charles-de-Gaulle a regagné mardi son port base après\n\n"
        "quatre mois de mer, au terme d'une mission en océan Indien dont le\n\n"
        "commandement s'est dit satisfait.\n\n\n"
        "La marine prévoit un passage au bassin de sept mois, puis une remontée\n\n"
        "en puissance avant la fin de l'année prochaine.\n"
    )
    assert len(segment(text)) == 2


def test_long_paragraphs_are_not_taken_for_wrapped_lines() -> None:
    sentence = "La France a livré douze obusiers à l'Ukraine, dit-on. "
    open_ended = (sentence * 5).strip() + " Le ministre"
    lines = [open_ended, "a confirmé la livraison.", *[(sentence * 6).strip()] * 2]
    assert len(segment("\n".join(lines))) == 3


@pytest.mark.parametrize(
    "heading",
    [
        "Un calendrier serré",
        "LES CHANTIERS INQUIETS.",
        "1. Le contexte",
        "I. La menace",
        "II – Les moyens",
        "### Les moyens",
        "**Les moyens**",
        "« Une ligne, pas un mur »",
        "Et la Chine ?",
        "Un chef, enfin !",
        "Contexte :",
    ],
)
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_heading(heading: str, gap: str) -> None:
    first = "La France a livré douze obusiers à l'Ukraine."
    second = "Les canons seront servis par une brigade formée en Champagne."
    paragraphs = segment(
        gap.join(["Un titre bien plus long que tous les autres", first, heading, second])
    )
    assert [p.text for p in paragraphs] == [first, second]
    assert [p.heading for p in paragraphs] == ["", heading.strip("#* ")]


def test_setext_heading() -> None:
    text = "Le titre\n========\n\nUn corps de texte.\n\nLa suite\n--------\n\nUn autre.\n"
    assert [(p.text, p.heading) for p in segment(text)] == [
        ("Un corps de texte.", ""),
        ("Un autre.", "La suite"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "Par Jean Dupont",
        "De notre correspondante à Kiev",
        "Propos recueillis par Anne Le Goff",
        "Le 12 mars 2024 à 10h30",
        "mardi 12 mars 2024",
        "Publié le 12/03/2024 à 10:30",
        "Mis à jour le 13 mars 2024",
        "PARIS, 3 mars (AFP) –",
        "Paris, le 6 mai 2024",
        "Temps de lecture : 4 min",
        "Lire aussi : Le canal de Suez se vide",
        "À LIRE ÉGALEMENT",
        "À lire aussi Comment l'Otan compte ses chars.",
        "Voir aussi : notre carte.",
        "Photo : un Rafale au décollage.",
        "© Marine nationale",
        "Crédit photo : AFP",
        "(Photo Anne Martin / AFP)",
        "Légende : la rade de Brest, en mars.",
        "Le ministre à Tapa, en Estonie, le 3 mars. Anne MARTIN / AFP",
        "Partager sur Facebook",
        "S'abonner",
        "Newsletter",
        "Recevez chaque matin notre newsletter.",
        "Nous utilisons des cookies pour mesurer l'audience.",
        "* * *",
        "----------",
        "- 12 -",
        "Page 3/8",
        "[1] Voir le Livre blanc de 2013.",
        "(avec AFP)",
        "bur-sdu/pz",
    ],
)
@pytest.mark.parametrize("gap", ["\n", "\n\n", "\r\n"])
def test_noise_is_no_unit_and_no_heading(line: str, gap: str) -> None:
    first = "La France a livré douze obusiers à l'Ukraine."
    second = "Les canons seront servis par une brigade formée en Champagne."
    paragraphs = segment(gap.join([first, line, second]))
    assert [p.text for p in paragraphs] == [first, second]
    assert [p.heading for p in paragraphs] == ["", ""]


@pytest.mark.parametrize(
    "prose",
    [
        "PARIS, 3 mars (AFP) – La France livrera douze canons, a annoncé le ministre.",
        "Par ailleurs, Paris livrera douze canons.",
        "Le 12 mars 2024, Paris a livré douze canons.",
        "Publié le 3 mars par la Cour des comptes, le rapport chiffre les retards.",
        "En poursuivant sa navigation vers Ormuz, la frégate a croisé deux vedettes.",
        "À lire ce rapport, on comprend que la marine manque de marins.",
        "Partager le renseignement reste difficile entre alliés.",
        "Voir la flotte au complet est devenu rare.",
        "Photos et drapeaux ornent le mess.",
        "Source de tensions, le récif est surveillé.",
        "Tous droits de douane confondus, la taxe rapporte peu.",
        "2024 fut une année de records.",
        "Oui.",
    ],
)
def test_prose_that_looks_like_noise_is_a_unit(prose: str) -> None:
    first = "La France a livré douze obusiers à l'Ukraine."
    assert cut(f"{first}\n{prose}\n{first}") == [first, prose, first]


@pytest.mark.parametrize("mark", ["-", "–", "—", "•", "*", "▪", "1.", "1)", "a)"])
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_list_is_one_unit_with_its_lead_in(mark: str, gap: str) -> None:
    marks = [mark.replace("1", str(n)).replace("a", "abc"[n - 1]) for n in (1, 2, 3)]
    items = ["six obusiers par an ;", "deux cents artilleurs à former ;", "un atelier à Kaunas."]
    lines = ["Le contrat prévoit trois volets :"]
    lines += [f"{m} {item}" for m, item in zip(marks, items, strict=True)]
    text = gap.join([*lines, "La livraison commencera en 2026."])
    assert cut(text) == [" ".join(lines), "La livraison commencera en 2026."]


def test_items_that_lost_their_marks_in_the_copy() -> None:
    text = (
        "Le texte prévoit :\nvingt Rafale ;\ndouze frégates ;\ntrois sous-marins.\nLe reste suivra."
    )
    assert len(segment(text)) == 2


def test_list_below_a_heading_is_a_unit_by_itself() -> None:
    text = (
        "Un titre pour l'article du jour\nUn corps de texte.\nPoints clés\n"
        "- Moscou retire ses navires.\n- Ankara propose sa médiation.\nUn autre corps."
    )
    paragraphs = segment(text)
    assert len(paragraphs) == 3
    assert paragraphs[1].heading == "Points clés"


def test_numbered_heading_below_a_list() -> None:
    text = (
        "Le sommet a décidé :\n- un fonds commun ;\n- un bureau à Amman.\n"
        "2. Le marché\nLes prix ont monté."
    )
    paragraphs = segment(text)
    assert [p.heading for p in paragraphs] == ["", "2. Le marché"]


def test_numbered_paragraphs_are_no_list() -> None:
    sentence = "Nous réaffirmons notre attachement au lien transatlantique et à la paix. "
    text = "\n".join(f"{n}. {sentence * 5}".strip() for n in (1, 2, 3))
    assert len(segment(text)) == 3


def test_note_with_a_star_at_the_end() -> None:
    assert cut("Ali a fui la ville.\n\n* Le prénom a été modifié.") == ["Ali a fui la ville."]


def test_link_below_its_announcement_is_no_heading() -> None:
    text = "Un corps.\nLire aussi :\nComment l'Otan compte ses chars\nUn autre corps."
    assert [p.heading for p in segment(text)] == ["", ""]


def test_links_below_their_heading_are_no_list() -> None:
    text = "Un corps de texte.\n\nSur le même sujet\n\n- Un autre article\n- Un troisième article\n"
    assert cut(text) == ["Un corps de texte."]


def test_notes_at_the_end_are_left_out() -> None:
    text = (
        "La doctrine a peu changé depuis 1996¹.\n\nElle reste ambiguë.\n\nNotes\n"
        "1. Discours du 23 février 1996.\n2. Livre blanc de 2013.\n"
    )
    assert cut(text) == ["La doctrine a peu changé depuis 1996¹.", "Elle reste ambiguë."]


def test_dialogue_is_no_list() -> None:
    lines = [
        "Le capitaine se tourne vers nous :",
        "— Vous n'avez pas froid ? demande-t-il.",
        "— Non, ça va.",
        "— Alors on repart.",
        "La colonne s'ébranle dans la neige.",
    ]
    assert cut("\n".join(lines)) == lines


def test_list_of_questions_is_a_list() -> None:
    text = (
        "Je souhaite vous poser les questions suivantes :\n- Quels montants prévoit-elle ?\n"
        "- Vous engagez-vous sur un calendrier ?\nJe vous remercie de vos réponses."
    )
    assert len(segment(text)) == 2


def test_interview_questions_are_units() -> None:
    lines = [
        "Comment tenez-vous les délais ?",
        "En travaillant avec nos fournisseurs, un par un.",
        "Et les salaires ?",
        "Ils ont augmenté de 4 % cette année.",
        "Que répondez-vous à ceux qui doutent ?",
        "Qu'ils viennent voir.",
    ]
    assert cut("\n".join(["« Un missile n'est pas une ligne »", *lines])) == lines


def test_block_quotations_are_units() -> None:
    text = (
        "Le ministre a été clair :\n\n« Toute attaque recevra une réponse »\n\n"
        "> La paix par la force.\n\nIl n'a rien ajouté."
    )
    assert cut(text) == [
        "Le ministre a été clair :",
        "« Toute attaque recevra une réponse »",
        "La paix par la force.",
        "Il n'a rien ajouté.",
    ]


def test_title_given_beside_the_text() -> None:
    text = "Le contexte\n\nUn corps de texte, assez court."
    assert Article.from_text(text).title == "Le contexte"
    article = Article.from_text(text, title="Mer Noire : le retour des mines")
    assert article.title == "Mer Noire : le retour des mines"
    assert [p.heading for p in article.paragraphs] == ["Le contexte"]
    same = Article.from_text(text, title="Le  contexte", id="a1", extra={"genre": "dépêche"})
    assert [p.heading for p in same.paragraphs] == [""]
    assert (same.id, same.text, same.extra) == ("a1", text, {"genre": "dépêche"})


@pytest.mark.parametrize(
    "text",
    [
        "La France a livré douze obusiers à l'Ukraine. " * 50_000,
        " " * 2_000_000 + "Fin.",
        "-" * 2_000_000,
        "12 ." * 500_000,
        "a" + ". »" * 500_000,
        "(1) note\n\nTitre\n\n" * 20_000,
        "* note\nTexte court\n" * 20_000,
        "- a ;\n" * 50_000,
        "Vous venez ?\n" * 20_000,
    ],
)
def test_huge_text_is_cut_in_linear_time(text: str) -> None:
    cut(text)  # a quadratic step would take minutes


WORDS = st.sampled_from(
    [
        *[
            "la",
            "frégate",
            "Rafale",
            "mars",
            "12",
            "1.",
            "-",
            "—",
            "•",
            "«",
            "»",
            ":",
            ";",
            "?",
            "!",
            ".",
            "…",
            "Paris",
            "(AFP)",
            "#",
            ">",
            "**",
            "©",
            "Par",
        ],
        *["Lire", "aussi", "vous", "\u200b", "[1]", "¹", "I.", "a)", "===", "***", "Titre"],
        "\N{NO-BREAK SPACE}",
        "\N{NARROW NO-BREAK SPACE}",
        "",
    ]
)
ENDS = st.sampled_from(["\n", "\n\n", "\r\n", "\r", "\f", "\u2028", "\u2029", "\x85", "\n \n"])
TEXTS = st.lists(st.tuples(st.lists(WORDS, max_size=12).map(" ".join), ENDS), max_size=20).map(
    lambda lines: "".join(line + end for line, end in lines)
)


@given(TEXTS)
def test_offsets_are_exact_in_any_text(text: str) -> None:
    assert all(cut(text))


@given(st.text())
def test_offsets_are_exact_in_any_string(text: str) -> None:
    assert all(cut(text))


SENTENCES = st.lists(
    st.sampled_from(
        [
            "La France a livré douze obusiers à l'Ukraine avant l'été.",
            "« Nous tiendrons », a dit le ministre.",
            "Le budget atteint 47 milliards d'euros, soit 2 % de la richesse nationale !",
            "À Kiev, personne n'y croyait plus…",
            (
                "Combien de temps la ligne tiendra-t-elle, se demandent les alliés de l'Ukraine à "
                "Bruxelles, à Varsovie et jusqu'à Washington ?"
            ),
            "Par mer formée, 12 drones – dont 3 français – ont été perdus.",
        ]
    ),
    min_size=2,
    max_size=7,
).map(" ".join)


@given(st.lists(SENTENCES, min_size=1, max_size=8), st.integers(50, 100))
def test_nothing_of_the_body_is_lost(paragraphs: list[str], width: int) -> None:
    assert cut("\n".join(paragraphs)) == paragraphs
    assert cut("\r\n\r\n".join(paragraphs)) == paragraphs
    # A first paragraph that shows how the text is wrapped: two lines may not.
    paragraphs = [cut(PASTES["blank lines"])[0], *paragraphs]
    wrapped = "\n\n".join(textwrap.fill(p, width, break_on_hyphens=False) for p in paragraphs)
    assert cut(wrapped) == paragraphs
