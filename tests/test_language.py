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
