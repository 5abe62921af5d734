"""French or not."""

import pytest

from inference.language import foreign_language

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
