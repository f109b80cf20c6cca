"""YAML with places: what is read, where it stood, and what is refused."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
import yaml

from mlharness.errors import ManifestError
from mlharness.manifest import located
from mlharness.manifest.located import MAX_BYTES, read_located
from tests.unit.manifest.conftest import Write


@pytest.fixture(params=["libyaml", "pure"])
def _loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of PyYAML's parsers: the one in C is not in every installation."""
    if request.param == "libyaml" and not yaml.__with_libyaml__:
        pytest.skip("PyYAML was built without libyaml")
    monkeypatch.setattr(located, "_Loader", yaml.CSafeLoader if request.param == "libyaml" else yaml.SafeLoader)


pytestmark = pytest.mark.usefixtures("_loader")


def test_data_and_places(write: Write) -> None:
    path = write("a: 1\nb:\n  - x\n  - {c: 'd'}\n")
    read = read_located(path)
    assert read.data == {"a": 1, "b": ["x", {"c": "d"}]}
    assert read.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (read.keys["b", 1, "c"].line, read.keys["b", 1, "c"].column) == (4, 6)
    assert (read.values["b", 1, "c"].line, read.values["b", 1, "c"].column) == (4, 9)
    assert read.line(("b", 0)) == 3
    assert read.line(("b", 1, "missing", "deeper")) == 4
    assert read.line(()) == 1


def test_text_line_of_scalar_styles(write: Write) -> None:
    read = read_located(write("a: plain\nb: 'quoted'\nc: |  # comment\n  first\nd: >-\n\n  second\n"))
    assert {key[0]: place.text_line for key, place in read.values.items() if key} == {"a": 1, "b": 2, "c": 4, "d": 6}
    assert read.data["c"] == "first\n"


def test_scalars_as_written(write: Write) -> None:
    read = read_located(write("version: 1.0\ndate: 2021-02-03\nequals: =\nnothing:\noff: no\n".replace("off", "'off'")))
    assert read.data == {"version": 1.0, "date": "2021-02-03", "equals": "=", "nothing": None, "off": False}
    assert read.values["version",].written == "1.0"


def test_plain_tags_are_read(write: Write) -> None:
    assert read_located(write("{a: !!str 1, b: !!float 2, c: !!map {}, d: !!seq []}")).data == {
        "a": "1", "b": 2.0, "c": {}, "d": []
    }  # fmt: skip


def test_aliases_are_expanded(write: Write) -> None:
    read = read_located(write("a: &x [1, 2]\nb: *x\n"))
    assert read.data == {"a": [1, 2], "b": [1, 2]}
    assert read.line(("b", 0)) == 1


def test_line_breaks_of_windows_and_a_byte_order_mark(write: Write) -> None:
    read = read_located(write(b"\xef\xbb\xbfa: 1\r\nb: |\r\n  x\r\n  y\r\n"))
    assert read.data == {"a": 1, "b": "x\ny\n"}
    assert read.values["b",].text_line == 3


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: [1\n", 3, "not valid YAML"),
        ("a: 1\n\tb: 2\n", 2, "not valid YAML"),
        ("a: *nowhere", 1, "undefined alias"),
        ("a: 1\n---\nb: 2\n", 2, "not valid YAML"),
        ("a: 1\nb: 2\na: 3\n", 3, "the key 'a' is on line 1 too"),
        ("a:\n  b: {c: 1,\n      c: 2}\n", 3, "the key 'c' is on line 2 too"),
        ("a: 1\n2: b\n", 2, "the key 2 is not text"),
        ("a: 1\non: b\n", 2, "the key on is not text"),
        ("? [a]\n: b\n", 1, "a key is a list"),
        ("a: 1\n<<: {b: 1}\n", 2, "merge keys"),
        ("a: !!python/object/apply:os.system [id]\n", 1, "!!python/object/apply:os.system"),
        ("a: 1\nb: !!binary aGk=\n", 2, "!!binary"),
        ("a: !mine x\n", 1, "the tag !mine"),
        ("a: !!set {x}\n", 1, "!!set"),
        ("a: !!str [x]\n", 1, "the tag"),
        ("a: !!int x\n", 1, "x is no !!int"),
        ("a: !!int ''\n", 1, "is no !!int"),
        ("a: !!bool perhaps\n", 1, "perhaps is no !!bool"),
        ("a: .nan\n", 1, "not a finite number"),
        ("a:\n- -.inf\n", 2, "not a finite number"),
        ("a: 1e999\nb: 99999999999999999999\n", 2, "64 bits"),
        ("a: " + "9" * 5000, 1, ""),
        ("a: " + "[" * 60 + "]" * 60, 1, "nested too deeply"),
        ("a:\n  " + "[" * 60_000, 2, "nested too deeply"),
        ("a:\n" + "".join(" " * n + "b:\n" for n in range(1, 70)), 51, "nested too deeply"),
        ("a: &a [*a]\n", 1, "nested too deeply, or an alias of itself"),
        (BOMB, 1, "values, aliases expanded"),
        ("", 1, "the file is empty, and must be a mapping"),
        ("# nothing\n", 1, "the file is empty"),
        ("- a\n", 1, "the file is a list"),
        ("text", 1, "the file is a single value"),
        ("a: 1\nb: \x01\n", 2, "not valid YAML"),
    ],
)
def test_refused_with_its_line(write: Write, text: str, line: int, said: str) -> None:
    path = write(text.encode())
    with pytest.raises(ManifestError) as raised:
        read_located(path)
    assert raised.value.message.startswith(f"{path}:{line}: ")
    assert said in raised.value.message


def test_half_a_character(write: Write) -> None:
    with pytest.raises(ManifestError, match=r"m\.yaml:1: "):
        read_located(write('a: "\\ud800"\n'))


def test_not_utf_8(write: Write) -> None:
    with pytest.raises(ManifestError, match=r"m\.yaml:2: not UTF-8 \(byte 0xff\)"):
        read_located(write(b"a: 1\nb: \xff\n"))


def test_over_a_mebibyte_is_refused_before_it_is_parsed(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(located, "parse_located", lambda *_: pytest.fail("parsed"))
    with pytest.raises(ManifestError, match="larger than 1 MiB"):
        read_located(write(b"#" * (MAX_BYTES + 1)))


def test_a_mebibyte_is_read(write: Write) -> None:
    assert read_located(write(b"a: 1\n#" + b"x" * (MAX_BYTES - 6))).data == {"a": 1}


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="there is no file"):
        read_located(tmp_path / "none.yaml")
    with pytest.raises(ManifestError, match="cannot be read"):
        read_located(tmp_path / ("x" * 300 + ".yaml"))
    with pytest.raises(ManifestError, match=r"cannot be read|there is no file"):
        read_located(Path("a\0.yaml"))


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="is a directory"):
        read_located(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ManifestError, match="not a regular file"):
        read_located(tmp_path / "pipe.yaml")


def test_an_unreadable_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    # chmod would not stop root, who runs tests in containers.
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = write("a: 1")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ManifestError, match="cannot be read: Permission denied"):
        read_located(path)
