"""Builds a file of the zoo with MXNet: the network as a symbol, its weights trained or random."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlharness.errors import UserError, did_you_mean
from mlharness_mxnet import engine
from mlharness_mxnet.files import pack
from mlharness_mxnet.graph import parse_graph, rename_head
from mlharness_mxnet.weights import random_weights
from mlharness_mxnet.zoo import ZooModel

_GLUON = (
    "alexnet", "densenet121", "densenet161", "densenet169", "densenet201", "inceptionv3", "mobilenet0.25",
    "mobilenet0.5", "mobilenet0.75", "mobilenet1.0", "mobilenetv2_0.25", "mobilenetv2_0.5", "mobilenetv2_0.75",
    "mobilenetv2_1.0", "resnet101_v1", "resnet101_v2", "resnet152_v1", "resnet152_v2", "resnet18_v1", "resnet18_v2",
    "resnet34_v1", "resnet34_v2", "resnet50_v1", "resnet50_v2", "squeezenet1.0", "squeezenet1.1", "vgg11", "vgg11_bn",
    "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn",
)  # fmt: skip
_SIZES = {"inceptionv3": 299}
_SIZE = 224
INPUT, OUTPUT = "images", "logits"


def save(wanted: ZooModel, path: Path) -> None:
    """Write the model's file. Its input ``images`` is float32 [batch, 3, 224, 224], its output ``logits``.

    Raises:
        UserError: MXNet is not installed, no zoo has the model, or its trained weights cannot be had.
    """
    mxnet = engine.start()
    make = maker(mxnet, wanted.name)
    # Layers are numbered as they are made; from one on, whatever this process has made before.
    with mxnet.name.NameManager():
        net = make_net(make, wanted)
        size = _SIZES.get(wanted.name, _SIZE)
        symbol = net(mxnet.sym.var(INPUT, shape=(0, 3, size, size), dtype="float32"))
    if isinstance(symbol, list | tuple):  # a detector's classes, scores and boxes
        symbol = mxnet.sym.Group(list(symbol))
    arrays = trained_weights(net, symbol) if wanted.seed is None else seeded(mxnet, symbol, size, wanted.seed)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        file = Path(folder) / "params"
        mxnet.nd.save(str(file), arrays)
        pack(path, rename_head(symbol.tojson(), OUTPUT), file.read_bytes())


def maker(mxnet: Any, name: str) -> Callable[..., Any]:
    """The function that makes a model of that name. Raises UserError when no installed zoo has it."""
    from mxnet.gluon.model_zoo import vision

    if name in _GLUON:
        return lambda **options: vision.get_model(name, prefix=f"{name.replace('.', '_')}_", **options)
    if importlib.util.find_spec("gluoncv") is None:
        raise UserError(
            f"Gluon's model zoo has no model {name!r}, and GluonCV is not installed",
            f"{did_you_mean(name, _GLUON)} For GluonCV's models: pip install gluoncv.",
        )
    return gluoncv_maker(name)


def gluoncv_maker(name: str) -> Callable[..., Any]:
    """As :func:`maker`, in GluonCV."""
    from gluoncv import model_zoo

    known = model_zoo.get_model_list()
    if name not in known:
        raise UserError(
            f"neither Gluon's model zoo nor GluonCV has a model {name!r}", did_you_mean(name, [*_GLUON, *known])
        )
    return lambda **options: model_zoo.get_model(name, pretrained_base=False, **options)


def make_net(make: Callable[..., Any], wanted: ZooModel) -> Any:
    """The network; trained weights are downloaded here, and held against the zoo's own SHA-1."""
    trained = wanted.seed is None
    try:
        return make(pretrained=trained)
    except Exception as error:
        if not trained:
            raise
        # requests' errors, and those that mxnet raises itself for a wrong SHA-1 or a model without weights
        raise UserError(
            f"the trained weights of mxnet://{wanted.name} cannot be had: {type(error).__name__}: {error}",
            f"Check the network, or take random weights: mxnet://{wanted.name}?weights=none",
        ) from error


def trained_weights(net: Any, symbol: Any) -> dict[str, Any]:
    """The network's own weights by the names of a parameters file."""
    auxiliary = set(symbol.list_auxiliary_states())
    wanted = set(symbol.list_inputs())
    return {
        f"{'aux' if name in auxiliary else 'arg'}:{name}": parameter.data()
        for name, parameter in net.collect_params().items()
        if name in wanted
    }


def seeded(mxnet: Any, symbol: Any, size: int, seed: int) -> dict[str, Any]:
    """Random weights by the names of a parameters file."""
    shapes, _, states = symbol.infer_shape(**{INPUT: (1, 3, size, size)})
    arguments = dict(zip(symbol.list_arguments(), shapes, strict=True))
    del arguments[INPUT]
    auxiliary = dict(zip(symbol.list_auxiliary_states(), states, strict=True))
    nodes = parse_graph(symbol.tojson(), "the network")
    found = random_weights(nodes, {**arguments, **auxiliary}, seed)
    return {
        f"{'aux' if name in auxiliary else 'arg'}:{name}": mxnet.nd.array(array, dtype=array.dtype)
        for name, array in found.items()
    }
