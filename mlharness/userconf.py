"""MLPerf's user.conf: LoadGen itself applies it; the parent reads it to know which settings it already fixes."""

from __future__ import annotations

import math
import re
from pathlib import Path

from mlharness.errors import UserError, did_you_mean

KEYS = frozenset(
    {
        "accuracy_log_rng_seed", "accuracy_log_sampling_target", "accuracy_sample_count_override", "coalesce_queries",
        "infer_token_latencies", "max_async_queries", "max_duration", "max_query_count", "min_duration",
        "min_query_count", "mode", "performance_issue_same", "performance_issue_same_index",
        "performance_issue_unique", "performance_sample_count_override", "print_timestamps",
        "sample_concatenate_permutation", "samples_per_query", "target_latency", "target_latency_percentile",
        "target_qps", "token_latency_scaling_factor", "tpot_latency", "ttft_latency", "use_token_latencies",
    }
)  # fmt: skip
"""The keys that LoadGen looks up in a user.conf; it ignores any other without a word."""

FRACTIONAL = frozenset({"target_latency_percentile", "target_qps", "token_latency_scaling_factor"})
"""Keys that LoadGen reads as fractions; elsewhere ``1e3`` is 1 to it, and ``010`` is 8."""
TOKENS = frozenset(
    {"infer_token_latencies", "token_latency_scaling_factor", "tpot_latency", "ttft_latency", "use_token_latencies"}
)
"""Keys about the latency of tokens: LoadGen would judge a run by first tokens, of which mlharness never tells it."""
STREAMS = ("SingleStream", "MultiStream")
"""Where ``target_latency`` is a fraction too; Server's limit is in whole milliseconds."""

REMEDY = "Write: model.scenario.key = number (spaces around the equals sign; a comment on a line of its own: # text)."
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"0|[1-9]\d*", re.ASCII)
SCENARIOS = ("SingleStream", "MultiStream", "Server", "Offline", "*")


def read_user_conf(path: Path, model: str, scenario: str) -> dict[str, float]:
    """The settings of a user.conf for one model and scenario.

    Args:
        path: the file; each line is ``model.scenario.key = number``, or a comment that begins with ``#``; ``*`` stands
            for all.
        model: the model's key in mlperf.conf; empty matches only ``*``.
        scenario: LoadGen's name.

    Returns:
        Values by key, as they stand in the file (times in milliseconds, percentiles in percent).

    Raises:
        UserError: a file that cannot be read, a line of another form, a key that LoadGen would ignore, or a number of
            which LoadGen would take only a part; a setting about tokens for this very model and scenario.
    """
    try:
        raw = path.read_bytes()
        lines = raw.decode("utf-8").split("\n")  # LoadGen knows no other end of a line
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error}", "Give the path of a user.conf.") from error
    except UnicodeDecodeError as error:
        place = raw.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}:{place}: not UTF-8 (byte 0x{raw[error.start]:02x})", "Save the file as UTF-8."
        ) from None
    places, entries = {}, {}
    for number, line in enumerate(lines, start=1):
        if entry := parse_line(line, f"{path}:{number}"):
            entries[entry[0]], places[entry[0]] = entry[1], f"{path}:{number}"
    found: dict[str, float] = {}
    # LoadGen's order of precedence, the weakest first.
    for of_model, of_scenario in (("*", "*"), (model, "*"), ("*", scenario), (model, scenario)):
        for name in (name for name in entries if name[:2] == (of_model, of_scenario)):
            if name[2] in TOKENS:
                raise refuse_tokens(f"{places[name]}: {name[2]}")
            found[name[2]] = entries[name]
    return found


def refuse_tokens(what: str) -> UserError:
    """The error for a setting about tokens; ``what`` says where it stands."""
    return UserError(
        f"{what} is about the latency of tokens, which mlharness does not measure yet",
        "Remove the setting: latencies are then those of whole samples.",
    )


def parse_line(line: str, where: str) -> tuple[tuple[str, str, str], float] | None:
    """One line as ((model, scenario, key), value); None for an empty one."""
    text, words = line.strip(), line.split()  # as LoadGen does: it passes over "a=1" without a word
    if not words or words[0] == "#" or (len(words) == 1 and words[0].startswith("#")):
        return None
    if len(words) != 3 or words[1] != "=" or words[0].count(".") < 2:
        raise UserError(f"{where}: {text!r} is not a setting", REMEDY)
    model, scenario, key = words[0].rsplit(".", 2)
    if scenario not in SCENARIOS:
        raise UserError(f"{where}: no scenario is named {scenario!r}", did_you_mean(scenario, SCENARIOS))
    if key not in KEYS:
        raise UserError(f"{where}: LoadGen has no setting {key!r}", did_you_mean(key, KEYS))
    return (model, scenario, key), parse_number(words[2], scenario, key, where)


def parse_number(text: str, scenario: str, key: str, where: str) -> float:
    """A value as LoadGen would read it. Raises UserError when it is no number, or LoadGen would take a part of it."""
    if not _NUMBER.fullmatch(text) or math.isinf(float(text)):
        raise UserError(f"{where}: {key}: {text!r} is not a number", REMEDY)
    fractional = key in FRACTIONAL or (key == "target_latency" and scenario in STREAMS)
    if not fractional and not _WHOLE.fullmatch(text):
        raise UserError(
            f"{where}: {key}: {text!r} is not a whole number, and LoadGen reads it as one", "Write digits only."
        )
    return float(text)
