"""An edit of a bundle is found: of any byte, of any member, and of figures whose hashes were made anew."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from mlharness.bundling.document import DOCUMENT, LOCK
from mlharness.bundling.findings import Checks
from mlharness.bundling.opening import keep, open_into
from mlharness.errors import UserError
from tests.unit.bundling.making import forge, look, members_of, told

BYTES = 30
"""How many single bytes are flipped: each costs some milliseconds."""


def changed_document(bundle: Path, **changes: Any) -> bytes:
    return json.dumps({**json.loads(members_of(bundle)[DOCUMENT]), **changes}).encode()


def test_a_bundle_as_it_was_written_holds(bundle: Path, tmp_path: Path) -> None:
    assert told(look(bundle, tmp_path / "out")) == ""
    assert told(look(forge(bundle, tmp_path / "again", {}), tmp_path / "out")) == ""


def test_any_byte_that_is_flipped_is_found(bundle: Path, tmp_path: Path) -> None:
    data = bundle.read_bytes()
    draw = random.Random(7)  # noqa: S311  # not for secrets
    places = [*range(30), *draw.sample(range(len(data)), BYTES), *range(len(data) - 22, len(data))]
    missed = []
    for place in places:
        spoilt = bytearray(data)
        spoilt[place] ^= 1 << (place % 8)
        (tmp_path / "spoilt").write_bytes(spoilt)
        if passes(tmp_path / "spoilt", tmp_path / "out"):
            missed.append(place)
    assert missed == []


def passes(bundle: Path, folder: Path) -> bool:
    try:
        return look(bundle, folder).hold
    except UserError as error:
        return not error.remedy


def test_every_member_that_is_changed_is_found_and_named(bundle: Path, tmp_path: Path) -> None:
    for name, content in members_of(bundle).items():
        if name == DOCUMENT:
            continue
        at = bundle.read_bytes().index(content) if content else None
        if at is None:
            continue
        data = bytearray(bundle.read_bytes())
        data[at] ^= 1
        (tmp_path / "spoilt").write_bytes(data)
        assert name in told(look(tmp_path / "spoilt", tmp_path / "out")), name


@pytest.mark.parametrize("name", ["run/system.json", "run/performance/mlperf_log_summary.txt", "model/constant.yaml"])
def test_a_member_that_is_taken_out_is_found_though_the_hashes_are_new(bundle: Path, tmp_path: Path, name: str) -> None:
    assert not look(forge(bundle, tmp_path / "forged", {name: None}), tmp_path / "out").hold


def test_a_member_that_the_document_does_not_name_is_found(bundle: Path, tmp_path: Path) -> None:
    from mlharness.bundling.container import write_bundle

    members = members_of(bundle)
    write_bundle(tmp_path / "more", {**members, "run/more": b"1"})
    write_bundle(tmp_path / "less", {name: content for name, content in members.items() if name != "run/runner.log"})
    assert "run/more: bundle.json does not name it" in told(look(tmp_path / "more", tmp_path / "out"))
    assert "run/runner.log: it is missing" in told(look(tmp_path / "less", tmp_path / "out"))


def test_a_figure_that_is_changed_is_found_though_the_hashes_are_new(bundle: Path, tmp_path: Path) -> None:
    result = json.loads(members_of(bundle)["run/result.json"])
    result["latency_ns"]["p99"] *= 0.5
    forged = forge(bundle, tmp_path / "forged", {"run/result.json": json.dumps(result).encode()})
    assert told(look(forged, tmp_path / "out")).startswith("result.json: latency_ns.p99: it is ")


def test_a_figure_that_is_changed_in_result_and_detail_log_alike_is_found(bundle: Path, tmp_path: Path) -> None:
    members = members_of(bundle)
    result, log = json.loads(members["run/result.json"]), members["run/performance/mlperf_log_detail.txt"]
    was = int(result["latency_ns"]["p99"])
    result["latency_ns"]["p99"] = float(was - 1)
    key = b'"result_99.00_percentile_latency_ns", "value": '
    assert key + str(was).encode() in log
    changes: dict[str, bytes | None] = {
        "run/result.json": json.dumps(result).encode(),
        "run/performance/mlperf_log_detail.txt": log.replace(key + str(was).encode(), key + str(was - 1).encode()),
    }
    found = told(look(forge(bundle, tmp_path / "forged", changes), tmp_path / "out"))
    assert "mlperf_log_summary.txt says 99.00 percentile latency (ns)" in found


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"run": {"id": "other", "plan_sha256": "0" * 64, "status": "valid"}}, "the run's files are those of"),
        ({"files": []}, ""),
    ],
)
def test_a_document_that_does_not_go_with_the_run_is_found(
    bundle: Path, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    forged = forge(bundle, tmp_path / "forged", {DOCUMENT: changed_document(bundle, **changes)})
    found = told(look(forged, tmp_path / "out"))
    assert words in found
    assert bool(found) == bool(words), "the model of this run has no files"


def test_another_manifest_is_found(bundle: Path, tmp_path: Path) -> None:
    other = members_of(bundle)["model/constant.yaml"] + b"# harmless\n"
    found = told(look(forge(bundle, tmp_path / "forged", {"model/constant.yaml": other}), tmp_path / "out"))
    assert "model/constant.yaml is not the manifest of the plan" in found


def test_other_data_is_found(bundle: Path, tmp_path: Path) -> None:
    table = members_of(bundle)["dataset/tables/rows.csv"].replace(b",1\n", b",0\n")
    found = told(look(forge(bundle, tmp_path / "forged", {"dataset/tables/rows.csv": table}), tmp_path / "out"))
    assert "../tables/rows.csv has the sha256" in found


@pytest.mark.parametrize("source", ["/etc/passwd", "../../secret"])
def test_data_outside_of_its_folder_is_found(bundle: Path, tmp_path: Path, source: str) -> None:
    files = json.loads(members_of(bundle)[DOCUMENT])["files"]
    files.append({**files[0], "kind": "root", "source": source, "inside": ""})
    forged = forge(bundle, tmp_path / "forged", {DOCUMENT: changed_document(bundle, files=files)})
    assert "leads out of the data set's folder" in told(look(forged, tmp_path / "out"))


ENVIRONMENT = {
    "lock": LOCK, "framework": "null", "version": "1", "python": "3.11.1", "platform": "Linux x86_64", "wheels": [],
}  # fmt: skip
HEADER = '# mlharness environment lock, version 1\n# {"name": "x"}\n'
PIN = f"numpy==2.0 --hash=sha256:{'0' * 64}\n"


@pytest.mark.parametrize(
    ("lock", "words"),
    [
        (HEADER + PIN, ""),
        (HEADER + "--find-links wheels\n" + PIN, ""),
        (HEADER + PIN + "--index-url https://example.org\n", "more than pinned packages"),
        (HEADER + PIN + "--extra-index-url https://example.org\n", "more than pinned packages"),
        (HEADER + "--find-links https://example.org\n" + PIN, "more than pinned packages"),
        (HEADER + PIN + "evil @ https://example.org/evil.whl\n", "more than pinned packages"),
        (HEADER + PIN + "-e .\n", "more than pinned packages"),
        (HEADER + "numpy==2.0\n", "more than pinned packages"),
        (HEADER + PIN.replace("\n", " \\\n") + "--index-url=x\n", "more than pinned packages"),
        ("numpy==2.0\n" + PIN, "more than pinned packages"),
        ("", "more than pinned packages"),
    ],
    ids=range(11),
)
def test_a_lock_says_nothing_to_pip_but_pins(bundle: Path, tmp_path: Path, lock: str, words: str) -> None:
    changes = {LOCK: lock.encode(), DOCUMENT: changed_document(bundle, environment=ENVIRONMENT)}
    found = told(look(forge(bundle, tmp_path / "forged", changes), tmp_path / "out"))
    assert words in found
    assert bool(found) == bool(words)


def test_a_wheel_must_be_named_in_the_lock(bundle: Path, tmp_path: Path) -> None:
    wheel = "environment/wheels/evil-1-py3-none-any.whl"
    document = changed_document(bundle, environment={**ENVIRONMENT, "wheels": [wheel]})
    changes = {LOCK: (HEADER + PIN).encode(), wheel: b"code", DOCUMENT: document}
    found = told(look(forge(bundle, tmp_path / "forged", changes), tmp_path / "out"))
    assert found == f"{wheel}: the lock does not name its hash"
    document = changed_document(bundle, environment=ENVIRONMENT)
    found = told(look(forge(bundle, tmp_path / "hidden", {**changes, DOCUMENT: document}), tmp_path / "out"))
    assert "it does not name the wheels that are in the bundle" in found


@pytest.mark.parametrize(
    ("changes", "words", "remedy"),
    [
        ({"schema_version": 2}, "is a bundle of version 2, and this mlharness reads 1", "Upgrade mlharness"),
        ({"schema_version": "1"}, "schema_version is '1'", "Fetch"),
        ({"schema_version": True}, "schema_version is True", "Fetch"),
        ({"members": 7}, "does not follow its schema: members", "Fetch"),
        ({"surprise": 1}, "does not follow its schema", "Fetch"),
        ({"model": {"name": "x", "sha256": "0" * 64, "inside": "../x", "member": "", "plugin": ""}},
         "does not follow its schema: model.inside", "Fetch"),
    ],
)  # fmt: skip
def test_a_newer_or_damaged_document_is_refused(
    bundle: Path, tmp_path: Path, changes: dict[str, Any], words: str, remedy: str
) -> None:
    from mlharness.bundling.container import write_bundle

    write_bundle(tmp_path / "x", {**members_of(bundle), DOCUMENT: changed_document(bundle, **changes)})
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match=r"x") as caught:
        open_into(tmp_path / "x", tmp_path / "out", Checks())
    assert words in caught.value.message
    assert remedy in caught.value.remedy
    assert list((tmp_path / "out").iterdir()) == []


JUNK: tuple[Any, ...] = (None, True, -1, 1e400, 10**30, "", "\0", [], {}, [[[]]], {"key": []}, "\ud800")


@pytest.mark.parametrize("seed", range(40))
def test_whatever_stands_in_a_document_no_check_ends_in_a_traceback(bundle: Path, tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311  # not for secrets
    members = members_of(bundle)
    name = draw.choice([name for name in members if name.endswith(".json") and "mlperf" not in name])
    document = json.loads(members[name])
    place: Any = document
    while True:
        key = draw.choice(list(place)) if isinstance(place, dict) else draw.randrange(len(place))
        if not isinstance(place[key], (dict, list)) or not place[key] or draw.random() < 0.3:
            break
        place = place[key]
    place[key] = draw.choice(JUNK)
    forged = forge(bundle, tmp_path / "forged", {name: json.dumps(document).encode()})
    assert passes(forged, tmp_path / "out") in (True, False)


def test_a_document_without_end_is_a_finding(bundle: Path, tmp_path: Path) -> None:
    deep = b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    for name in ("run/plan.json", "run/system.json", "run/result.json"):
        assert not look(forge(bundle, tmp_path / "forged.x", {name: deep}), tmp_path / "out").hold
        (tmp_path / "forged.x").unlink()


def test_a_bundle_is_kept_once_and_mended_when_somebody_changed_it(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    opened = open_into(bundle, tmp_path / "out", Checks())
    kept = keep(opened)
    assert kept.folder.is_relative_to(tmp_path / "data" / "bundles")
    manifest = kept.folder / "model/constant.yaml"
    stamp = manifest.stat().st_mtime_ns
    assert keep(opened).folder == kept.folder
    assert manifest.stat().st_mtime_ns == stamp, "it was there, and is left alone"
    manifest.write_text("changed")
    assert (keep(opened).folder / "model/constant.yaml").read_bytes() == members_of(bundle)["model/constant.yaml"]
    assert [path.name for path in kept.folder.parent.iterdir()] == [kept.folder.name]
