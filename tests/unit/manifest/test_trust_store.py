"""Whose Python may run."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlharness.errors import TrustError, UserError
from mlharness.manifest.documents import DataSetManifest, FrameworkWish, MetricWish, ModelManifest, Origin, Step
from mlharness.manifest.trust import TrustStore, require_trust, require_trust_in_all, user_trust

ONE, TWO = "ab" * 32, "ac" * 32
PYTHON = Step("python", {"source": "def preprocess(ctx, data): ..."}, 1)
NAMED = Step("image.decode", {}, 1)


@pytest.fixture
def store(tmp_path: Path) -> TrustStore:
    return TrustStore(tmp_path / "deep" / "trusted.json")


def manifest(
    sha256: str = ONE, plugin: str | None = None, stage: str = "preprocess", step: Step = PYTHON
) -> ModelManifest:
    origin = Origin(Path("m.yaml"), sha256, plugin)
    steps: dict[str, Any] = {stage: (step,)}
    return replace(ModelManifest(origin, "m", "1", FrameworkWish("f")), **steps)


def test_nothing_is_trusted_at_first_and_nothing_is_written(store: TrustStore, tmp_path: Path) -> None:
    assert not store.trusts(ONE)
    assert list(store.entries()) == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_remembered_is_trusted_by_a_later_process(store: TrustStore, tmp_path: Path) -> None:
    store.remember(ONE, Path("m.yaml"))
    store.remember(TWO, Path("/n.yaml"))
    store.remember(ONE, Path("/moved.yaml"))
    again = TrustStore(tmp_path / "deep" / "trusted.json")
    assert again.trusts(ONE)
    assert again.trusts(TWO)
    assert not again.trusts("ad" * 32)
    assert [(entry.sha256, entry.path) for entry in again.entries()] == [(TWO, "/n.yaml"), (ONE, "/moved.yaml")]


def test_only_the_user_can_read_it_and_no_temporary_file_stays(store: TrustStore, tmp_path: Path) -> None:
    store.remember(ONE, Path("m.yaml"))
    folder = tmp_path / "deep"
    assert stat.S_IMODE((folder / "trusted.json").stat().st_mode) == 0o600
    assert {path.name for path in folder.iterdir()} <= {"trusted.json", "trusted.json.lock"}


def test_a_crash_while_writing_leaves_the_old_file(store: TrustStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.remember(ONE, Path("m.yaml"))

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("mlharness.manifest.trust.os.fsync", fail)
        with pytest.raises(UserError, match="cannot be written: No space left"):
            store.remember(TWO, Path("m.yaml"))
    assert [entry.sha256 for entry in store.entries()] == [ONE]


def test_revoking(store: TrustStore) -> None:
    store.remember(ONE, Path("/m.yaml"))
    store.remember(TWO, Path("/n.yaml"))
    with pytest.raises(UserError, match="2 hashes begin with 'a'"):
        store.revoke("a")
    for unknown in ("", "ff"):
        with pytest.raises(UserError, match="nothing that is trusted"):
            store.revoke(unknown)
    assert store.revoke("AB").path == "/m.yaml"
    assert [entry.sha256 for entry in store.entries()] == [TWO]


@pytest.mark.parametrize("damaged", [b"", b"{", b'{"a": 1}', b'[{"sha256": 1}]', b"\xff"])
def test_a_damaged_file_trusts_nothing_and_says_so(store: TrustStore, tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "trusted.json").write_bytes(damaged)
    with pytest.raises(UserError, match="is damaged") as raised:
        store.trusts(ONE)
    assert "Delete it" in raised.value.remedy


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        TrustStore(tmp_path / "file" / "trusted.json").remember(ONE, Path("m.yaml"))


def test_the_users_store_lies_in_the_data_directory(tmp_path: Path) -> None:
    user_trust().remember(ONE, Path("m.yaml"))
    assert (tmp_path / "data" / "trusted.json").is_file()


def test_manifests_of_plugins_and_without_python_need_no_trust(store: TrustStore) -> None:
    require_trust(manifest(plugin="one"), False, store)
    require_trust(manifest(step=NAMED), False, store)
    require_trust(manifest(step=NAMED), True, store)
    assert list(store.entries()) == []


def test_code_that_attributes_name_for_a_framework_needs_trust_too(store: TrustStore) -> None:
    named = replace(manifest(step=NAMED), attributes={"torch": {"model": "package.module:name"}})
    for keys in ((), ("other.model",), ("torch.code",), ("torch.model.name",)):
        require_trust(named, False, store, keys)
    with pytest.raises(TrustError, match=r"m\.yaml: attributes\.torch\.model: Python that would run") as raised:
        require_trust(named, False, store, ("other.model", "torch.model"))
    assert "--trust" in raised.value.remedy
    require_trust(replace(named, origin=Origin(Path("m.yaml"), ONE, "one")), False, store, ("torch.model",))
    require_trust(named, True, store, ("torch.model",))
    require_trust(named, False, store, ("torch.model",))


def test_a_metrics_python_needs_trust_too(store: TrustStore, tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("metric:\n  python: x\n")
    metric = MetricWish("python", python=Step("python", {"source": "x"}, 2))
    own = replace(manifest(step=NAMED), origin=Origin(path, ONE), metric=metric)
    with pytest.raises(TrustError, match=r"m\.yaml:2: metric\.python: Python that would run"):
        require_trust(own, False, store)
    require_trust(own, True, store)
    require_trust(own, False, store)
    require_trust(replace(own, metric=MetricWish("top1"), origin=Origin(path, TWO)), False, store)


@pytest.mark.parametrize("name", ["Python", "PYTHON", "py-thon", "py thon"])
def test_another_spelling_is_the_same_python(store: TrustStore, name: str) -> None:
    for own in (manifest(step=Step(name, {"source": "x"}, 1)), replace(manifest(step=NAMED), metric=MetricWish(name))):
        with pytest.raises(TrustError):
            require_trust(own, False, store)


@pytest.mark.parametrize("stage", ["preprocess", "postprocess"])
def test_other_python_needs_trust_once(store: TrustStore, stage: str) -> None:
    with pytest.raises(TrustError, match=r"m\.yaml: p(re|ost)process\[0\]: Python that would run") as raised:
        require_trust(manifest(stage=stage), False, store)
    assert "Read m.yaml" in raised.value.remedy
    assert "--trust" in raised.value.remedy
    require_trust(manifest(stage=stage), True, store)
    require_trust(manifest(stage=stage), False, store)
    with pytest.raises(TrustError):
        require_trust(manifest(TWO, stage=stage), False, store)


class TestDataSets:
    """Python of a data set's manifest."""

    @staticmethod
    def dataset(provider: str = "python", plugin: str | None = None) -> DataSetManifest:
        lines = {"unload": 20, "init": 6}
        return DataSetManifest(Origin(Path("d.yaml"), TWO, plugin), "d", "1", provider, lines=lines)

    @pytest.mark.parametrize("provider", ["python", "Python", "py-thon"])
    def test_it_needs_trust_however_the_kind_is_spelt(self, store: TrustStore, provider: str) -> None:
        dataset = self.dataset(provider)
        with pytest.raises(TrustError, match=r"d\.yaml:6: options\.init: Python that would run") as raised:
            require_trust(dataset, False, store)
        assert raised.value.remedy.startswith("Read d.yaml; if you trust it, ")
        require_trust(dataset, True, store)
        require_trust(dataset, False, store)

    def test_others_need_none(self, store: TrustStore) -> None:
        require_trust(self.dataset("images"), False, store)
        require_trust(self.dataset(plugin="one"), False, store)
        assert list(store.entries()) == []

    def test_both_files_are_named_before_both_are_trusted(self, store: TrustStore) -> None:
        both = (manifest(), self.dataset())
        with pytest.raises(TrustError, match=r"m\.yaml: preprocess\[0\].*\nd\.yaml:6: options\.init") as raised:
            require_trust_in_all(both, False, store)
        assert raised.value.remedy.startswith("Read m.yaml and d.yaml; if you trust them, ")
        require_trust_in_all(both, True, store)
        assert [entry.path.rpartition("/")[2] for entry in store.entries()] == ["m.yaml", "d.yaml"]

    def test_one_that_is_trusted_is_not_named(self, store: TrustStore) -> None:
        store.remember(ONE, Path("m.yaml"))
        with pytest.raises(TrustError) as raised:
            require_trust_in_all((manifest(), self.dataset()), False, store)
        assert "m.yaml" not in str(raised.value)
