"""Writes a LoadGen accuracy log over the tests' SQuAD data, for MLPerf's own script to score.

The figures that tests/test_squad.py holds were obtained so, with the files of language/bert in mlcommons/inference,
tokenization.py of google-research/bert beside them, and transformers 4:

    python scripts/write_squad_log.py 7 mlperf_log_accuracy.json
    python accuracy-squad.py --vocab_file bert-uncased-vocab.txt --val_data dev-v1.1.json \
        --log_file mlperf_log_accuracy.json --out_file predictions.json --features_cache_file features.pickle
"""

from __future__ import annotations

import importlib.resources
import json
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS))

if __name__ == "__main__":
    from making import as_log, squad_responses
    from mlharness_language import squad_data

    from mlharness.options import resolve_options

    vocab = importlib.resources.files("mlharness_language") / "files" / "bert-uncased-vocab.txt"
    options = resolve_options("data set 'squad'", squad_data.OPTIONS, {"root": str(TESTS / "data")})
    dataset = squad_data.open_squad(options, None, lambda source: Path(str(vocab)))
    Path(sys.argv[2]).write_text(json.dumps(as_log(squad_responses(dataset, int(sys.argv[1])))), "utf-8")
