"""Heads over ``Encoder``: guess hidden tokens, classify texts, classify tokens."""

from __future__ import annotations

import torch
from torch import nn

from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.text.models.encoder import Encoder, activation, same_form
from domainkit.text.models.encoder_config import EncoderConfig
from domainkit.text.models.pooling import pool

__all__ = ["MaskedLM", "SequenceClassifier", "TokenClassifier"]


class MaskedLM(nn.Module):
    """An encoder that guesses hidden tokens; the output matrix is that of the embeddings.

    ``model(tokens, labels=labels)`` is the mean loss over the labels that are not -100; without
    labels it gives logits: ``Ragged`` items [L_i, vocab_size] or dense [B, L, vocab_size]. The loss
    computes logits for labelled tokens only.

    Args:
        config: of the encoder.

    Example:
        >>> config = EncoderConfig(vocab_size=50, hidden_size=16, num_layers=1, num_heads=2,
        ...                        intermediate_size=32)
        >>> model = MaskedLM(config)
        >>> tokens = torch.tensor([[5, 3, 7]])
        >>> model(tokens).shape, model(tokens, labels=torch.tensor([[-100, 6, -100]])).shape
        (torch.Size([1, 3, 50]), torch.Size([]))
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.norm_eps)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(
        self,
        tokens: Ragged | torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: Ragged | torch.Tensor | None = None,
        token_type_ids: Ragged | torch.Tensor | None = None,
    ) -> Ragged | torch.Tensor:
        states = self.encoder(tokens, attention_mask, token_type_ids)
        flat = states.values if isinstance(states, Ragged) else states
        if labels is None:
            logits = self._logits(flat)
            return states.with_values(logits) if isinstance(states, Ragged) else logits
        if not same_form(labels, tokens):
            raise TransformError(
                f"MaskedLM needs a label for each token, got labels {_sizes(labels)} for tokens "
                f"{_sizes(tokens)}"
            )
        wanted = labels.values if isinstance(labels, Ragged) else labels
        chosen = wanted != -100
        loss: torch.Tensor = nn.functional.cross_entropy(self._logits(flat[chosen]), wanted[chosen])
        return loss

    def _logits(self, states: torch.Tensor) -> torch.Tensor:
        # BERT's head takes the encoder's activation, RoBERTa's always gelu, which is its own too
        hidden = self.norm(activation(self.encoder.config.activation, self.dense(states)))
        return nn.functional.linear(hidden, self.encoder.embeddings.tokens.weight, self.bias)


class SequenceClassifier(nn.Module):
    """Classes of texts, from the state of the first token: logits [B, num_classes].

    Args:
        config: of the encoder.
        num_classes: of the logits.
        hidden: "tanh" (BERT's pooler, RoBERTa's head), "relu" (DistilBERT's) or "none".
        dropout: before each linear layer of the head, while training.

    Example:
        >>> config = EncoderConfig(vocab_size=50, hidden_size=16, num_layers=1, num_heads=2,
        ...                        intermediate_size=32)
        >>> SequenceClassifier(config, 3)(torch.tensor([[5, 6]])).shape
        torch.Size([1, 3])
    """

    def __init__(
        self,
        config: EncoderConfig,
        num_classes: int = 2,
        hidden: str = "tanh",
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if hidden not in ("tanh", "relu", "none"):
            raise TransformError(f"hidden must be 'tanh', 'relu' or 'none', got {hidden!r}")
        self.encoder = Encoder(config)
        self.dense: nn.Linear | None = None
        if hidden != "none":
            self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(config.hidden_size, num_classes)
        self.hidden = hidden

    def forward(
        self,
        tokens: Ragged | torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: Ragged | torch.Tensor | None = None,
    ) -> torch.Tensor:
        first = pool(self.encoder(tokens, attention_mask, token_type_ids), "cls", attention_mask)
        if self.dense is not None:
            first = self.dense(self.dropout(first))
            first = first.tanh() if self.hidden == "tanh" else first.relu()
        logits: torch.Tensor = self.classifier(self.dropout(first))
        return logits


class TokenClassifier(nn.Module):
    """Classes of tokens: logits as ``Ragged`` items [L_i, num_classes] or [B, L, num_classes].

    Example:
        >>> config = EncoderConfig(vocab_size=50, hidden_size=16, num_layers=1, num_heads=2,
        ...                        intermediate_size=32)
        >>> TokenClassifier(config, 9)(torch.tensor([[5, 6]])).shape
        torch.Size([1, 2, 9])
    """

    def __init__(self, config: EncoderConfig, num_classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(config.hidden_size, num_classes)

    def forward(
        self,
        tokens: Ragged | torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: Ragged | torch.Tensor | None = None,
    ) -> Ragged | torch.Tensor:
        states = self.encoder(tokens, attention_mask, token_type_ids)
        flat = states.values if isinstance(states, Ragged) else states
        logits: torch.Tensor = self.classifier(self.dropout(flat))
        return states.with_values(logits) if isinstance(states, Ragged) else logits


def _sizes(x: Ragged | torch.Tensor) -> str:
    return repr(x) if isinstance(x, Ragged) else str(list(x.shape))
