"""Networks that Keras has not: AlexNet, and the ResNets of basic blocks. NHWC, 224 x 224 x 3 in, logits out.

Widths, paddings and strides are those that torchvision uses, so that one name means one network: AlexNet after
Krizhevsky, "One weird trick" (2014), with 61,100,840 parameters; ResNet-18 and ResNet-34 after He et al., "Deep
residual learning" (2015), with 11,689,512 and 21,797,672.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from mlharness_tensorflow.process import import_keras

_SIZE = (224, 224, 3)


def alexnet(classes: int) -> Any:
    """Five convolutions and three dense layers."""
    keras = import_keras()
    layers = keras.layers
    images = keras.Input(_SIZE)
    x = _convolution(images, 64, 11, strides=4, pad=2, use_bias=True)
    x = layers.MaxPooling2D(3, 2)(layers.ReLU()(x))
    x = _convolution(x, 192, 5, use_bias=True)
    x = layers.MaxPooling2D(3, 2)(layers.ReLU()(x))
    for width in (384, 256, 256):
        x = layers.ReLU()(_convolution(x, width, 3, use_bias=True))
    x = layers.Flatten()(layers.MaxPooling2D(3, 2)(x))
    for _ in range(2):
        x = layers.Dense(4096, activation="relu")(layers.Dropout(0.5)(x))
    return keras.Model(images, layers.Dense(classes)(x), name="alexnet_body")


def resnet(classes: int, blocks: Sequence[int]) -> Any:
    """A stem, four stages of so many basic blocks, and a dense layer."""
    keras = import_keras()
    layers = keras.layers
    images = keras.Input(_SIZE)
    x = layers.ReLU()(_normalized(_convolution(images, 64, 7, strides=2, pad=3)))
    x = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(x))  # zeros are never the largest: x is rectified
    for stage, count in enumerate(blocks):
        for block in range(count):
            x = _basic_block(x, 64 << stage, strides=2 if stage and not block else 1)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, layers.Dense(classes)(x), name=f"resnet{2 * sum(blocks) + 2}_body")


BUILDERS: Mapping[str, Callable[[int], Any]] = {
    "alexnet": alexnet,
    "resnet18": partial(resnet, blocks=(2, 2, 2, 2)),
    "resnet34": partial(resnet, blocks=(3, 4, 6, 3)),
}
"""By folded name; each takes the number of classes."""


def _basic_block(x: Any, width: int, strides: int) -> Any:
    """Two 3x3 convolutions beside a shortcut, which is projected where the shape changes."""
    layers = import_keras().layers
    shortcut = x
    if strides != 1 or x.shape[-1] != width:
        shortcut = _normalized(_convolution(x, width, 1, strides))
    x = layers.ReLU()(_normalized(_convolution(x, width, 3, strides, pad=1)))
    x = _normalized(_convolution(x, width, 3))
    return layers.ReLU()(layers.Add()([x, shortcut]))


def _normalized(x: Any) -> Any:
    return import_keras().layers.BatchNormalization(epsilon=1e-5, momentum=0.9)(x)


def _convolution(x: Any, width: int, size: int, strides: int = 1, pad: int = 0, use_bias: bool = False) -> Any:
    """A convolution; where it strides, ``pad`` zeros on every side, since Keras' "same" pads one side more there."""
    layers = import_keras().layers
    if strides == 1:
        return layers.Conv2D(width, size, padding="same", use_bias=use_bias)(x)
    padded = layers.ZeroPadding2D(pad)(x) if pad else x
    return layers.Conv2D(width, size, strides=strides, use_bias=use_bias)(padded)
