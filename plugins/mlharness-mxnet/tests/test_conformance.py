"""The framework ``mxnet`` and the source ``mxnet://`` hold to their contracts."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from mlharness_mxnet import engine, files, zoo

from mlharness.providers import Model, TensorSpec
from mlharness.testing import FrameworkConformance, SourceConformance, TracerConformance


class TestSymbolAndParameters(FrameworkConformance):
    """A small network of every kind of layer that images meet, in two files."""

    framework = "mxnet"

    def make_model(self, folder: Path) -> Model:
        """float32 [batch, 3, 8, 8] -> [batch, 5]."""
        mx = engine.start()
        random = np.random.default_rng(2)
        net = mx.sym.Convolution(
            mx.sym.var("image"), kernel=(3, 3), num_filter=4, pad=(1, 1), no_bias=True, name="conv"
        )
        net = mx.sym.Activation(mx.sym.BatchNorm(net, fix_gamma=False, name="bn"), "relu")
        net = mx.sym.FullyConnected(mx.sym.Pooling(net, kernel=(2, 2), stride=(2, 2)), num_hidden=5, name="fc")
        net.save(str(folder / "small-symbol.json"))
        shapes, _, _ = net.infer_shape(image=(1, 3, 8, 8))
        arrays = {
            f"arg:{name}": mx.nd.array(random.standard_normal(shape))
            for name, shape in zip(net.list_arguments(), shapes, strict=True)
            if name != "image"
        }
        arrays |= {"aux:bn_moving_mean": mx.nd.zeros((4,)), "aux:bn_moving_var": mx.nd.ones((4,))}
        mx.nd.save(str(folder / "small-0000.params"), arrays)
        named = (folder / "small-symbol.json", folder / "small-0000.params")
        return Model("small", named, (TensorSpec("image", "float32", (None, 3, 8, 8)),))


class TestProfilerTracer(TracerConformance):
    tracer = "mxnet-profiler"
    framework = "mxnet"
    only_once = True
    make_model = TestSymbolAndParameters.make_model


class TestZooFile(FrameworkConformance):
    """The same network as the zoo keeps its models, which say themselves what they take."""

    framework = "mxnet"

    def make_model(self, folder: Path) -> Model:
        """float32 [batch, 3, 8, 8] -> [batch, 5]."""
        symbol, parameters = TestSymbolAndParameters().make_model(folder).files
        mx = engine.start()
        net = mx.sym.load(str(symbol))
        net = net(image=mx.sym.var("images", shape=(0, 3, 8, 8)))
        path = folder / "small.mxnet"
        files.pack(path, net.tojson(), parameters.read_bytes())
        return Model("small", (path,))


class TestZoo(SourceConformance):
    scheme = "mxnet"
    bad_uris = (
        "mxnet://",
        "mxnet:///resnet18_v1",
        "mxnet://resnet18_v1/v2",
        "mxnet://resnet18_v1#top",
        "mxnet://resnet18 v1",
        "mxnet://user@resnet18_v1",
        "mxnet://resnet18_v1?weight=none",
        "mxnet://resnet18_v1?weights=nome",
        "mxnet://resnet18_v1?weights",
        "mxnet://resnet18_v1?weights=none&weights=none",
        "mxnet://resnet18_v1?seed=1",
        "mxnet://resnet18_v1?weights=none&seed=-1",
        "mxnet://resnet18_v1?weights=none&seed=99999999999999999999",
    )

    def make_uri(self, folder: Path) -> tuple[str, str]:
        """A file in the cache, with other bytes: locating does not read models."""
        uri = "mxnet://resnet18_v1?weights=none"
        path = zoo.parse(uri).path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"PK\x03\x04")
        return uri, hashlib.sha256(b"PK\x03\x04").hexdigest()

    def missing_uri(self, folder: Path) -> tuple[str, str | None]:
        return "mxnet://resnet34_v1?weights=none", None
