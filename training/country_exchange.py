"""The same sentence with its countries exchanged: by the codebook it has the same labels."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from inference.phrase_lists import gazetteer

_KINDS = ("name", "people", "capital", "seat", "leader")
_N_COUNTRIES = 45
_WORD = re.compile(r"\w+")
_LARGE = """
    FRA USA RUS CHN UKR IRN ISR TUR JPN DEU POL IND PAK GBR TWN KOR PRK SUN
""".split()  # noqa: SIM905


def exchanges(seed: int) -> dict[str, str]:
    """Form in lower case → a form of the same kind of another country, for 45 countries.

    Who stands for whom is drawn; a large country's partner is another large one, but for one.
    """
    rng = random.Random(seed)  # noqa: S311 - which form stands for which is no secret
    forms: dict[str, dict[str, list[str]]] = {}
    for country, kind, form in gazetteer():
        forms.setdefault(country, {}).setdefault(kind, []).append(form)
    whole = sorted(c for c, own in forms.items() if all(own.get(k) for k in _KINDS))
    large = [c for c in _LARGE if c in forms]
    small = [c for c in whole if c not in large][: _N_COUNTRIES - len(large)]
    chosen = [*rng.sample(large, len(large)), *rng.sample(small, len(small))]
    partner = dict(zip(chosen, chosen[1:] + chosen[:1], strict=True))
    table = {}
    for country in chosen:
        for kind, own in forms[country].items():
            other = forms[partner[country]].get(kind) or forms[partner[country]]["name"]
            for form in own:
                table[form.casefold()] = rng.choice(other)
    return table


def country_exchange(seed: int = 0) -> Callable[[str], str]:
    """Exchange the countries of a text and nothing else; new ones get its kind of apostrophe."""
    table = exchanges(seed)
    # Every form is found, the longest first, so that « République islamique de Mauritanie » is
    # not cut up; by their first word, because a pattern of thousands of forms takes seconds.
    by_first: dict[str, list[str]] = {}
    for form in sorted({form.casefold() for _, _, form in gazetteer()}, key=len, reverse=True):
        by_first.setdefault(_WORD.findall(form)[0], []).append(form)

    def exchange(text: str) -> str:
        apostrophe = "’" if "’" in text else "'"
        folded = text.lower()
        if len(folded) != len(text):  # a letter such as İ becomes two
            folded = "".join(char.lower()[:1] for char in text)
        folded = folded.replace("’", "'")  # as the forms have it
        parts, done = [], 0
        for word in _WORD.finditer(folded):
            start = word.start()
            for form in by_first.get(word[0], ()) if start >= done else ():
                end = start + len(form)
                if folded.startswith(form, start) and not _WORD.match(folded, end):
                    other = table.get(form)
                    new = text[start:end] if other is None else other.replace("'", apostrophe)
                    parts += [text[done:start], new]
                    done = end
                    break
        return "".join((*parts, text[done:]))

    return exchange
