"""Metrics of text: BLEU, chrF and ROUGE by the libraries that papers cite, perplexity by torch.

BLEU, chrF and ROUGE come with ``pip install 'domainkit[metrics]'``; that is asked for when they are
called.
"""

from domainkit.text.metrics.likelihood import Perplexity, perplexity
from domainkit.text.metrics.summaries import rouge
from domainkit.text.metrics.translation import Score, bleu, chrf

__all__ = ["Perplexity", "Score", "bleu", "chrf", "perplexity", "rouge"]
