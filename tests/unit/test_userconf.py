"""user.conf: what mlharness reads is what LoadGen itself would take; what LoadGen would pass over is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlharness.errors import UserError
from mlharness.userconf import KEYS, TOKENS, read_user_conf
from tests.unit.runner.conf import ask_loadgen

PRECEDENCE = """
# the weakest first
*.*.target_qps = 1
resnet50.*.target_qps = 2
*.Server.target_qps = 3
resnet50.Server.target_qps = 4.5
*.Server.min_duration = 2000
bert.Server.min_duration = 3000
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "user.conf"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("model", ["resnet50", "bert", "unheard-of"])
@pytest.mark.parametrize("scenario", ["Server", "Offline"])
def test_precedence_is_loadgens(tmp_path: Path, model: str, scenario: str) -> None:
    conf = write(tmp_path, PRECEDENCE)
    ours, theirs = read_user_conf(conf, model, scenario), ask_loadgen(conf, model, scenario)
    rate = "server_target_qps" if scenario == "Server" else "offline_expected_qps"
    assert theirs["code"] == 0
    assert theirs[rate] == ours["target_qps"]
    assert theirs["min_duration_ms"] == ours.get("min_duration", 600_000)


def test_a_model_without_a_key_takes_only_what_is_for_all(tmp_path: Path) -> None:
    assert read_user_conf(write(tmp_path, PRECEDENCE), "", "Server") == {"target_qps": 3.0, "min_duration": 2000.0}


def test_the_last_of_two_lines_counts(tmp_path: Path) -> None:
    conf = write(tmp_path, "*.Server.target_qps = 5\n*.Server.target_qps = 6\n")
    assert (
        read_user_conf(conf, "", "Server")["target_qps"] == 6.0 == ask_loadgen(conf, "*", "Server")["server_target_qps"]
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# words of any number\n*.Server.target_qps = 7\n",
        "#alone\n*.Server.target_qps = 7\n",
        "\t *.Server.target_qps\t=   7  \r\n",
        "*.Server.target_qps = 7.\n",
        "*.Server.target_qps = 70e-1\n",
    ],
)
def test_what_is_read_is_what_loadgen_takes(tmp_path: Path, text: str) -> None:
    conf = write(tmp_path, text)
    theirs = ask_loadgen(conf, "*", "Server")
    assert theirs["code"] == 0
    assert theirs["server_target_qps"] == read_user_conf(conf, "", "Server").get("target_qps", 1.0)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("*.Server.target_qps = 7 # a comment", "is not a setting"),
        ("#two words", "is not a setting"),
        ("*.Server.target_qps 7", "is not a setting"),
        ("*.Server.target_qps = 1_0", "'1_0' is not a number"),
        ("*.Server.target_qps = fast", "'fast' is not a number"),
    ],
)
def test_what_loadgen_refuses_is_refused_with_file_and_line(tmp_path: Path, line: str, problem: str) -> None:
    conf = write(tmp_path, f"\n{line}\n")
    assert ask_loadgen(conf, "*", "Server")["code"] != 0
    with pytest.raises(UserError, match=problem) as caught:
        read_user_conf(conf, "", "Server")
    assert f"{conf}:2: " in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("*.Server.target_qps=7", "is not a setting"),
        ("*.Server.target_qps =", "is not a setting"),
        ("*.target_qps = 7", "is not a setting"),
        ("*.server.target_qps = 7", "no scenario is named 'server'"),
        ("*.Server.target_qsp = 7", "LoadGen has no setting 'target_qsp'"),
        ("*.Server.min_duration = 1e3", "'1e3' is not a whole number"),
        ("*.Server.min_duration = 010", "'010' is not a whole number"),
        ("*.Server.min_query_count = -1", "'-1' is not a whole number"),
        ("*.Server.target_latency = 0.5", "'0.5' is not a whole number"),
    ],
)
def test_what_loadgen_would_misread_without_a_word_is_refused(tmp_path: Path, line: str, problem: str) -> None:
    conf = write(tmp_path, f"{line}\n")
    theirs = ask_loadgen(conf, "*", "Server")
    assert theirs["code"] == 0, "LoadGen takes it"
    written = float(line.rpartition("=")[2].strip() or "nan")
    assert written not in (theirs["server_target_qps"], theirs["min_duration_ms"], theirs["min_query_count"])
    with pytest.raises(UserError, match=problem):
        read_user_conf(conf, "", "Server")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
def test_what_no_json_can_hold_is_no_number(tmp_path: Path, value: str) -> None:
    with pytest.raises(UserError, match="is not a number"):
        read_user_conf(write(tmp_path, f"*.Server.target_qps = {value}\n"), "", "Server")


@pytest.mark.parametrize("scenario", ["SingleStream", "MultiStream"])
def test_a_streams_latency_may_be_a_fraction_of_a_millisecond(tmp_path: Path, scenario: str) -> None:
    conf = write(tmp_path, f"*.{scenario}.target_latency = 0.25\n")
    setting = {"SingleStream": "single_stream", "MultiStream": "multi_stream"}[scenario]
    assert read_user_conf(conf, "", scenario) == {"target_latency": 0.25}
    assert ask_loadgen(conf, "*", scenario)[f"{setting}_expected_latency_ns"] == 250_000


def test_misspelt_names_get_the_likely_right_one(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_user_conf(write(tmp_path, "*.Server.target_qsp = 7\n"), "", "Server")
    assert caught.value.remedy.startswith("Did you mean 'target_qps'?")


def test_a_mistake_in_another_scenario_is_found_too(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="min_durration"):
        read_user_conf(write(tmp_path, "bert.Offline.min_durration = 7\n"), "resnet50", "Server")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"user\.conf cannot be read"):
        read_user_conf(tmp_path / "user.conf", "", "Server")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "user.conf").write_bytes(b"# a comment\n\xff\xfe\x00")
    with pytest.raises(UserError, match=r"user\.conf:2: not UTF-8 \(byte 0xff\)"):
        read_user_conf(tmp_path / "user.conf", "", "Server")


@pytest.mark.parametrize("key", sorted(TOKENS))
@pytest.mark.parametrize("name", ["*.*", "*.Server", "bert.*", "bert.Server"])
def test_settings_about_tokens_are_refused_where_they_count(tmp_path: Path, name: str, key: str) -> None:
    conf = write(tmp_path, f"*.Server.target_qps = 7\n{name}.{key} = 1\n")
    with pytest.raises(UserError, match=f"{key} is about the latency of tokens") as caught:
        read_user_conf(conf, "bert", "Server")
    assert caught.value.message.startswith(f"{conf}:2: ")
    assert "whole samples" in caught.value.remedy


def test_settings_about_another_models_tokens_are_left_alone(tmp_path: Path) -> None:
    conf = write(tmp_path, "llama2-70b.Server.ttft_latency = 2000\n*.Offline.use_token_latencies = 1\n")
    assert read_user_conf(conf, "bert", "Server") == {}


@pytest.mark.parametrize("key", sorted(KEYS - TOKENS - {"mode"}))
def test_every_known_key_is_taken_as_a_whole_number(tmp_path: Path, key: str) -> None:
    assert read_user_conf(write(tmp_path, f"*.Server.{key} = 1\n"), "", "Server") == {key: 1.0}
