"""Who may run Python that a manifest carries: what plugins ship, and what the user has read and trusted by its hash."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import filelock
import msgspec

from mlharness.errors import TrustError, UserError
from mlharness.manifest.documents import DataSetManifest, ModelManifest
from mlharness.manifest.place import place
from mlharness.manifest.problems import one_line
from mlharness.paths import data_dir


@dataclass(frozen=True)
class TrustEntry:
    """What is trusted: the sha256 of the file's bytes, the path that it had, and when it was trusted (UTC)."""

    sha256: str
    path: str
    since: str


class Trust(Protocol):
    """What :func:`require_trust` needs of a store."""

    def trusts(self, sha256: str) -> bool:
        """True when bytes of this hash are trusted."""
        ...

    def remember(self, sha256: str, path: Path) -> None:
        """Trust bytes of this hash from now on."""
        ...


class TrustStore:
    """The hashes that one user trusts, in a JSON file that only that user can read or write.

    Args:
        path: the file; it and its folder are created when something is remembered.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def trusts(self, sha256: str) -> bool:
        """True when bytes of this hash are trusted. Raises UserError as :meth:`entries` does."""
        return any(entry.sha256 == sha256 for entry in self.entries())

    def entries(self) -> Sequence[TrustEntry]:
        """Everything that is trusted, oldest first. Raises UserError when the file cannot be read or is damaged."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[TrustEntry])
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UserError(f"{self._path} cannot be read: {error.strerror}", "Check its permissions.") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UserError(
                f"{self._path} is damaged: {error}", "Delete it, and give --trust again where it is asked for."
            ) from error

    def remember(self, sha256: str, path: Path) -> None:
        """Trust bytes of this hash from now on. Raises UserError when the store cannot be written."""
        since = datetime.now(timezone.utc).isoformat(timespec="seconds")
        with self._locked():
            others = [entry for entry in self.entries() if entry.sha256 != sha256]
            self._write([*others, TrustEntry(sha256, str(path.absolute()), since)])

    def revoke(self, prefix: str) -> TrustEntry:
        """Forget the one entry whose hash begins so, and return it. Raises UserError when there is none, or several."""
        with self._locked():
            entries = self.entries()
            found = [entry for entry in entries if prefix and entry.sha256.startswith(prefix.lower())]
            if not found:
                raise UserError(f"nothing that is trusted has a hash beginning with {prefix!r}", "See: mlh trust list")
            if len(found) > 1:
                hashes = ", ".join(entry.sha256[: len(prefix) + 8] for entry in found)
                raise UserError(f"{len(found)} hashes begin with {prefix!r}: {hashes}", "Give more digits.")
            self._write([entry for entry in entries if entry is not found[0]])
        return found[0]

    def _locked(self) -> filelock.AcquireReturnProxy[filelock.BaseFileLock]:
        """Held while the file is read and written again, so that two processes do not lose each other's entries."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return filelock.FileLock(f"{self._path}.lock", mode=0o600).acquire()
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def _write(self, entries: Sequence[TrustEntry]) -> None:
        """Replace the file; a crash leaves the old one or the new one."""
        text = msgspec.json.format(msgspec.json.encode(entries), indent=2)
        temporary = ""
        try:
            handle, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")  # mode 0600
            with os.fdopen(handle, "wb") as file:
                file.write(text + b"\n")
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self._path)
        except OSError as error:
            if temporary:
                Path(temporary).unlink(missing_ok=True)
            raise _unwritable(self._path, error) from error


def user_trust() -> TrustStore:
    """The store of the user who runs this process."""
    return TrustStore(data_dir() / "trusted.json")


Manifest: TypeAlias = "ModelManifest | DataSetManifest"


def require_trust(manifest: Manifest, granted: bool, store: Trust, code: Iterable[str] = ()) -> None:
    """As :func:`require_trust_in_all`, of one manifest."""
    require_trust_in_all((manifest,), granted, store, code)


def require_trust_in_all(manifests: Sequence[Manifest], granted: bool, store: Trust, code: Iterable[str] = ()) -> None:
    """Return when the manifests may run; what is granted now is remembered.

    A manifest that a plugin ships, or that neither holds nor names Python, needs no trust.

    Args:
        manifests: what is going to run: the model's, and the data set's.
        granted: the user said ``--trust``.
        store: what the user has trusted before.
        code: keys of a model's attributes at which frameworks take the name of Python.

    Raises:
        TrustError: Python of some of them has not been trusted; each is named, so that none is trusted unseen.
    """
    keys = tuple(code)
    places = {one.origin: first_python(one, keys) for one in manifests if one.origin.plugin is None}
    asked = {origin: where for origin, where in places.items() if where and not store.trusts(origin.sha256)}
    if asked and not granted:
        files = " and ".join(str(origin.path) for origin in asked)
        raise TrustError(
            "\n".join(
                f"{where}: Python that would run on this machine, and that nobody has trusted yet"
                for where in asked.values()
            ),
            f"Read {files}; if you trust {'it' if len(asked) == 1 else 'them'}, run the command again with --trust. "
            "A changed file is asked for again.",
        )
    for origin in asked:
        store.remember(origin.sha256, origin.path)


def named_code(attributes: Mapping[str, Any], keys: Iterable[str]) -> str:
    """The first of the keys, of parts joined by dots, that the attributes have; empty when they have none."""
    return next((key for key in keys if _has(attributes, key.split("."))), "")


def _has(value: Any, parts: Sequence[str]) -> bool:
    for part in parts:
        if not isinstance(value, Mapping) or part not in value:
            return False
        value = value[part]
    return True


def first_python(manifest: Manifest, code: Iterable[str]) -> str:
    """Where a manifest's own Python begins, or the first that it names, as messages say it; empty without any."""
    if isinstance(manifest, DataSetManifest):
        return _first_function(manifest) if manifest.inline else ""
    if not manifest.inline:
        named = named_code(manifest.attributes, code)
        return place(manifest.origin.path, *manifest.key("attributes", *named.split("."))) if named else ""
    stages = {"preprocess": manifest.preprocess, "postprocess": manifest.postprocess}
    keys = [manifest.key(stage, index) for stage, steps in stages.items() for index, s in enumerate(steps) if s.inline]
    return place(manifest.origin.path, *(keys[0] if keys else manifest.key("metric", "python")))


def _first_function(manifest: DataSetManifest) -> str:
    """Where the first function of a data set begins; its source begins there, or on the line before."""
    name = min(manifest.lines, key=lambda name: manifest.lines[name], default="")
    return one_line(f"{manifest.origin.path}:{manifest.lines.get(name, 1)}: options.{name}")


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path} cannot be written: {error.strerror}", "Check its folder, or set MLH_DATA_DIR.")
