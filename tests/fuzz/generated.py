"""Cases that hypothesis makes of nothing but types: documents of every shape, text, and lists of words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.cases import Failure, Fuzzer, as_toml, as_yaml, run_case
from tests.fuzz.seeds import CONFIGURED, MANIFEST_KEYS, PUBLISHED_KEYS, VOCABULARY

_KEYS = (
    *MANIFEST_KEYS, *PUBLISHED_KEYS, "dtype", "shape", "target", "python", "type", "parameters", "graph_path",
    "input_layer", "element_type", "dimensions", "is_archive",
)  # fmt: skip
_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT | st.sampled_from(("model", "dataset", "null"))
)
_NAMES = st.sampled_from(_KEYS) | _TEXT
_TREES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=6), max_leaves=30
)
_TABLES = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(values) | _SCALARS for name, values in CONFIGURED.items()}
) | st.dictionaries(_NAMES, _SCALARS, max_size=3)
STRATEGIES: dict[str, st.SearchStrategy[Any]] = {
    "manifest-tree": st.dictionaries(_NAMES, _TREES, max_size=12).map(as_yaml),
    "manifest-bytes": _TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=60),
    "configuration": st.fixed_dictionaries(
        {}, optional={"bench": _TABLES, "profiles": st.dictionaries(_TEXT, st.fixed_dictionaries({"bench": _TABLES}))}
    ).map(as_toml),
    "user-conf": st.lists(_TEXT, max_size=5).map(lambda lines: "\n".join(lines).encode("utf-8", "replace")),
    "command-line": st.lists(
        st.sampled_from(VOCABULARY) | st.text(st.characters(exclude_characters="\0"), max_size=10), max_size=6
    ).map(lambda words: ["bench", "--dry-run", *words]),
}


def generate(fuzzer: Fuzzer, cases: int, number: int, report: Callable[[Failure], None]) -> int:
    """So many cases, in equal parts of each strategy; returns how many there were."""
    done = 0
    for kind, strategy in STRATEGIES.items():
        done += generate_kind(fuzzer, kind, strategy, (cases // len(STRATEGIES), number), report)
    return done


def generate_kind(
    fuzzer: Fuzzer,
    kind: str,
    strategy: st.SearchStrategy[Any],
    size: tuple[int, int],
    report: Callable[[Failure], None],
) -> int:
    """``size``: how many cases, and hypothesis's seed. A failure is reported when hypothesis has made it small."""
    ran, last = 0, None

    @seed(size[1])
    @settings(
        max_examples=max(1, size[0]), deadline=None, database=None, phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def one(value: Any) -> None:
        nonlocal ran, last
        ran += 1
        failure = run_case(fuzzer, kind, value)
        if failure is not None:
            last = failure
            raise AssertionError(failure.why)

    try:
        one()
    except AssertionError:
        if last is not None:
            report(last)
    return ran
