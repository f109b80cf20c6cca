"""What a bundle asks for is what its run asked for; anything else is told before it runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlharness.bundling import reproducing as module
from mlharness.bundling.document import DOCUMENT, LOCK
from mlharness.bundling.findings import Checks
from mlharness.bundling.opening import Opened, open_into
from mlharness.bundling.reproducing import (
    LABEL,
    Permissions,
    environment_differences,
    file_differences,
    missing_beside,
    plan_differences,
    rebuild,
    request_of,
    require_trust,
)
from mlharness.environments.creating import Telling
from mlharness.environments.record import Record
from mlharness.errors import TrustError, UserError
from mlharness.manifest.trust import TrustStore
from mlharness.plugins import Plugins, build_manager
from mlharness.request import Request
from tests.unit.bundling.making import bundle_of, forge, members_of
from tests.unit.bundling.test_opening import ENVIRONMENT, HEADER, PIN
from tests.unit.environments.making import a_record

ABOUT = {
    "name": "null-1-py3.11", "framework": "null", "distribution": "mlharness", "variant": "", "python": "3.11.1",
    "platform": "Linux x86_64", "requires": [],
}  # fmt: skip


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    """All that are installed."""
    return build_manager()


@pytest.fixture
def opened(bundle: Path, tmp_path: Path) -> Opened:
    """The bundle in a folder of the test's own."""
    return unpacked(bundle, tmp_path / "opened")


def unpacked(bundle: Path, folder: Path) -> Opened:
    folder.mkdir()
    return open_into(bundle, folder, Checks())


def ask(opened: Opened, plugins: Plugins, **allowed: Any) -> Request:
    return request_of(opened, plugins, Permissions(**allowed), opened.folder / "runs")


def test_the_plan_of_a_bundle_is_made_again(opened: Opened, plugins: Plugins) -> None:
    request = ask(opened, plugins)
    plan = request.plan_without_fetching()
    assert plan.sha256 == opened.document.run.plan_sha256
    assert plan_differences(opened, plan) == []
    assert list(file_differences(opened, request, plugins.catalog)) == []
    assert (plan.test.mode, plan.test.duration_s) == ("both", 0.7)
    assert plan.labels == {LABEL: opened.document.run.id}
    assert plan.host.model_manifest == str(opened.folder / "model/constant.yaml")


def test_another_plan_is_told_key_by_key(opened: Opened, plugins: Plugins) -> None:
    plan = ask(opened, plugins).plan_without_fetching().with_test(duration_s=0.4)
    assert plan_differences(opened, plan) == ["test.duration_s was 0.7, and is 0.4 here"]


def test_other_data_and_data_that_is_not_there_are_told(opened: Opened, plugins: Plugins) -> None:
    table = opened.folder / "dataset/tables/rows.csv"
    table.write_text("1,2\n")
    (told,) = file_differences(opened, ask(opened, plugins), plugins.catalog)
    assert told.startswith("../tables/rows.csv is another file here: its sha256 was ")
    table.unlink()
    (told,) = file_differences(opened, ask(opened, plugins), plugins.catalog)
    assert told.startswith("../tables/rows.csv is not here: there is no file")


def test_files_that_were_left_out_are_asked_for_by_their_place(made: Path, tmp_path: Path) -> None:
    bundle_of(made, tmp_path / "without.mlhz", files=False)
    opened = unpacked(tmp_path / "without.mlhz", tmp_path / "opened")
    (missing,) = missing_beside(opened)
    assert missing.resolve() == opened.folder / "dataset/tables/rows.csv"
    missing.parent.mkdir(parents=True, exist_ok=True)
    missing.resolve().parent.mkdir(parents=True, exist_ok=True)
    missing.resolve().write_text("1,2\n")
    assert missing_beside(opened) == []


def test_a_manifest_that_a_plugin_ships_is_the_plugins(opened: Opened, plugins: Plugins) -> None:
    from dataclasses import replace

    from mlharness.bundling.container import sha256_of
    from mlharness.bundling.reproducing import manifest_of
    from mlharness.manifest.library import ManifestLibrary

    library = ManifestLibrary(plugins.catalog)
    shipped = library.model("null").origin.path
    packed = replace(opened.document.model, sha256=sha256_of(shipped), member="one")
    assert manifest_of("model", opened, packed, library) == f"{shipped}#one"
    assert manifest_of("model", opened, opened.document.model, library) == str(opened.folder / "model/constant.yaml")


def test_python_of_a_manifest_is_asked_about(bundle: Path, tmp_path: Path, plugins: Plugins) -> None:
    manifest = members_of(bundle)["model/constant.yaml"].replace(
        b"- tensor.argmax", b"- python: 'def postprocess(): 1'"
    )
    document = json.loads(members_of(bundle)[DOCUMENT])
    forged = forge(
        bundle, tmp_path / "forged", {"model/constant.yaml": manifest, DOCUMENT: json.dumps(document).encode()}
    )
    opened = unpacked(forged, tmp_path / "opened")
    with pytest.raises(TrustError, match="nobody has trusted yet"):
        ask(opened, plugins)


def locked(bundle: Path, tmp_path: Path, **about: Any) -> Opened:
    """The bundle with a lock."""
    header = HEADER.splitlines()[0] + "\n# " + json.dumps({**ABOUT, **about}) + "\n"
    document = json.loads(members_of(bundle)[DOCUMENT]) | {"environment": ENVIRONMENT}
    changes = {LOCK: (header + PIN).encode(), DOCUMENT: json.dumps(document).encode()}
    return unpacked(forge(bundle, tmp_path / "locked", changes), tmp_path / "opened")


def test_packages_of_a_bundle_are_asked_about_once(bundle: Path, tmp_path: Path) -> None:
    opened, store = locked(bundle, tmp_path), TrustStore(tmp_path / "trusted.json")
    with pytest.raises(TrustError, match="would install 1 packages: code that would run on this machine") as caught:
        require_trust(opened, False, store)
    assert "--trust" in caught.value.remedy
    assert "--here" in caught.value.remedy
    require_trust(opened, True, store)
    require_trust(opened, False, store)


def test_an_environment_for_another_platform_or_none_is_refused(opened: Opened, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no environment") as caught:
        rebuild(opened, Telling())
    assert "--here" in caught.value.remedy
    (tmp_path / "b").mkdir()
    with pytest.raises(UserError, match="is for Plan9 mips, and this is ") as caught:
        rebuild(locked(bundle, tmp_path / "b", platform="Plan9 mips"), Telling())
    assert "--here" in caught.value.remedy


def test_an_environment_is_named_by_its_lock(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    made = (a_record(), True)

    def create(*arguments: Any) -> tuple[Record, bool]:
        asked.append(arguments)
        return made

    monkeypatch.setattr(module, "create_from", create)
    monkeypatch.setattr(module, "this_platform", lambda: "Linux x86_64")
    opened = locked(bundle, tmp_path)
    assert rebuild(opened, Telling()) == made
    ((lock, python, name, _),) = asked
    assert (lock, python) == (opened.lock, None)
    assert name.startswith("bundle-null-1-py3.11-")


def test_what_is_installed_otherwise_is_told(opened: Opened) -> None:
    then = json.loads((opened.run / "system.json").read_text())
    assert environment_differences(opened, then) == []
    now = {**then, "python": "3.9.0", "packages": {**then["packages"], "numpy": "0.1"}, "code": {"mlharness": "0"}}
    assert environment_differences(opened, now) == [
        f"Python was {then['python']}, and is 3.9.0 here",
        f"numpy was {then['packages']['numpy']}, and is 0.1 here",
        "the code of mlharness is another",
    ]
