"""BERT in PyTorch, as manifests name it; nothing but a runner with that framework imports this.

Parameters have the names that Hugging Face's checkpoints give them. Numbers are those of J. Devlin et al. (2019).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

_EPSILON = 1e-12


class Attention(nn.Module):  # type: ignore[misc]  # PyTorch's types are not looked at
    """Every token looks at every other that is no padding, by several heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.self = nn.ModuleDict({name: nn.Linear(width, width) for name in ("query", "key", "value")})
        self.output = nn.ModuleDict({"dense": nn.Linear(width, width), "LayerNorm": nn.LayerNorm(width, _EPSILON)})

    def forward(self, hidden: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """float32 [n, tokens, width] -> the same; ``seen`` is bool [n, 1, 1, tokens]."""
        count, tokens, width = hidden.shape
        query, key, value = (
            self.self[name](hidden).view(count, tokens, self.heads, -1).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        found = self.output["dense"](found.transpose(1, 2).reshape(count, tokens, width))
        normalised: torch.Tensor = self.output["LayerNorm"](hidden + found)
        return normalised


class Layer(nn.Module):  # type: ignore[misc]  # as above
    """Attention, then two linear layers on each token alone."""

    def __init__(self, width: int, heads: int, inside: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, inside)})
        self.output = nn.ModuleDict({"dense": nn.Linear(inside, width), "LayerNorm": nn.LayerNorm(width, _EPSILON)})

    def forward(self, hidden: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """float32 [n, tokens, width] -> the same."""
        hidden = self.attention(hidden, seen)
        found = self.output["dense"](functional.gelu(self.intermediate["dense"](hidden)))
        normalised: torch.Tensor = self.output["LayerNorm"](hidden + found)
        return normalised


class Encoder(nn.Module):  # type: ignore[misc]  # as above
    """Token ids to one vector for each token."""

    def __init__(self, width: int, layers: int, heads: int, inside: int, words: int, positions: int) -> None:
        super().__init__()
        self.embeddings = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(words, width),
                "position_embeddings": nn.Embedding(positions, width),
                "token_type_embeddings": nn.Embedding(2, width),
                "LayerNorm": nn.LayerNorm(width, _EPSILON),
            }
        )
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(Layer(width, heads, inside) for _ in range(layers))})
        self.register_load_state_dict_pre_hook(leave_out_unused)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, segments: torch.Tensor) -> torch.Tensor:
        """int64 [n, tokens] each -> float32 [n, tokens, width]; what stands at padding means nothing."""
        places = torch.arange(ids.shape[1], device=ids.device)
        hidden = (
            self.embeddings["word_embeddings"](ids)
            + self.embeddings["token_type_embeddings"](segments)
            + self.embeddings["position_embeddings"](places)
        )
        hidden, seen = self.embeddings["LayerNorm"](hidden), mask[:, None, None, :] != 0
        for layer in self.encoder["layer"]:
            hidden = layer(hidden, seen)
        return hidden


def leave_out_unused(module: nn.Module, weights: dict[str, Any], prefix: str, *_: Any) -> None:
    """Drop what checkpoints hold and no token's vector depends on: the pooler, and the numbers of the positions."""
    for name in [f"{prefix}pooler.dense.weight", f"{prefix}pooler.dense.bias", f"{prefix}embeddings.position_ids"]:
        weights.pop(name, None)


class SentenceEncoder(Encoder):
    """Vectors of one text's tokens, with the mask beside them, by which postprocessing takes their mean."""

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """int64 [n, tokens] each -> float32 [n, tokens, width], and the mask as it came."""
        return super().forward(input_ids, attention_mask, token_type_ids), attention_mask


class QuestionAnswering(nn.Module):  # type: ignore[misc]  # as above
    """For each token, the logits that the answer starts and that it ends there."""

    def __init__(self, encoder: Encoder, width: int) -> None:
        super().__init__()
        self.bert = encoder
        self.qa_outputs = nn.Linear(width, 2)

    def forward(
        self, input_ids: torch.Tensor, input_mask: torch.Tensor, segment_ids: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """int64 [n, tokens] each -> start and end logits, float32 [n, tokens] each."""
        start, end = self.qa_outputs(self.bert(input_ids, input_mask, segment_ids)).unbind(-1)
        return start, end


def sentence_encoder(
    width: int = 384, layers: int = 6, heads: int = 12, inside: int = 1536, words: int = 30522, positions: int = 512
) -> SentenceEncoder:
    """A sentence encoder without its weights; all-MiniLM-L6-v2's sizes unless others are given."""
    made = SentenceEncoder(width, layers, heads, inside, words, positions)
    made.eval()
    return made


def question_answering(
    width: int = 1024, layers: int = 24, heads: int = 16, inside: int = 4096, words: int = 30522, positions: int = 512
) -> QuestionAnswering:
    """A model for SQuAD without its weights; BERT-Large's sizes unless others are given."""
    made = QuestionAnswering(Encoder(width, layers, heads, inside, words, positions), width)
    made.eval()
    return made
