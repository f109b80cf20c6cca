"""Make ``tests/fixtures/imagenet``: four small photographs in the layout of MLPerf's copy of ImageNet.

They are cut and shrunk from pictures in the wheels of scikit-image and scikit-learn. Their sizes are chosen for what
resizing to 256 and cropping to 224 may do: leave nothing, an even remainder, an odd one that rounds half to even
differently from rounding down, and enlarge. One is grey, as some of ImageNet's are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import skimage
import sklearn
from PIL import Image

FIXTURE = Path(__file__).parents[1] / "tests" / "fixtures" / "imagenet"
SKIMAGE = Path(skimage.__file__).parent / "data"
SKLEARN = Path(sklearn.__file__).parent / "datasets" / "images"


@dataclass(frozen=True)
class Picture:
    """A source, the part of it that is used (left, top, right, bottom), the size of the result, and its class."""

    source: Path
    box: tuple[int, int, int, int] | None
    size: tuple[int, int]
    label: int


PICTURES = (
    Picture(SKIMAGE / "chelsea.png", None, (400, 266), 281),  # tabby; 384 x 256 when resized: remainders 160 and 32
    Picture(SKIMAGE / "coffee.png", (0, 0, 517, 400), (388, 300), 967),  # espresso; 331 x 256: a remainder of 107
    Picture(SKLEARN / "china.jpg", (100, 0, 420, 427), (180, 240), 698),  # palace; enlarged to 256 x 341
    Picture(SKIMAGE / "camera.png", None, (300, 300), 872),  # tripod; grey and square
)


def make(picture: Picture, target: Path) -> None:
    """Write one JPEG file."""
    with Image.open(picture.source) as image:
        small = image.resize(picture.size, Image.Resampling.LANCZOS, box=picture.box)
    small.save(target, "JPEG", quality=80)


def main() -> None:
    """Write the pictures and ``val_map.txt``."""
    (FIXTURE / "val").mkdir(parents=True, exist_ok=True)
    lines = []
    for number, picture in enumerate(PICTURES, start=1):
        name = f"val/ILSVRC2012_val_{number:08}.JPEG"
        make(picture, FIXTURE / name)
        lines.append(f"{name} {picture.label}\n")
    (FIXTURE / "val_map.txt").write_text("".join(lines), "ascii")


if __name__ == "__main__":
    main()
