"""What the plugin registers, and what importing it does not do."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

from mlharness.plugins import build_manager

ENTRY = EntryPoint("speech", "mlharness_speech.plugin", "mlharness")


def test_everything_registers_without_an_error() -> None:
    plugins = build_manager(entry_points=[ENTRY])
    assert [plugin.error for plugin in plugins.found] == [""]
    assert plugins.catalog.steps.names() == [
        "audio.decode", "audio.log-mel", "audio.resample", "audio.waveform",
        "speech.ctc-decode", "speech.trim", "speech.whisper-decode",
    ]  # fmt: skip
    assert plugins.catalog.datasets.names() == ["librispeech", "speech"]
    assert plugins.catalog.metrics.names() == ["wer"]
    assert not plugins.catalog.metrics.find("wer").provider.higher_is_better


def test_importing_and_registering_imports_no_library_of_sound() -> None:
    program = (
        "import sys, importlib.metadata as m; from mlharness.plugins import build_manager;"
        "p = build_manager(entry_points=[m.EntryPoint('speech', 'mlharness_speech.plugin', 'mlharness')]);"
        "assert not p.found[0].error, p.found[0].error;"
        "print(sorted({'soundfile', 'soxr', 'jiwer', 'whisper_normalizer', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
