"""Stand-ins for models that cannot be had here: the same interface, fewer weights, and those random."""

from __future__ import annotations

import numpy as np
import torch
from mlharness_speech.rnnt import BLANK, RnnTransducer, network

SIZES = {"hidden": 64, "predicted": 32, "joined": 32}
"""Of the small RNN-T; MLPerf's has 1024, 320 and 512."""


def small_rnnt() -> RnnTransducer:
    """The network of ``mlperf-rnnt`` with weights that make it write something: NumPy's, which stay what they are."""
    found = network(**SIZES)
    random = np.random.default_rng(11)
    with torch.no_grad():
        for parameter in found.parameters():
            drawn = random.normal(0, 0.3 if parameter.ndim > 1 else 0.1, tuple(parameter.shape))
            parameter.copy_(torch.from_numpy(drawn))
        last = found.joint_net[-1]
        assert isinstance(last, torch.nn.Linear)
        last.bias[BLANK] += 2.0
    return found
