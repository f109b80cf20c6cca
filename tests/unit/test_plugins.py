"""Discovery with the fake plugins: what is broken is kept and named, what works goes on working."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pluggy
import pytest

from mlharness.errors import PluginError
from mlharness.plugins import Plugin, Plugins, build_manager, canonical
from tests.fakes import install_fakes

BROKEN = {
    "missing-import": "ModuleNotFoundError: No module named 'mlh_fake_nowhere_to_be_found'",
    "wrong-signature": "colour",
    "newer-api": "needs hook API 99, and this mlharness has 1",
    "unknown-hook": "there is no hook 'mlh_register_framework'. Did you mean 'mlh_register_frameworks'?",
    "raising": "RuntimeError: the disk is on fire",
}


@pytest.fixture(autouse=True)
def _no_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLH_BLOCK_PLUGINS", raising=False)


def everything(plugins: Plugins) -> list[str]:
    return [entry.name for shelf in plugins.catalog.shelves() for entry in shelf]


def by_name(plugins: Plugins) -> dict[str, Plugin]:
    return {plugin.name: plugin for plugin in plugins.found}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_keeps_its_error_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    plugins = build_manager(entry_points=install_fakes(monkeypatch, tmp_path, name))
    assert BROKEN[name] in plugins.found[0].error
    assert everything(plugins) == []
    assert plugins.manager.get_plugins() == set()
    with pytest.raises(PluginError):
        plugins.catalog.frameworks.find("halved")


def test_broken_plugins_do_not_touch_a_good_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plugins = build_manager(entry_points=install_fakes(monkeypatch, tmp_path, *BROKEN, "good"))
    assert by_name(plugins)["mlh-fake-good"].error == ""
    assert sum(bool(plugin.error) for plugin in plugins.found) == len(BROKEN)
    assert everything(plugins) == ["fake", "fake.same"]
    assert [caller.name for caller in observers(plugins)] == ["mlh_on_run_finished"]


def observers(plugins: Plugins) -> list[pluggy.HookCaller]:
    callers = vars(plugins.manager.hook).values()
    return [caller for caller in callers if caller.name.startswith("mlh_on_") and caller.get_hookimpls()]


def test_provenance_is_the_distribution(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plugins = build_manager(entry_points=install_fakes(monkeypatch, tmp_path, "good"))
    assert plugins.found == [Plugin("mlh-fake-good", "1.2.3", "mlh-fake-good", builtin=False)]
    assert plugins.catalog.frameworks.find("FAKE-framework").plugin == "mlh-fake-good"


@pytest.mark.parametrize("spelling", ["mlh-fake-good", "mlh_fake_good", "MLH.Fake-Good"])
@pytest.mark.parametrize("way", ["argument", "environment"])
def test_blocking_takes_the_distributions_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spelling: str, way: str
) -> None:
    entries = install_fakes(monkeypatch, tmp_path, "good", "raising")
    if way == "environment":
        monkeypatch.setenv("MLH_BLOCK_PLUGINS", f"something-else, {spelling}")
    plugins = build_manager(block=[spelling] if way == "argument" else (), entry_points=entries)
    good = by_name(plugins)["mlh-fake-good"]
    assert good.blocked
    assert not good.error
    assert "mlh_fake_good" not in sys.modules
    assert everything(plugins) == []


def test_allow_leaves_out_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entries = install_fakes(monkeypatch, tmp_path, "good", "twin-one")
    plugins = build_manager(allow=["mlh_fake_good"], entry_points=entries)
    assert list(by_name(plugins)) == ["mlh-fake-good"]


def test_twins_are_usable_once_one_is_blocked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entries = install_fakes(monkeypatch, tmp_path, "twin-one", "twin-two")
    both = build_manager(entry_points=entries)
    assert [plugin.error for plugin in both.found] == ["", ""]
    with pytest.raises(PluginError, match="mlh-fake-twin-one and mlh-fake-twin-two, so neither is used") as caught:
        both.catalog.frameworks.find("twin")
    assert caught.value.remedy.startswith("Block one of them: --block mlh-fake-twin-")
    one = build_manager(block=["mlh-fake-twin-two"], entry_points=entries)
    assert one.catalog.frameworks.find("twin").plugin == "mlh-fake-twin-one"


def test_installed_plugins_are_found_without_being_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_fakes(monkeypatch, tmp_path, "good")
    assert by_name(build_manager(allow=["mlh-fake-good"]))["mlh-fake-good"].version == "1.2.3"


def test_an_error_names_what_is_broken_and_blocked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entries = install_fakes(monkeypatch, tmp_path, "good", "raising")
    plugins = build_manager(block=["mlh-fake-good"], entry_points=entries)
    explained = plugins.explain(PluginError("no framework is named 'fake'", "Known: none."))
    assert explained.message == "no framework is named 'fake'"
    assert "mlh-fake-raising (RuntimeError: the disk is on fire)" in explained.remedy
    assert "Blocked: mlh-fake-good." in explained.remedy


def test_the_second_entry_point_of_a_distribution_fails_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_fakes(monkeypatch, tmp_path, "good")
    listed = tmp_path / "mlh_fake_good-1.2.3.dist-info" / "entry_points.txt"
    listed.write_text("[mlharness]\ngood = mlh_fake_good\nother = mlh_fake_not_there\n")
    entries = next(iter(metadata.distributions(path=[str(tmp_path)]))).entry_points
    plugins = build_manager(entry_points=entries)
    assert sorted(bool(plugin.error) for plugin in plugins.found) == [False, True]
    assert everything(plugins) == ["fake", "fake.same"]


def test_a_distribution_without_metadata_goes_by_its_entry_point(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install_fakes(monkeypatch, tmp_path, "good")
    (tmp_path / "mlh_fake_good-1.2.3.dist-info" / "METADATA").unlink()
    entries = next(iter(metadata.distributions(path=[str(tmp_path)]))).entry_points
    plugins = build_manager(entry_points=entries)
    assert [plugin.name for plugin in plugins.found] == ["good"]
    assert not plugins.found[0].error


def test_a_plugin_that_exits_is_an_error_and_an_interrupt_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    entries = install_fakes(monkeypatch, tmp_path, "good")
    module = tmp_path / "mlh_fake_good.py"
    module.write_text("raise SystemExit(4)")
    assert build_manager(entry_points=entries).found[0].error == "SystemExit: 4"
    module.write_text("raise KeyboardInterrupt  # longer than before, so that no cached bytecode is taken")
    with pytest.raises(KeyboardInterrupt):
        build_manager(entry_points=entries)


def test_canonical_is_the_indexs_normal_form() -> None:
    assert canonical(" MLH__Fake.-Good ") == "mlh-fake-good"
