"""From a manifest's words to a local file: paths, file:// and pkg://, checksums, and schemes that nobody provides."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from mlharness.builtin import sources
from mlharness.errors import PluginError, UserError
from mlharness.manifest.files import digest, locate_here, locate_options, resolve
from mlharness.providers import Option, SourceProvider
from mlharness.registrars import Catalog, SourceRegistrar

CONTENT = b"content of a model"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = f"md5:{hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()}"
WRONG = "0" * 64


@pytest.fixture
def catalog() -> Catalog:
    catalog = Catalog()
    sources.mlh_register_sources(SourceRegistrar(catalog, "builtin-sources"))
    return catalog


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that cannot be imported without harm, with one file in a folder."""
    folder = tmp_path / "site" / "mlh_test_package"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')", "utf-8")
    (folder / "models" / "a.onnx").write_bytes(CONTENT)
    (tmp_path / "site" / "outside").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return folder


def test_digest(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"x" * (3 << 20))
    assert digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_path_is_relative_to_the_manifest(tmp_path: Path, catalog: Catalog) -> None:
    odd = tmp_path / "a b#c?%20é.onnx"
    odd.write_bytes(CONTENT)
    assert resolve(odd.name, tmp_path, SHA256, catalog) == odd
    assert resolve(str(odd), Path("/nowhere"), None, catalog) == odd
    assert resolve(odd.as_uri(), Path("/nowhere"), SHA256, catalog) == odd


def test_a_relative_base(tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.onnx").write_bytes(CONTENT)
    assert resolve("m.onnx", Path(), None, catalog) == tmp_path / "m.onnx"


@pytest.mark.parametrize("fetch", [False, True])
def test_a_missing_file_cannot_be_fetched(tmp_path: Path, catalog: Catalog, fetch: bool) -> None:
    with pytest.raises(UserError, match=r"there is no file none\.onnx") as raised:
        resolve("none.onnx", tmp_path, None, catalog, fetch=fetch)
    assert str(tmp_path) in raised.value.message


def test_a_wrong_checksum_of_a_local_file(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(CONTENT)
    with pytest.raises(UserError, match=f"found {SHA256}, expected {WRONG}") as raised:
        resolve("m.onnx", tmp_path, WRONG, catalog)
    assert "correct sha256 in the manifest" in raised.value.remedy
    assert path.exists(), "a user's own file is never removed"


def test_an_md5_is_checked_for_sources_that_know_nothing_of_it(tmp_path: Path, catalog: Catalog) -> None:
    asked: list[str | None] = []

    def locate(uri: str, sha256: str | None) -> Path | None:
        asked.append(sha256)
        return tmp_path / "m.onnx" if uri == "zoo://here" else None

    def fetch(uri: str, sha256: str | None, advance: object) -> Path:
        asked.append(sha256)
        return tmp_path / "m.onnx"

    SourceRegistrar(catalog, "zoo").source(SourceProvider("zoo", locate, fetch))
    (tmp_path / "m.onnx").write_bytes(CONTENT)
    for source in ("m.onnx", "zoo://here", "zoo://there"):
        assert resolve(source, tmp_path, MD5, catalog, fetch=True) == tmp_path / "m.onnx"
        with pytest.raises(UserError, match=f"{source} has the wrong md5: found {MD5[4:]}, expected {'0' * 32}"):
            resolve(source, tmp_path, f"md5:{'0' * 32}", catalog, fetch=True)
    assert set(asked) == {None}, "a sha256 is all that these were promised"
    SourceRegistrar(catalog, "strict").source(SourceProvider("strict", locate, fetch, digest_required=True))
    with pytest.raises(UserError, match="strict://a has an md5 only"):
        resolve("strict://a", tmp_path, MD5, catalog)


def test_a_folder_may_be_a_model_but_has_no_checksum(tmp_path: Path, catalog: Catalog) -> None:
    (tmp_path / "saved_model").mkdir()
    assert resolve("saved_model", tmp_path, None, catalog) == tmp_path / "saved_model"
    with pytest.raises(UserError, match="a folder has no sha256"):
        resolve("saved_model", tmp_path, SHA256, catalog)


@pytest.mark.parametrize("uri", ["file://server/share/m.onnx", "file://m.onnx"])
def test_files_of_other_machines(tmp_path: Path, catalog: Catalog, uri: str) -> None:
    with pytest.raises(UserError, match="names no file of this machine"):
        resolve(uri, tmp_path, None, catalog)


def test_paths_that_no_file_can_have(tmp_path: Path, catalog: Catalog) -> None:
    for source in ("a\0b", "file:///a%00b", "x" * 300):
        with pytest.raises(UserError):
            resolve(source, tmp_path, None, catalog)


def test_an_unreadable_file(tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, algorithm: str) -> str:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "m.onnx").touch()
    monkeypatch.setattr("mlharness.manifest.files.digest", refuse)
    with pytest.raises(UserError, match=r"m\.onnx cannot be read: Permission denied"):
        resolve("m.onnx", tmp_path, SHA256, catalog)


def test_a_file_of_a_package_that_is_not_imported(package: Path, catalog: Catalog) -> None:
    found = resolve("pkg://mlh_test_package/models/a.onnx", Path(), SHA256, catalog)
    assert found == package / "models" / "a.onnx"
    assert "mlh_test_package" not in sys.modules


def test_a_namespace_package_has_several_folders(
    tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in ("1", "2"):
        (tmp_path / number / "mlh_test_space").mkdir(parents=True)
        monkeypatch.syspath_prepend(str(tmp_path / number))
    (tmp_path / "1" / "mlh_test_space" / "x").touch()
    (tmp_path / "2" / "mlh_test_space" / "y").touch()
    assert resolve("pkg://mlh_test_space/x", Path(), None, catalog) == tmp_path / "1/mlh_test_space/x"
    assert resolve("pkg://mlh_test_space/y", Path(), None, catalog) == tmp_path / "2/mlh_test_space/y"


def test_a_wrong_checksum_in_a_package(package: Path, catalog: Catalog) -> None:
    with pytest.raises(UserError, match=f"found {SHA256}, expected {WRONG}"):
        resolve("pkg://mlh_test_package/models/a.onnx", Path(), WRONG, catalog)


@pytest.mark.parametrize(
    "uri",
    [
        "pkg://mlh_test_package/../outside",
        "pkg://mlh_test_package/models/../../outside",
        "pkg://mlh_test_package//etc/passwd",
        "pkg://mlh_test_package/",
        "pkg://mlh_test_package",
        "pkg://mlh_test_package.models/a.onnx",
        "pkg:///models/a.onnx",
        "pkg://../x",
    ],
)
@pytest.mark.usefixtures("package")
def test_nothing_outside_a_package(catalog: Catalog, uri: str) -> None:
    with pytest.raises(UserError, match="names no file of a package"):
        resolve(uri, Path(), None, catalog)


@pytest.mark.usefixtures("package")
def test_a_missing_package_and_a_missing_file_of_one(catalog: Catalog) -> None:
    with pytest.raises(UserError, match="the package mlh_no_such is not installed") as raised:
        resolve("pkg://mlh_no_such/a", Path(), None, catalog, fetch=True)
    assert "pip install mlh-no-such" in raised.value.remedy
    with pytest.raises(UserError, match=r"mlh_test_package has no file b\.onnx"):
        resolve("pkg://mlh_test_package/b.onnx", Path(), None, catalog)
    for module in ("__main__", "hashlib"):
        with pytest.raises(UserError, match="is not installed"):
            resolve(f"pkg://{module}/x", Path(), None, catalog)


@pytest.mark.parametrize("uri", ["http://example.org/m.onnx", "HTTP://example.org/m.onnx"])
def test_plain_http_is_refused_with_a_remedy_unless_the_user_allows_it(catalog: Catalog, uri: str) -> None:
    for fetch in (False, True):
        with pytest.raises(UserError, match="plain http://") as raised:
            resolve(uri, Path(), SHA256, catalog, fetch=fetch)
        assert "https://" in raised.value.remedy
        assert "--allow-http" in raised.value.remedy
    assert resolve(uri, Path(), SHA256, catalog, allow_http=True) is None
    with pytest.raises(UserError, match=f"{uri} has no sha256"):
        resolve(uri, Path(), None, catalog, allow_http=True)


def test_a_source_has_its_way_over_plain_http_only_where_the_user_allows_it(catalog: Catalog) -> None:
    fetch = lambda uri, sha256, advance: Path("safely")  # noqa: E731  # one line is all it is
    plainly = lambda uri, sha256, advance: Path("plainly")  # noqa: E731  # one line is all it is
    nowhere = lambda uri, sha256: None  # noqa: E731  # one line is all it is
    SourceRegistrar(catalog, "both").source(SourceProvider("both", nowhere, fetch, fetch_over_http=plainly))
    SourceRegistrar(catalog, "safe").source(SourceProvider("safe", nowhere, fetch))
    assert resolve("both://m", Path(), None, catalog, fetch=True) == Path("safely")
    assert resolve("both://m", Path(), None, catalog, fetch=True, allow_http=True) == Path("plainly")
    assert resolve("safe://m", Path(), None, catalog, fetch=True, allow_http=True) == Path("safely")


def test_an_unknown_scheme(catalog: Catalog) -> None:
    with pytest.raises(PluginError, match="htps://x/y: no source is named 'htps'") as raised:
        resolve("htps://x/y", Path(), None, catalog)
    assert "Did you mean 'https'?" in raised.value.remedy


def test_https_needs_a_checksum(catalog: Catalog) -> None:
    with pytest.raises(UserError, match="https://x/y has no sha256"):
        resolve("https://x/y", Path(), None, catalog)
    with pytest.raises(UserError, match="no usable sha256"):
        resolve("https://x/y", Path(), "../../etc", catalog)


def test_what_has_yet_to_be_fetched_is_none_until_fetch_is_asked_for(catalog: Catalog) -> None:
    told: list[tuple[int, int]] = []

    def fetch(uri: str, sha256: str | None, advance: object) -> Path:
        assert callable(advance)
        advance(1, 2)
        return Path(uri.rpartition("/")[2])

    SourceRegistrar(catalog, "cloud").source(SourceProvider("s3", lambda uri, sha256: None, fetch))
    assert resolve("s3://bucket/m", Path(), None, catalog) is None
    advance = lambda done, total: told.append((done, total))  # noqa: E731  # one line is all it is
    assert resolve("s3://bucket/m", Path(), None, catalog, fetch=True, advance=advance) == Path("m")
    assert told == [(1, 2)]


class TestOptionsThatAreFiles:
    """Options of the type ``file``."""

    declared = (
        Option("vocab", "file", "Words."),
        Option("merges", "file", "Pairs."),
        Option("name", "string", "No file."),
    )

    def test_local_files_take_the_place_of_what_the_manifest_writes(self, package: Path, catalog: Catalog) -> None:
        given = {"vocab": "pkg://mlh_test_package/models/a.onnx", "merges": None, "name": "a.onnx"}
        found = locate_options(given, self.declared, Path("/nowhere"), catalog)
        assert found == {"vocab": package / "models" / "a.onnx", "merges": None, "name": "a.onnx"}

    def test_a_path_counts_from_the_manifest(self, package: Path, catalog: Catalog) -> None:
        assert locate_here("a.onnx", package / "models", catalog) == package / "models" / "a.onnx"

    def test_a_missing_file_is_named(self, tmp_path: Path, catalog: Catalog) -> None:
        given = {"vocab": "vocab.txt", "merges": None, "name": None}
        with pytest.raises(UserError, match=r"there is no file vocab\.txt"):
            locate_options(given, self.declared, tmp_path, catalog)

    def test_nothing_is_fetched_without_a_checksum(self, tmp_path: Path, catalog: Catalog) -> None:
        with pytest.raises(UserError, match="would have to be fetched") as caught:
            locate_here("https://example.org/vocab.txt", tmp_path, catalog)
        assert "pkg://" in caught.value.remedy
