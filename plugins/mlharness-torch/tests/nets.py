"""Small networks that the tests build, save, and name in manifests as a model's code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch


class Linear(torch.nn.Module):  # type: ignore[misc]  # PyTorch's types are not looked at
    """float32 x [batch, features] -> [batch, 3], with a buffer that is no parameter."""

    def __init__(self, features: int = 6, scale: float = 1.0) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(features, 3)
        self.register_buffer("scale", torch.tensor(scale))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.layer(x) * self.scale)


class Images(torch.nn.Module):  # type: ignore[misc]  # PyTorch's types are not looked at
    """float32 images [batch, 3, 8, 8] -> [batch, 5], and dropout that must be off."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.BatchNorm2d(4)
        self.drop, self.head = torch.nn.Dropout(), torch.nn.Linear(4, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.drop(torch.relu(self.norm(self.conv(images)))).mean((2, 3)))
        return found


class Two(torch.nn.Module):  # type: ignore[misc]  # PyTorch's types are not looked at
    """Two inputs that are not alike."""

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return left - right


@dataclass
class Answer:
    """What a model may return."""

    mean: torch.Tensor
    rest: tuple[torch.Tensor, ...]


class Pair(NamedTuple):
    """What a model may return."""

    low: torch.Tensor
    high: torch.Tensor


class Returns(torch.nn.Module):  # type: ignore[misc]  # PyTorch's types are not looked at
    """Returns its input in the form that it is built for."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form

    def forward(self, x: torch.Tensor) -> Any:
        forms: dict[str, Any] = {
            "tuple": (x, x + 1),
            "dict": {"b": x, "a": (x + 1, None)},
            "dataclass": Answer(x, (x + 1,)),
            "namedtuple": Pair(x, x + 1),
            "text": "x",
            "bfloat16": x.bfloat16(),
            "float16": x.half(),
            "integer": x.argmax(1),
            "nothing": None,
        }
        return forms[self.form]


def not_a_module() -> str:
    """What attributes.torch.model must not name."""
    return "text"


class Convolutions(torch.nn.Module):  # type: ignore[misc]  # PyTorch's types are not looked at
    """float32 x [batch, 16, 48, 48] -> [batch, 64], in some milliseconds."""

    def __init__(self) -> None:
        super().__init__()
        sizes = ((16, 64), (64, 64), (64, 64))
        parts = [part for size in sizes for part in (torch.nn.Conv2d(*size, 3, padding=1), torch.nn.ReLU())]
        self.body = torch.nn.Sequential(*parts)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.body(x).mean((2, 3))
        return found
