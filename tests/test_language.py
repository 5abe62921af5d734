"""French or not."""

import pytest

from inference.article import Article
from inference.language import foreign_language, language_checked

OTHERS = {
    "en": "The minister said on Monday that the fleet would stay in the area until the end of May.",
    "es": "El ministro dijo el lunes que la flota permanecería en la zona hasta finales de mayo.",
    "it": "Il ministro ha detto lunedì che la flotta resterà nella zona fino alla fine di maggio.",
    "de": "Der Minister sagte am Montag, die Flotte bleibe bis Ende Mai in dem Gebiet stationiert.",
    "ru": "Министр заявил в понедельник, что флот останется в этом районе до конца мая месяца.",
}


@pytest.mark.parametrize(("code", "text"), OTHERS.items())
def test_other_languages_are_seen_and_named(code, text):
    assert foreign_language(text) == code


def test_every_text_of_the_corpus_is_french(corpus):
    assert [text for text in corpus.texts if foreign_language(text)] == []


def test_french_that_begins_with_another_language_is_french():
    french = "Les frégates et leurs équipages sont sur zone depuis des mois, pour aider les alliés."
    assert foreign_language(f"{OTHERS['en']} {french}") is None


def test_a_long_text_without_spaces_is_not_taken_for_a_few_words():
    chinese = "中国海军本周在南海举行大规模演习，两艘航空母舰和数十架舰载机参加。"
    assert foreign_language(chinese * 2) == "zh"


def test_a_few_words_are_given_the_benefit_of_the_doubt():
    assert foreign_language("Sea Shield 2025, Constanta") is None


def test_texts_without_a_word_are_counted_and_the_first_is_named(capsys):
    texts = {"a": "Le ministre parle.", "b": "\u00a0\u200b…", "c": ""}
    given = [Article.from_text(text, id=name) for name, text in texts.items()]
    assert list(language_checked(given)) == given
    told = capsys.readouterr().err
    assert told == (
        "posture: 2 of 3 text(s) are empty or without a word (the first is 'b'); what is said of "
        "them means nothing\n"
    )
    list(language_checked(given[:1]))
    assert capsys.readouterr().err == ""
