"""The whole story of a label: text, paragraphs, probabilities, calibration, decision, summary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inference.article import Article, Paragraph
from inference.calibration import Calibration
from inference.decision import DecisionRule
from inference.model import ParagraphModel, SelfExplaining
from inference.summary import ArticleSummary

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from inference.explanation import Explanation
    from inference.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is said of one paragraph; no label, "neutral" and "abstained" are ordinary results.

    labels : axis name → codes that apply: exactly one on an exclusive axis, unless abstained.
    probabilities : axis name → label code → calibrated probability.
    confidence : axis name → probability of the decision (see `DecisionRule.decide`).
    abstained : names of the axes on which the confidence was too low for a decision.
    """

    labels: dict[str, tuple[str, ...]]
    probabilities: dict[str, dict[str, float]]
    confidence: dict[str, float]
    abstained: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScoredArticle:
    """An article, a prediction for each of its paragraphs in order, and their summary."""

    article: Article
    predictions: tuple[Prediction, ...]
    summary: ArticleSummary
    taxonomy: Taxonomy

    def to_frame(self) -> pd.DataFrame:
        """One row a paragraph, in the columns of `posture score --format csv`."""
        from inference.frame import scored_frame

        return scored_frame([self])


@dataclass(frozen=True, slots=True)
class Scorer:
    """A fitted model with its calibration and decision rule; `inference.load` gives one."""

    model: ParagraphModel
    calibration: Calibration
    rule: DecisionRule

    @property
    def taxonomy(self) -> Taxonomy:
        """What the labels mean."""
        return self.model.taxonomy

    def abstaining_below(self, min_confidence: float) -> Scorer:
        """The same scorer, which decides nothing where its confidence is lower."""
        return replace(self, rule=replace(self.rule, min_confidence=min_confidence))

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Calibrated probabilities of single paragraphs, shape (n_texts, n_columns)."""
        if isinstance(texts, str):
            msg = f"expected a sequence of texts, found one text ({texts[:40]!r}…); pass [text]"
            raise TypeError(msg)
        return self._probabilities([Paragraph(text, 0, len(text)) for text in texts])

    def score(self, article: Article | str) -> ScoredArticle:
        """Label an article's paragraphs; a `str` is cut into paragraphs first."""
        if isinstance(article, str):
            article = Article.from_text(article)
        return next(self.score_many([article]))

    def score_many(self, articles: Iterable[Article]) -> Iterator[ScoredArticle]:
        """Label a stream of articles, as many at a time as hold `model.at_once` paragraphs."""
        waiting: list[Article] = []
        n_paragraphs = 0
        for article in articles:
            waiting.append(article)
            n_paragraphs += len(article.paragraphs)
            if max(n_paragraphs, len(waiting)) >= self.model.at_once:
                yield from self._score_chunk(waiting)
                waiting, n_paragraphs = [], 0
        yield from self._score_chunk(waiting)

    def explain(self, paragraph: Paragraph | str) -> Explanation:
        """What each word adds to the log-odds of the paragraph's calibrated probabilities.

        Exact where the model is a sum over words, as the linear one is; else words are left out
        one at a time, which asks the model for one paragraph more than there are words.
        """
        from inference.explanation import occlusion

        if isinstance(paragraph, str):
            paragraph = Paragraph(paragraph, 0, len(paragraph))
        model = self.model
        found = (
            model.explain(paragraph)
            if isinstance(model, SelfExplaining)
            else occlusion(model, paragraph)
        )
        # Calibration stretches and shifts log-odds, so a sum over words stays one.
        slopes, shifts = np.asarray(self.calibration.slopes), self.calibration.intercepts
        return replace(
            found, contributions=found.contributions * slopes, base=found.base * slopes + shifts
        )

    def score_frame(self, frame: pd.DataFrame, *, unit: str = "article") -> pd.DataFrame:
        """Label a data frame of articles (or, with `unit="paragraph"`, of paragraphs).

        The input's columns are those of `posture score` on a table; so are the output's.
        """
        from inference.frame import articles_of_frame, scored_frame

        return scored_frame(self.score_many(articles_of_frame(frame, unit)), unit=unit)

    def _probabilities(self, paragraphs: Sequence[Paragraph]) -> NDArray[np.float64]:
        return self.calibration.apply(self.model.predict_proba(paragraphs), self.taxonomy)

    def _score_chunk(self, articles: Sequence[Article]) -> Iterator[ScoredArticle]:
        paragraphs = [paragraph for article in articles for paragraph in article.paragraphs]
        predictions = self._predict(paragraphs)
        for article in articles:
            own = tuple(next(predictions) for _ in article.paragraphs)
            summary = ArticleSummary.of(own, self.taxonomy)
            yield ScoredArticle(article, own, summary, self.taxonomy)

    def _predict(self, paragraphs: Sequence[Paragraph]) -> Iterator[Prediction]:
        probabilities = self._probabilities(paragraphs)
        applies, confidence = self.rule.decide(probabilities, self.taxonomy)
        spans = self.taxonomy.spans()
        names = [axis.name for axis, _ in spans]
        unsure = confidence < self.rule.min_confidence
        for row, yes, sure, too_low in zip(
            probabilities.tolist(),
            applies.tolist(),
            confidence.tolist(),
            unsure.tolist(),
            strict=True,
        ):
            yield Prediction(
                labels={
                    axis.name: ()
                    if low
                    else tuple(c for c, y in zip(axis.codes, yes[span], strict=True) if y)
                    for (axis, span), low in zip(spans, too_low, strict=True)
                },
                probabilities={
                    axis.name: dict(zip(axis.codes, row[span], strict=True)) for axis, span in spans
                },
                confidence=dict(zip(names, sure, strict=True)),
                abstained=tuple(n for n, low in zip(names, too_low, strict=True) if low),
            )


def load(
    folder: Path | str | None = None, *, runtime: str | None = None, device: str | None = None
) -> Scorer:
    """Open a model folder; None means the model shipped inside the package.

    runtime, device : what an encoder is computed with; see `inference.model_kind.Backend`.

    Raises InputError for a folder that is damaged, tampered with or of a newer format.
    """
    from inference.artefact import DEFAULT_MODEL, read_model
    from inference.model_kind import Backend

    where = Path(folder) if folder is not None else DEFAULT_MODEL
    return read_model(where, Backend(runtime, device)).scorer
