"""Trains src/mlharness_vision/models/digits-cnn.onnx on scikit-learn's handwritten digits (extra ``make``).

Run ``python scripts/train_digits_cnn.py [FOLDER]``: seconds on one core. It prints the accuracy on the held-out rows,
which are those of the data set ``digits``. Seeded and on one thread, so the same packages give the same weights on the
same kind of processor.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx_files
import onnxruntime
import torch
from sklearn.datasets import load_digits
from torch import nn

FOLDER = Path(__file__).parents[1] / "src" / "mlharness_vision" / "models"
HELD_OUT_FROM = 1197
"""Rows before this are trained on. The rest is one block: a random draw puts neighbours in the file on both sides."""
SEED, EPOCHS, BATCH = 20, 60, 64


def network() -> nn.Module:
    """float32 [n, 1, 8, 8] in 0 to 1 -> logits float32 [n, 10]."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.4),
        nn.Linear(32 * 4 * 4, 10),
    )


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Every row: pixels float32 [1797, 1, 8, 8] in 0 to 1 (as the manifest's preprocessing makes them), and labels."""
    data = load_digits()
    pixels = torch.from_numpy((data.images / 16.0).astype(np.float32))[:, None]
    return pixels, torch.from_numpy(data.target)


def shifted(pixels: torch.Tensor) -> torch.Tensor:
    """The batch moved by at most one pixel in each direction, empty pixels coming in."""
    rows, columns = torch.randint(0, 3, (2,)).tolist()
    return nn.functional.pad(pixels, (1, 1, 1, 1))[:, :, rows : rows + 8, columns : columns + 8]


def train(pixels: torch.Tensor, labels: torch.Tensor) -> nn.Module:
    """A trained network in evaluation mode."""
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # the order of a sum depends on the number of threads
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(pixels)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(shifted(pixels[chosen])), labels[chosen]).backward()
            optimizer.step()
        schedule.step()
    return model.eval()


def accuracy(path: Path, pixels: torch.Tensor, labels: torch.Tensor) -> tuple[int, int]:
    """How many of how many the file gets right in onnxruntime."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    logits = session.run(["logits"], {"images": pixels.numpy()})[0]
    return int((logits.argmax(axis=1) == labels.numpy()).sum()), len(labels)


def main() -> None:
    """Train, write the file to the folder given or to the package, and print the accuracy on the held-out rows."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    pixels, labels = digits()
    model = train(pixels[:HELD_OUT_FROM], labels[:HELD_OUT_FROM])
    exported = onnx_files.simplify(onnx_files.export(model, "images", (1, 8, 8), "logits"))
    onnx_files.write(exported, folder / "digits-cnn.onnx", "mlharness-vision")
    right, count = accuracy(folder / "digits-cnn.onnx", pixels[HELD_OUT_FROM:], labels[HELD_OUT_FROM:])
    print(f"held-out accuracy: {right} of {count}, {100 * right / count:.2f} %")


if __name__ == "__main__":
    main()
