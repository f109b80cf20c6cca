"""EfficientNet-Lite0 in PyTorch, as the manifest names it; nothing but a runner with that framework imports this.

Batch normalisations are folded into the convolutions, so that the weights are those of the ONNX file, number by number.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
"""Of each stage: how much wider a block is inside, its kernel, the first block's stride, its channels, its blocks."""


class Block(nn.Module):  # type: ignore[misc]  # PyTorch's types are not looked at
    """Widen, convolve each channel, narrow; what came in is added when it has the shape of what goes out."""

    def __init__(self, inputs: int, outputs: int, wider: int, kernel: int, stride: int) -> None:
        super().__init__()
        inside = inputs * wider
        widen = convolution(inputs, inside) if wider > 1 else ()
        each = convolution(inside, inside, kernel, stride, groups=inside)
        self.layers = nn.Sequential(*widen, *each, nn.Conv2d(inside, outputs, 1))
        self.adds = stride == 1 and inputs == outputs

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """float32 [n, inputs, h, w] -> [n, outputs, h / stride, w / stride]."""
        found: torch.Tensor = self.layers(images)
        return found + images if self.adds else found


def convolution(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> Iterator[nn.Module]:
    """A convolution whose output is the input's size over ``stride``, and its activation."""
    if stride == 2:
        # As TensorFlow pads an even size: the odd pixel goes to the right and the bottom.
        yield nn.ZeroPad2d((kernel // 2 - 1, kernel // 2) * 2)
    yield nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2 if stride == 1 else 0, groups=groups)
    yield nn.ReLU6(inplace=True)


def blocks(inputs: int) -> Iterator[Block]:
    """Every block of every stage, the first of which takes ``inputs`` channels."""
    for wider, kernel, stride, outputs, count in STAGES:
        for number in range(count):
            yield Block(inputs, outputs, wider, kernel, 1 if number else stride)
            inputs = outputs


def network() -> nn.Sequential:
    """The network without its weights; float32 [n, 3, 224, 224] -> logits [n, 1000]."""
    stem, head = convolution(3, 32, 3, 2), convolution(STAGES[-1][3], 1280)
    pool = (nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(*stem, *blocks(32), *head, *pool, nn.Linear(1280, 1000)).eval()
