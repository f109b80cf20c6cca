"""Where members came from, how they are got again, and whether two are the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlharness.environments import comparing
from mlharness.environments.comparing import code_of, difference
from mlharness.environments.origins import (
    Member,
    Origin,
    code_here,
    digest,
    members,
    read_direct_url,
    words_for_pip,
)
from mlharness.errors import UserError
from tests.unit.environments.making import a_record


@pytest.mark.parametrize(
    ("document", "origin"),
    [
        ({"url": "file:///a%20b", "dir_info": {"editable": True}}, Origin("editable", "/a b")),
        ({"url": "file:///a", "dir_info": {}}, Origin("folder", "/a")),
        ({"url": "file:///a/m.whl", "archive_info": {}}, Origin("archive", "/a/m.whl")),
        ({"url": "https://x/m.whl", "archive_info": {}}, Origin("url", "https://x/m.whl")),
        (
            {"url": "https://x/m.git", "vcs_info": {"vcs": "git", "commit_id": "ab12"}, "subdirectory": "plugins/m"},
            Origin("url", "git+https://x/m.git@ab12#subdirectory=plugins/m"),
        ),
    ],
)
def test_what_pep_610_says(document: dict[str, Any], origin: Origin) -> None:
    assert read_direct_url(document) == origin


def test_each_origin_is_got_again_in_its_way(tmp_path: Path) -> None:
    here = str(tmp_path)
    assert words_for_pip(Member("m", "1.0", Origin("index"))) == ["m==1.0"]
    assert words_for_pip(Member("m", "1.0", Origin("index")), "framework") == ["m[framework]==1.0"]
    assert words_for_pip(Member("m", "1.0", Origin("url", "git+x@1")), "framework") == ["m[framework] @ git+x@1"]
    assert words_for_pip(Member("m", "1.0", Origin("folder", here))) == [here]
    assert words_for_pip(Member("m", "1.0", Origin("editable", here)), "framework") == [
        "--editable", f"{here}[framework]",
    ]  # fmt: skip


def test_a_source_that_is_gone_is_the_users(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="which is gone") as caught:
        words_for_pip(Member("m", "1.0", Origin("archive", str(tmp_path / "m.whl"))))
    assert "Install m again" in caught.value.remedy


def test_the_kernel_is_a_member_here() -> None:
    assert "mlharness" in members()


class TestDifference:
    """Of two members with one name."""

    @pytest.fixture(autouse=True)
    def code(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The code that runs has the digest ``c``."""
        monkeypatch.setattr(comparing, "code_here", lambda name: "c")

    TREE = Member("m", "1.0", Origin("editable", "/tree"))
    WHEEL = Member("m", "1.0", Origin("index"), "c")

    def test_one_editable_tree_is_the_same(self) -> None:
        assert difference(self.TREE, self.TREE) == ""

    def test_a_wheel_of_the_same_code_is_as_good_as_its_tree(self) -> None:
        assert difference(self.WHEEL, self.TREE) == ""
        assert difference(self.WHEEL, self.WHEEL) == ""

    def test_another_tree_version_or_code_is_told(self) -> None:
        elsewhere = replace(self.TREE, origin=Origin("editable", "/other"))
        assert "/tree there" in difference(self.TREE, elsewhere)
        assert "/tree there" in difference(self.TREE, self.WHEEL)
        assert difference(replace(self.WHEEL, version="1.1"), self.TREE) == "m is 1.1 there and 1.0 here"
        assert "code of m is another" in difference(replace(self.WHEEL, code="d"), self.TREE)


def test_the_digest_is_of_python_files_and_their_places_only(tmp_path: Path) -> None:
    one, other = tmp_path / "one" / "m", tmp_path / "other" / "m"
    for folder in (one, other):
        (folder / "inner").mkdir(parents=True)
        (folder / "inner" / "a.py").write_text("a = 1\n", "utf-8")
    (other / "data.bin").write_text("more", "utf-8")
    assert digest([one]) == digest([other])
    (other / "inner" / "a.py").rename(other / "a.py")
    assert digest([one]) != digest([other])


def test_the_code_of_an_environment_is_told_by_digests() -> None:
    here = code_of()
    assert here["mlharness"] == code_here("mlharness")
    assert set(here) == set(members())
    held = (Member("mlharness", "1", Origin("editable", "/a")), Member("m", "1", Origin("archive", "/b"), "ab12"),
            Member("elsewhere", "1", Origin("editable", "/c")))  # fmt: skip
    assert code_of(a_record(members=held)) == {"mlharness": here["mlharness"], "m": "ab12", "elsewhere": ""}
