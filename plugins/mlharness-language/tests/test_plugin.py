"""What the plugin registers, and what importing it does not do."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

from mlharness.plugins import build_manager

ENTRY = EntryPoint("language", "mlharness_language.plugin", "mlharness")


def test_everything_registers_without_an_error() -> None:
    plugins = build_manager(entry_points=[ENTRY])
    assert [plugin.error for plugin in plugins.found] == [""]
    assert plugins.catalog.steps.names() == [
        "text.attention-mask", "text.detokenize", "text.l2-normalize", "text.mean-pool", "text.pad",
        "text.span-logits", "text.tokenize", "text.truncate", "text.wordpiece",
    ]  # fmt: skip
    assert plugins.catalog.datasets.names() == ["cnn-dailymail", "sentence-pairs", "squad"]
    assert plugins.catalog.metrics.names() == ["bleu", "rouge", "similarity", "squad"]
    (folder,) = plugins.catalog.manifests
    found = {path.relative_to(folder.provider.path).as_posix() for path in folder.provider.path.rglob("*.yaml")}
    assert found == {
        "models/all-minilm-l6-v2.yaml", "models/mlperf-bert.yaml", "models/mlperf-bert-int8.yaml",
        "datasets/squad.yaml", "datasets/cnn-dailymail.yaml", "datasets/sentence-pairs.yaml",
    }  # fmt: skip


def test_importing_and_registering_imports_no_library_of_language() -> None:
    program = (
        "import sys, importlib.metadata as m; from mlharness.plugins import build_manager;"
        "p = build_manager(entry_points=[m.EntryPoint('language', 'mlharness_language.plugin', 'mlharness')]);"
        "assert not p.found[0].error, p.found[0].error;"
        "print(sorted({'tokenizers', 'rouge_score', 'nltk', 'sacrebleu', 'torch', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
