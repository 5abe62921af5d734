"""Posture's kernel: read an article, label its paragraphs, sum it up."""

from inference.article import Article, Paragraph
from inference.errors import InputError
from inference.scorer import Prediction, ScoredArticle, Scorer, load
from inference.summary import ArticleSummary
from inference.taxonomy import Axis, Label, Taxonomy

__version__ = "0.1.0"

__all__ = [
    "Article",
    "ArticleSummary",
    "Axis",
    "InputError",
    "Label",
    "Paragraph",
    "Prediction",
    "ScoredArticle",
    "Scorer",
    "Taxonomy",
    "__version__",
    "load",
]
