"""Files to articles."""

import os
from pathlib import Path

import pytest

from inference.article import Article
from inference.errors import InputError
from inference.readers import article_paths, read_article

PAGES = Path(__file__).parent / "pages"


def units(article: Article) -> list[str]:
    for paragraph in article.paragraphs:
        assert article.text[paragraph.start : paragraph.end] == paragraph.text
    return [paragraph.text for paragraph in article.paragraphs]


def beginnings(article: Article) -> list[str]:
    return [" ".join(text.split()[:3]) for text in units(article)]


def test_newspaper_page() -> None:
    article = read_article(PAGES / "journal.html")
    assert article.id == "journal"
    assert article.title == "Baltique : Vilnius commande dix-huit obusiers et renforce sa frontière"
    assert article.date == "2024-03-12"
    assert article.source == "Le Courrier du Ponant"
    assert article.url.startswith("https://www.courrier-ponant.example/international/")
    assert beginnings(article) == [
        "Le gouvernement lituanien",
        "La Lituanie a",
        "« Nous n'achetons",
        "Le contrat prévoit",
        "Selon le ministère,",
        "Le gouvernement a",
        "« Celui qui",
        "Minsk a dénoncé",
        "L'Union européenne, elle,",
    ]
    assert [p.heading for p in article.paragraphs] == (
        [""] * 3 + ["Un calendrier serré"] * 2 + ["« Une ligne, pas un mur »"] * 4
    )
    assert article.paragraphs[3].text.replace("\N{NO-BREAK SPACE}", " ") == (
        "Le contrat prévoit trois volets :\n"
        "- la livraison de six obusiers par an à partir de 2026 ;\n"
        "- la formation de deux cents artilleurs en France ;\n"
        "- l'ouverture d'un atelier de maintenance à Kaunas."
    )
    for noise in ("cookie", "Partager", "Lire aussi", "Publié le", "©", "Newsletter", "Carradec"):
        assert noise not in article.text


def test_ministry_page() -> None:
    article = read_article(PAGES / "communique.html")
    assert article.title == "Exercice Hermine 24 : 3 200 militaires déployés en Bretagne"
    assert article.date == "2024-05-06"
    assert beginnings(article) == [
        "Du 13 au",
        "Cet exercice majeur",
        "L'exercice se déroulera",
        "Les riverains pourront",
        "La participation des",
    ]
    assert article.paragraphs[2].text.count("\n- ") == 3
    assert "Effectif" not in article.text
    assert "Contact presse" not in article.text


def test_blog_page() -> None:
    article = read_article(PAGES / "blog.html")
    assert article.title == "Ce que le port de Douala nous apprend"
    assert [p.heading for p in article.paragraphs] == (
        ["", "Et la Chine ?"] + ["Des marines sans ateliers"] * 4
    )
    assert units(article)[3].startswith("On nous offre des bateaux")
    assert "Marcel" not in article.text


def test_interview_page_keeps_its_questions() -> None:
    article = read_article(PAGES / "entretien.html")
    assert beginnings(article) == [
        "Le directeur de",
        "Comment tenez-vous les",
        "En travaillant avec",
        "Et les salaires",
        "Ils ont augmenté",
        "Que répondez-vous à",
        "Je les invite",
    ]


def test_windows_1252_page_that_declares_latin_1() -> None:
    article = read_article(PAGES / "brest-1252.html")
    assert article.title == "Brest : l’« Amiral-Guépratte » rentre après cinq mois de mer"
    assert len(article.paragraphs) == 3
    assert "« un cœur d’équipage soudé »" in article.text
    assert article.paragraphs[2].preceding == article.paragraphs[1].text


def test_page_with_line_breaks_for_paragraphs(tmp_path: Path) -> None:
    first = (
        "La frégate a quitté Toulon lundi matin pour rejoindre la force européenne en mer Rouge."
    )
    second = "Son équipage compte cent cinquante marins, dont trente femmes, et deux hélicoptères."
    page = f"<html><body><div><h1>Départ</h1><p>{first}<br><br>{second}</p></div></body></html>"
    (tmp_path / "a.htm").write_text(page, encoding="utf-8")
    assert units(read_article(tmp_path / "a.htm")) == [first, second]


def test_links_inside_the_article_are_left_out(tmp_path: Path) -> None:
    body = (
        "<p>" + "La frégate a quitté Toulon lundi pour rejoindre la force européenne. " * 3 + "</p>"
    )
    links = "<h3>Sur le même sujet</h3><ul><li>Le canal se vide</li><li>Djibouti attend</li></ul>"
    page = f"<html><body><article><h1>Départ</h1>{body}{links}{body}</article></body></html>"
    (tmp_path / "a.html").write_text(page, encoding="utf-8")
    article = read_article(tmp_path / "a.html")
    assert "Djibouti" not in article.text
    assert len(article.paragraphs) == 2
    assert article.paragraphs[1].heading == ""


def test_page_without_article() -> None:
    with pytest.raises(InputError, match=r"sans-article\.html: found no article in the page"):
        read_article(PAGES / "sans-article.html")


def test_markdown() -> None:
    article = read_article(PAGES / "note.md")
    assert (article.title, article.date, article.source, article.url) == (
        "Mer Rouge : ce que coûte une escorte",
        "2024-02-18",
        "Le carnet du large",
        "https://carnet-du-large.example/escorte",
    )
    assert [(p.heading, p.text) for p in article.paragraphs] == [
        (
            "",
            (
                "Depuis décembre, la marine protège les cargos qui passent par Bab el-Mandeb. "
                "Chaque escorte dure environ vingt heures."
            ),
        ),
        (
            "Le compte des missiles",
            (
                "L'état-major a donné trois chiffres :\n- vingt-deux missiles Aster tirés ;\n"
                "- trois mois pour remplacer chacun d'eux ;\n- un million d'euros pièce."
            ),
        ),
        (
            "Le compte des missiles",
            "« On ne tire pas pour le plaisir. On tire pour que le navire passe. »",
        ),
        (
            "Une facture qui monte",
            (
                "Le budget de l'opération n'est pas publié\N{NO-BREAK SPACE}; Bercy parle de "
                "« quelques dizaines de millions »."
            ),
        ),
    ]
    assert units(article)


def test_a_comment_in_markdown_is_left_out_however_long_it_is(tmp_path: Path) -> None:
    long = "Ancienne version. " * 1_000
    source = f"Un char <!-- {long}\n<!-- -->avance.\n\nUn <!--> obus.\n\nUne <!-- frégate."
    (tmp_path / "a.md").write_text(source, encoding="utf-8")
    assert units(read_article(tmp_path / "a.md")) == [
        "Un char avance.",
        "Un <!--> obus.",
        "Une <!-- frégate.",
    ]


def test_plain_text(tmp_path: Path) -> None:
    text = "Le budget, enfin\r\n\r\nIl atteint 47 milliards d'euros.\r\n"
    (tmp_path / "budget.txt").write_bytes(text.encode("cp1252"))
    article = read_article(tmp_path / "budget.txt")
    assert (article.id, article.title, article.text) == ("budget", "Le budget, enfin", text)
    assert units(article) == ["Il atteint 47 milliards d'euros."]


def test_unreadable_files(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(b"PK\x03\x04")
    (tmp_path / "faux.txt").write_bytes(b"%PDF-1.4")
    with pytest.raises(InputError, match=r"a\.docx: found a file of kind '\.docx', expected one"):
        read_article(tmp_path / "a.docx")
    with pytest.raises(InputError, match=r"faux\.txt: found a PDF"):
        read_article(tmp_path / "faux.txt")
    with pytest.raises(InputError, match=r"absent\.txt: found no readable file"):
        read_article(tmp_path / "absent.txt")


def test_article_paths(tmp_path: Path) -> None:
    for name in ("b.txt", "a.MD", ".cache.txt", "notes.csv", "sub/c.html", ".git/d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x", encoding="utf-8")
    found = [str(path.relative_to(tmp_path)) for path in article_paths(tmp_path)]
    assert found == ["a.MD", "b.txt", "sub/c.html"]
    assert list(article_paths(tmp_path / "b.txt")) == [tmp_path / "b.txt"]


def test_article_paths_refuses_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found no article in the folder"):
        article_paths(tmp_path)
    with pytest.raises(InputError, match=r"absent: does not exist or cannot be read"):
        article_paths(tmp_path / "absent")


def test_a_subfolder_that_cannot_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shut").mkdir()
    (tmp_path / "a.txt").write_text("x", encoding="utf-8")
    listed = os.scandir

    def scandir(folder: str) -> object:  # root may read every folder, and tests run as root too
        if str(folder).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(folder))
        return listed(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(InputError, match=r"shut: found a folder that cannot be read \(Permission"):
        article_paths(tmp_path)


def test_a_pipe_in_a_folder_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x", encoding="utf-8")
    os.mkfifo(tmp_path / "x.txt")
    with pytest.raises(InputError, match=r"x\.txt: found no regular file \(a pipe or a device\?\)"):
        article_paths(tmp_path)


def test_a_path_that_the_system_will_not_look_at_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"cannot be read \(File name too long\)"):
        article_paths(tmp_path / ("a" * 300))

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", forbidden)
    with pytest.raises(InputError, match=r"a\.txt: .* cannot be read \(Permission denied\)"):
        article_paths(tmp_path / "shut" / "a.txt")
