"""The manifests that mlharness ships itself."""

from __future__ import annotations

from mlharness import hookimpl
from mlharness.registrars import ManifestRegistrar
from mlharness.resources import resource_folder


@hookimpl
def mlh_register_manifests(registrar: ManifestRegistrar) -> None:
    registrar.folder(resource_folder("manifests"))
