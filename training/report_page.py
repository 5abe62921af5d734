"""An evaluation as one self-contained web page, for the screen and for print."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from inference import __version__
from training.evaluate import Report
from training.figure_style import image
from training.learning_curve import Point
from training.report_figures import draw
from training.report_sections import (
    Section,
    group_sections,
    preface,
    reliability_sections,
    sections,
)

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #1a1a1a;
  background: #fff; max-width: 58rem; margin: 2.5rem auto 4rem; padding: 0 1.25rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .75rem; }
h2 { font-size: 1.15rem; margin: 2.6rem 0 .5rem; }
h3 { font-size: .95rem; margin: 0 0 .3rem; }
.preface { border-left: 4px solid #0072B2; padding: .1rem 0 .1rem 1rem; }
.preface p { margin: .35rem 0; }
.legend { color: #444; font-size: .86rem; max-width: 46rem; margin: .5rem 0 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .2rem .95rem .2rem 0; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 2px solid #1a1a1a; font-weight: 600; vertical-align: bottom; }
tbody + tbody tr:first-child > * { border-top: 1px solid #bbb; }
tbody th { font-weight: 400; }
tbody tr.sum > * { font-weight: 600; }
tbody tr:hover { background: #f3f6f9; }
figure { margin: 1rem 0 0; }
figure svg { width: 100%; max-width: 46rem; height: auto; }
.many { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 1.6rem; }
.many table { font-size: .8rem; }
footer { margin-top: 3rem; border-top: 1px solid #bbb; padding-top: .5rem; color: #555;
  font-size: .82rem; }
@media print {
  body { margin: 0; max-width: none; font-size: 10.5pt; }
  section, figure, .many > div { break-inside: avoid; }
  h2 { break-after: avoid; }
  tbody tr:hover { background: none; }
  .scroll { overflow: visible; }
}
"""
# Where each figure stands: after the table whose title begins so.
_PLACES = {
    "How good": ("f1", "learning-curve"),
    "Probabilities": ("precision-recall", "reliability"),
    "Confusion": ("confusion-",),
    "If it may abstain": ("abstention",),
    "By ": ("by-",),
}
_SAID = {
    "f1": "F1 of each label with its interval, beside the other systems.",
    "learning-curve": "Macro-F1 against the number of training articles.",
    "precision-recall": "Precision against recall for each label.",
    "reliability": "Observed share against probability for each label.",
    "abstention": "Share of wrong paragraphs against the share decided.",
    "confusion-": "What the model calls the paragraphs of each label.",
    "by-": "Micro-F1 of each group with its interval.",
}


def page(report: Report, model: str, curve: Sequence[Point] = ()) -> str:
    """The whole page; every text in it escaped, figures inside as SVG, nothing loaded from afar.

    model : its name, for the title. curve : of `learning_curve`, where it was computed.

    Raises InputError where matplotlib is not installed.
    """
    figures = {name: _svg(name, image(own, "svg")) for name, own in draw(report, curve).items()}
    told = "".join(f"<p>{escape(sentence)}</p>" for sentence in preface(report, model))
    body = [f"<h1>How good is {escape(model)}?</h1>", f'<div class="preface">{told}</div>']
    own_groups = list(group_sections(report))
    shown = [s for s in sections(report) if s not in own_groups] + own_groups
    for section in shown:
        body += ["<section>", f"<h2>{escape(section.title)}</h2>", _table(section)]
        body += [f'<p class="legend">{escape(section.legend)}</p>', "</section>"]
        for begins, names in _PLACES.items():
            if section.title.startswith(begins):
                body += _take(figures, names, section.title)
    body.append("<h2>Reliability tables</h2>")
    body.append(
        '<p class="legend">Ten bins with equal numbers of paragraphs for each label, fewer where '
        "probabilities are equal: their mean probability, and the share that carries the label."
        "</p>"
    )
    tables = (
        f"<div><h3>{escape(s.title.removeprefix('Reliability: '))}</h3>{_table(s)}</div>"
        for s in reliability_sections(report)
    )
    body.append(f'<div class="many">{"".join(tables)}</div>')
    body.append(f"<footer>Posture {__version__}, posture-train evaluate.</footer>")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Posture: evaluation of {escape(model)}</title>\n"
        f"<style>{_STYLE}</style>\n</head>\n<body>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def _take(figures: dict[str, str], names: Sequence[str], title: str) -> list[str]:
    """The figures that belong under a title, each once."""
    taken = []
    for name in list(figures):
        begin = next((b for b in names if name == b or (b[-1] == "-" and name.startswith(b))), "")
        rest = name.removeprefix(begin)
        if begin and (not rest or title in (f"Confusion: {rest}", f"By {rest}: micro-F1")):
            alternative = escape(_SAID[begin])
            taken.append(
                f'<figure role="img" aria-label="{alternative}">{figures.pop(name)}</figure>'
            )
    return taken


def _svg(name: str, content: bytes) -> str:
    """A figure as it may stand inside a page: no XML head, and names that are its own."""
    name = re.sub(r"\W+", "-", name)  # a column's name may hold anything
    text = content.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", text)
    return text.strip()


def _table(section: Section) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in section.columns)
    groups: list[list[str]] = [[]]
    for row in section.rows:
        if not row:
            groups.append([])
            continue
        first, *rest = row
        is_sum = re.search(r", (macro|micro|mean|pooled)$", first)
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        opened = '<tr class="sum">' if is_sum else "<tr>"
        groups[-1].append(f'{opened}<th scope="row">{escape(first)}</th>{cells}</tr>')
    bodies = "".join(f"<tbody>{''.join(rows)}</tbody>" for rows in groups if rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead>{bodies}</table></div>'
