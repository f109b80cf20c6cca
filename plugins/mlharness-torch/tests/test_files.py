"""What is loaded, what is refused, and that nothing in a refused file was executed."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import IMAGES, Load, X, export, script
from mlharness_torch.archive import check_document, is_operator, is_shape
from mlharness_torch.formats import Format, recognise
from nets import Images, Linear
from safetensors.torch import save_file

from mlharness.errors import UserError

CODE = {"torch": {"model": "nets:Linear"}}
BATCH = np.ones((2, 6), np.float32)


class Canary:
    """Pickled, it writes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.fixture
def canary(tmp_path: Path) -> Canary:
    """It does sing: the tests below would see it."""
    sings = tmp_path / "sings"
    pickle.loads(pickle.dumps(Canary(sings)))  # noqa: S301  # our own
    assert sings.exists()
    return Canary(tmp_path / "canary")


def repacked(path: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """A copy of an archive with members changed, or left out where ``change`` gives None."""
    copy = path.with_name(f"changed{path.suffix}")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            data = change(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return copy


class TestPickles:
    @pytest.mark.parametrize("old", [False, True])
    @pytest.mark.parametrize("wrapped", [False, True])
    @pytest.mark.parametrize("attributes", [{}, CODE])
    def test_a_pickle_that_executes_is_refused(
        self, load: Load, canary: Canary, tmp_path: Path, old: bool, wrapped: bool, attributes: Any
    ) -> None:
        path, found = tmp_path / "evil.pt", {"layer.weight": canary} if wrapped else canary
        torch.save(found, path, _use_new_zipfile_serialization=not old)
        with pytest.raises(UserError) as caught:
            load(path, [X], attributes=attributes)
        assert caught.value.remedy
        assert not canary.path.exists()
        if attributes:
            assert "could execute anything" in caught.value.message
            assert "state_dict" in caught.value.remedy

    def test_a_bare_pickle_is_refused(self, load: Load, canary: Canary, tmp_path: Path) -> None:
        (tmp_path / "evil.pt").write_bytes(pickle.dumps(canary))
        with pytest.raises(UserError):
            load(tmp_path / "evil.pt", [X], attributes=CODE)
        assert not canary.path.exists()

    def test_a_whole_model_is_refused(self, load: Load, tmp_path: Path) -> None:
        torch.save(Linear(), tmp_path / "net.pt")
        with pytest.raises(UserError, match="more than tensors"):
            load(tmp_path / "net.pt", [X], attributes=CODE)

    def test_weights_without_code_need_it(self, load: Load, tmp_path: Path) -> None:
        torch.save(Linear().state_dict(), tmp_path / "net.pt")
        save_file(Linear().state_dict(), tmp_path / "net.safetensors")
        for name in ("net.pt", "net.safetensors"):
            with pytest.raises(UserError, match=r"without a model|of which model") as caught:
                load(tmp_path / name, [X])
            assert "attributes: {torch: {model:" in caught.value.remedy


class TestStateDicts:
    def test_arguments_keywords_and_key(self, load: Load, tmp_path: Path) -> None:
        module = Linear(4, 2.0)
        torch.save({"epoch": 3, "weights": module.state_dict()}, tmp_path / "net.pt")
        settings = {"model": "nets:Linear", "arguments": [4], "keywords": {"scale": 0.5}, "key": "weights"}
        x = np.ones((2, 4), np.float32)
        loaded = load(tmp_path / "net.pt", [X.__class__("x", "float32", (None, 4))], attributes={"torch": settings})
        np.testing.assert_array_equal(loaded.predict({"x": x})[0], module(torch.from_numpy(x)).detach().numpy())

    def test_several_files_are_one_state_dict(self, load: Load, tmp_path: Path) -> None:
        weights = Linear().state_dict()
        save_file({"layer.weight": weights.pop("layer.weight")}, tmp_path / "1.safetensors")
        save_file(weights, tmp_path / "2.safetensors")
        loaded = load([tmp_path / "1.safetensors", tmp_path / "2.safetensors"], [X], attributes=CODE)
        assert loaded.predict({"x": BATCH})[0].shape == (2, 3)

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ("nets:Linear", "attributes.torch is"),
            ({"modle": "nets:Linear"}, "has no key 'modle'"),
            ({"model": "nets.Linear"}, "is 'nets.Linear'"),
            ({"model": None}, "is None"),
            ({"model": "nets:Linear", "arguments": "6"}, "arguments must be a list"),
            ({"model": "not_there:Linear"}, "not_there"),
            ({"model": "nets:Lienar"}, "no 'Lienar'"),
            ({"model": "nets:not_a_module"}, "gives str"),
            ({"model": "nets:Linear", "keywords": {"depth": 3}}, "cannot be called: TypeError"),
            ({"model": "nets:Images"}, "the weights are not those of nets:Images"),
            ({"model": "nets:Linear", "arguments": [7]}, "size mismatch"),
            ({"model": "nets:Linear", "key": "state"}, "has no 'state'"),
        ],
    )
    def test_what_is_wrong_with_the_manifest_is_said(
        self, load: Load, tmp_path: Path, settings: Any, said: str
    ) -> None:
        torch.save(Linear().state_dict(), tmp_path / "net.pt")
        with pytest.raises(UserError, match=said) as caught:
            load(tmp_path / "net.pt", [X], attributes={"torch": settings})
        assert caught.value.remedy

    @pytest.mark.parametrize("found", [[torch.ones(1)], {"a": 1}, {"state_dict": {"a": torch.ones(1)}}])
    def test_what_is_no_state_dict(self, load: Load, tmp_path: Path, found: Any) -> None:
        torch.save(found, tmp_path / "net.pt")
        with pytest.raises(UserError, match="holds no state dict") as caught:
            load(tmp_path / "net.pt", [X], attributes=CODE)
        assert "It holds: " in caught.value.remedy


class TestFormats:
    def test_each_is_told_by_its_bytes(self, tmp_path: Path) -> None:
        """Whatever the file is called."""
        script(Linear(), tmp_path / "a.bin")
        export(Linear(), tmp_path / "b.pt2", torch.ones(2, 6)).rename(tmp_path / "b.pt")
        torch.save({}, tmp_path / "c.ts")
        torch.save({}, tmp_path / "d.pth", _use_new_zipfile_serialization=False)
        save_file({}, tmp_path / "e.pt")
        found = [recognise(path) for path in sorted(tmp_path.iterdir())]
        checkpoint = Format.CHECKPOINT
        assert found == [Format.TORCHSCRIPT, Format.EXPORTED, checkpoint, checkpoint, Format.SAFETENSORS]

    def test_a_program_of_another_suffix_is_loaded(self, load: Load, tmp_path: Path) -> None:
        path = export(Linear(), tmp_path / "b.pt2", torch.ones(2, 6)).rename(tmp_path / "b.pt")
        assert load(path).predict({"x": BATCH})[0].shape == (2, 3)

    @pytest.mark.parametrize("kind", ["script.pt", "program.pt2", "weights.pt", "weights.safetensors"])
    @pytest.mark.parametrize("kept", [0, 4, 0.5, 0.98])
    def test_a_file_that_is_cut_off(self, load: Load, tmp_path: Path, kind: str, kept: float) -> None:
        path = tmp_path / kind
        if kind == "script.pt":
            script(Images(), path)
        elif kind == "program.pt2":
            export(Images(), path, torch.ones(2, 3, 8, 8))
        elif kind == "weights.pt":
            torch.save(Images().state_dict(), path)
        else:
            save_file(Images().state_dict(), path)
        data = path.read_bytes()
        path.write_bytes(data[: kept if isinstance(kept, int) else int(len(data) * kept)])
        attributes = {"torch": {"model": "nets:Images"}} if "weights" in kind else {}
        with pytest.raises(UserError) as caught:
            load(path, [IMAGES], attributes=attributes)
        assert caught.value.remedy
        assert kind in caught.value.message

    @pytest.mark.parametrize(
        ("name", "data", "remedy"),
        [
            ("net.onnx", b"\x08\x08\x12\x07pytorch", "framework onnxruntime"),
            ("net.pb", b"\n\x10\n\x04", "framework tensorflow"),
            ("net.pt", b"this is no model at all", "TorchScript"),
            ("net.pt", b"\x80\x04nonsense", "Save"),
        ],
    )
    def test_what_is_not_pytorchs(self, load: Load, tmp_path: Path, name: str, data: bytes, remedy: str) -> None:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError, match=name) as caught:
            load(tmp_path / name, [X], attributes=CODE if data[:1] == b"\x80" else {})
        assert remedy in caught.value.remedy

    def test_another_archive_and_a_folder(self, load: Load, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
            archive.writestr("readme", "")
        with pytest.raises(UserError, match="none of PyTorch's"):
            load(tmp_path / "net.pt", [X])
        with pytest.raises(UserError, match="cannot be read"):
            load(tmp_path, [X])


class TestPrograms:
    """torch.export.load itself would execute all of these."""

    @pytest.fixture
    def program(self, tmp_path: Path) -> Path:
        return export(Linear(), tmp_path / "net.pt2", torch.ones(2, 6))

    @staticmethod
    def pickled(found: Any) -> bytes:
        buffer = io.BytesIO()
        torch.save(found, buffer)
        return buffer.getvalue()

    def test_a_pickle_among_sample_inputs(self, load: Load, canary: Canary, program: Path) -> None:
        evil = self.pickled((canary,))
        path = repacked(program, lambda name, data: evil if "sample_inputs" in name else data)
        with pytest.raises(UserError):
            load(path)
        assert not canary.path.exists()

    @pytest.mark.parametrize("member", ["weights", "constants"])
    def test_a_pickle_in_place_of_a_folder(self, load: Load, canary: Canary, program: Path, member: str) -> None:
        """The form of older versions, which newer ones go on to load."""
        with zipfile.ZipFile(program, "a") as archive:
            root = archive.namelist()[0].partition("/")[0]
            archive.writestr(f"{root}/data/{member}/model.pt", self.pickled({"a": canary}))
        with pytest.raises(UserError):
            load(program)
        assert not canary.path.exists()

    def test_an_expression_that_is_python(self, load: Load, canary: Canary, program: Path) -> None:
        text = f"__import__('pathlib').Path('{canary.path}').touch()"

        def change(name: str, data: bytes) -> bytes:
            if not name.endswith("models/model.json"):
                return data
            document = json.loads(data)
            replace_values(document, "expr_str", text)
            return json.dumps(document).encode()

        with pytest.raises(UserError, match="holds the expression"):
            load(repacked(program, change))
        assert not canary.path.exists()

    def test_a_call_of_something_else(self, load: Load, program: Path) -> None:
        def change(name: str, data: bytes) -> bytes:
            return data.replace(b"torch.ops.aten.relu.default", b"torch.serialization.os.system")

        with pytest.raises(UserError, match=r"holds a call of 'torch\.serialization\.os\.system'"):
            load(repacked(program, change))

    def test_compiled_code(self, load: Load, program: Path) -> None:
        with zipfile.ZipFile(program, "a") as archive:
            archive.writestr("net/data/aotinductor/model/x.so", b"")
        with pytest.raises(UserError, match="holds compiled code"):
            load(program)

    def test_pickled_objects(self, tmp_path: Path) -> None:
        document = {"config": {"a": {"path_name": "opaque_obj_0"}}}
        with pytest.raises(UserError, match="a pickled object"):
            check_document(tmp_path / "net.pt2", document)

    @pytest.mark.parametrize(
        "text",
        [
            "s0", "2*s77 + 1", "Max(1, s0//2)", "Symbol('s77', positive=True, integer=True)", "u0 >= 2",
            "Add(Integer(1), Mul(Integer(2), Symbol('s0', integer=True)))",
        ],
    )  # fmt: skip
    def test_shapes(self, text: str) -> None:
        assert is_shape(text)

    @pytest.mark.parametrize(
        "text",
        [
            "exec(chr(95))",
            "s0.__class__",
            "open('/etc/passwd')",
            "Symbol('__import__')",
            "[s0]",
            "eval",
            'Symbol("s0")',
        ],
    )
    def test_no_shapes(self, text: str) -> None:
        assert not is_shape(text)

    @pytest.mark.parametrize(
        "name",
        ["torch.ops.aten.conv2d.default", "_operator.add", "math.ceil", "torch.sym_max", "torch.ops.higher_order.cond"],
    )
    def test_operators(self, name: str) -> None:
        assert is_operator(name)

    @pytest.mark.parametrize(
        "name",
        [
            "torch.ops.load_library", "torch.load", "torch.hub.load", "_operator.attrgetter", "_operator.call",
            "math.__loader__", "torch", "torch.ops", "os.system", "#x", "", "torch.ops.aten.conv2d", "torch.ops.aten",
        ],
    )  # fmt: skip
    def test_no_operators(self, name: str) -> None:
        assert not is_operator(name)


def replace_values(document: Any, key: str, value: str) -> None:
    """Replace every value of a key."""
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for name, item in list(items):
        if name == key:
            document[name] = value
        else:
            replace_values(item, key, value)
