"""``mlh bench``: what the command line says reaches the run, and each way a run can end has its exit code."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlharness import bench as bench_module
from mlharness.choices import Choices
from mlharness.errors import PluginError, RunError, UserError
from mlharness.request import Request
from mlharness.result import Findings, make_result
from mlharness.supervise import RunnerBug
from mlharness.system import describe_system
from tests.unit.cli.conftest import Mlh, Ran
from tests.unit.runner.making import a_metric, a_plan
from tests.unit.runner.measurements import a_measured

RUN = Path("20260101T000000Z-tiny-Offline-abcdef")


def a_result(passed: bool | None = None, **findings: Any) -> dict[str, Any]:
    """A result document; ``passed`` says whether an accuracy target was met."""
    target = {None: None, True: 1.0, False: 99.0}[passed]
    score = {"value": 50.0, "unit": "%", "n": 8, "interval": None, "details": {}}
    plan = a_plan(metric=a_metric(target=target))
    return make_result(plan, RUN, Findings(score=score, **findings), describe_system(), "then", "now")


VALID: dict[str, Any] = {"performance": a_measured(RUN)}
INVALID: dict[str, Any] = {"performance": a_measured(RUN, result_validity="INVALID", result_min_queries_met=False)}


class Bench:
    """Stands in for a run: keeps the requests, and answers with results or errors in turn."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.earlier: list[int] = []
        self.ends: list[dict[str, Any] | BaseException] = []

    def __call__(self, request: Request, earlier: Sequence[Any] = ()) -> dict[str, Any]:
        self.requests.append(request)
        self.earlier.append(len(earlier))
        end = self.ends.pop(0) if self.ends else a_result(**VALID)
        if isinstance(end, BaseException):
            raise end
        return end

    @property
    def choices(self) -> Choices:
        return self.requests[-1].choices


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    """No run is made; no configuration file is found."""
    stand_in = Bench()
    monkeypatch.setattr(bench_module, "bench", stand_in)
    monkeypatch.chdir(tmp_path)
    return stand_in


class TestOptions:
    """From words to choices."""

    def test_without_options_everything_is_left_open(self, mlh: Mlh, bench: Bench, tmp_path: Path) -> None:
        assert mlh("bench", "null").code == 0
        assert bench.choices == Choices()
        assert bench.requests[0].model.name == bench.requests[0].dataset.name == "null"
        assert bench.requests[0].root == tmp_path / "mlh_data_dir" / "runs"

    @pytest.mark.parametrize(
        ("words", "field", "value"),
        [
            (["--dataset", "null"], "dataset", "null"),
            (["--framework", "null==1"], "framework", "null==1"),
            (["--scenario", "Offline"], "scenario", "Offline"),
            (["--scenario", "multistream"], "scenario", "MultiStream"),
            (["--mode", "BOTH"], "mode", "both"),
            (["--rules", "mlperf"], "rules", "mlperf"),
            (["--device", "cuda:1"], "device", "cuda:1"),
            (["--instances", "3"], "instances", 3),
            (["--threads", "4"], "threads", 4),
            (["--batch-size", "8"], "batch_size", 8),
            (["--max-wait", "0.25"], "max_wait_us", 250),
            (["--max-wait", "0"], "max_wait_us", 0),
            (["--target-qps", "12.5"], "target_qps", 12.5),
            (["--target-latency", "15"], "target_latency_ms", 15.0),
            (["--duration", "0.5"], "duration_s", 0.5),
            (["--min-queries", "100"], "min_queries", 100),
            (["--count", "10"], "count", 10),
            (["--warmup", "5"], "warmup", 5),
            (["--seed", "0"], "seed", 0),
            (["--label", "a=1", "--label", "b=x=y", "--label", "c="], "labels", {"a": "1", "b": "x=y", "c": ""}),
            (["--option", "a=1", "--option", "a=2"], "options", ("a=1", "a=2")),
            (["--trust"], "trust", True),
            (["--allow-http"], "allow_http", True),
            (["--stall-timeout", "90"], "stall_timeout_s", 90.0),
        ],
    )
    def test_each_option(self, mlh: Mlh, bench: Bench, words: list[str], field: str, value: object) -> None:
        ran = mlh("bench", "null", *words)
        assert ran.code == 0, ran.err
        default = getattr(Choices(), field)
        assert getattr(bench.choices, field) == value
        assert value != default or field in ("scenario", "mode")

    def test_files_and_folders(self, mlh: Mlh, bench: Bench, tmp_path: Path) -> None:
        for name in ("user.conf", "audit.config", "system.json"):
            (tmp_path / name).write_text("{}")
        words = ("--user-conf", "user.conf", "--audit-conf", "audit.config", "--system-description", "system.json")
        assert mlh("bench", "null", *words, "--output", "here").code == 0
        assert bench.choices.user_conf == Path("user.conf")
        assert bench.choices.audit_conf == Path("audit.config")
        assert bench.choices.system_description == Path("system.json")
        assert bench.requests[0].root == Path("here")

    def test_blocked_plugins_are_left_out_of_runners_too(self, mlh: Mlh, bench: Bench) -> None:
        assert mlh("bench", "null", "--block", "builtin-table").code == 0
        assert bench.requests[0].blocked == ("builtin-table",)

    def test_defaults_come_from_a_configuration_file(self, mlh: Mlh, bench: Bench, tmp_path: Path) -> None:
        (tmp_path / "mlharness.toml").write_text('[bench]\nscenario = "Offline"\nduration = 2\nlabel = ["by=file"]\n')
        assert mlh("bench", "null", "--duration", "3").code == 0
        assert (bench.choices.scenario, bench.choices.duration_s) == ("Offline", 3.0)
        assert bench.choices.labels == {"by": "file"}


class TestMistakes:
    """Exit code 2, before anything is run."""

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["nulll"], "nulll"),
            (["null", "--scenario", "Ofline"], "Ofline"),
            (["null", "--instances", "0"], "0"),
            (["null", "--instances", "4097"], "4097"),
            (["null", "--duration", "0"], "0"),
            (["null", "--duration", "-1"], "-1"),
            (["null", "--duration", "nan"], "nan is not a number"),
            (["null", "--duration", "inf"], "inf"),
            (["null", "--target-qps", "nan"], "nan is not a number"),
            (["null", "--max-wait", "nan"], "nan is not a number"),
            (["null", "--max-wait", "inf"], "inf"),
            (["null", "--target-latency", "1e300"], "1e+300"),
            (["null", "--seed", str(2**64)], str(2**64)),
            (["null", "--min-queries", str(2**63)], str(2**63)),
            (["null", "--label", "a"], "--label 'a' is no label"),
            (["null", "--label", "=a"], "--label '=a' is no label"),
            (["null", "--user-conf", "missing"], "missing"),
            (["null", "--dataset", "missing"], "missing"),
            (["null", "--device", "gpu", "--dry-run"], "--device 'gpu' is no device"),
            (["null", "--require-quality", "B", "--mode", "accuracy"], "--require-quality"),
            (["null", "--scenaroi", "Offline"], "--scenaroi"),
        ],
    )
    def test_one_message_with_a_remedy_and_no_run(self, mlh: Mlh, bench: Bench, words: list[str], message: str) -> None:
        ran = mlh("bench", *words, "--json")
        assert ran.code == 2
        error = ran.document["error"]
        assert message in error["message"]
        assert error["remedy"]
        assert "Traceback" not in ran.err
        assert bench.requests == []

    def test_a_model_of_a_plugin_that_is_blocked(self, mlh: Mlh, bench: Bench) -> None:
        assert "Blocked: builtin-manifests." in mlh("bench", "null", "--block", "builtin-manifests").err

    def test_a_model_without_a_data_set(self, mlh: Mlh, bench: Bench, tmp_path: Path) -> None:
        manifest = {"kind": "model", "name": "m", "version": "1", "framework": {"name": "null"}}
        (tmp_path / "m.yaml").write_text(yaml.safe_dump(manifest))
        ran = mlh("bench", "m.yaml")
        assert ran.code == 2
        assert "names no data set" in ran.err
        assert mlh("bench", "m.yaml", "--dataset", "null").code == 0

    def test_python_of_a_stranger_wants_trust(self, mlh: Mlh, bench: Bench, tmp_path: Path) -> None:
        source = "def postprocess(ctx, data):\n    return data\n"
        manifest = {
            "kind": "model", "name": "m", "version": "1", "framework": {"name": "null"}, "dataset": "null",
            "postprocess": [{"python": source}],
        }  # fmt: skip
        (tmp_path / "m.yaml").write_text(yaml.safe_dump(manifest))
        assert mlh("bench", "m.yaml").code == 2
        assert bench.requests == []
        assert mlh("bench", "m.yaml", "--trust").code == 0
        assert mlh("bench", "m.yaml").code == 0, "trust is remembered"
        [entry] = mlh("trust", "list", "--json").document["trusted"]
        assert (entry["path"], len(entry["sha256"])) == (str(tmp_path / "m.yaml"), 64)
        (tmp_path / "m.yaml").write_text(yaml.safe_dump({**manifest, "version": "2"}))
        assert mlh("bench", "m.yaml").code == 2, "a changed file is asked for again"
        assert mlh("bench", "m.yaml", "--trust").code == 0
        assert mlh("trust", "revoke", entry["sha256"][:12]).code == 0
        assert mlh("bench", "m.yaml").code == 0, "it was the file as it was before that is no longer trusted"
        (tmp_path / "m.yaml").write_text(yaml.safe_dump(manifest))
        assert mlh("bench", "m.yaml").code == 2


class TestDryRun:
    """The plan, and nothing else."""

    def test_json_is_the_plan(self, mlh: Mlh, bench: Bench, tmp_path: Path) -> None:
        words = ("--scenario", "Offline", "--label", "who=ci", "--output", str(tmp_path / "runs"))
        ran = mlh("bench", "null", *words, "--dry-run", "--json")
        assert ran.code == 0
        assert ran.document["test"]["scenario"] == "Offline"
        assert ran.document["labels"] == {"who": "ci"}
        assert len(ran.document["plan_sha256"]) == 64
        assert bench.requests == []
        assert not (tmp_path / "runs").exists()

    def test_people_read_the_same_as_yaml(self, mlh: Mlh, bench: Bench) -> None:
        shown = yaml.safe_load(mlh("bench", "null", "--dry-run").out)
        assert shown == mlh("bench", "null", "--dry-run", "--json").document
        assert bench.requests == []

    def test_planning_mistakes_are_found(self, mlh: Mlh, bench: Bench) -> None:
        ran = mlh("bench", "null", "--dry-run", "--instances", "2")
        assert ran.code == 2
        assert "--instances 2" in ran.err


class TestExitCodes:
    """How runs end."""

    @pytest.mark.parametrize(
        ("end", "code"),
        [
            (a_result(**VALID), 0),
            (a_result(passed=True, **VALID), 0),
            (a_result(passed=False, **VALID), 4),
            (a_result(**INVALID), 3),
            (a_result(passed=False, **INVALID), 3),
            (a_result(failure="boom"), 3),
            (UserError("no such device", "Use another."), 2),
            (PluginError("no framework is named 'x'"), 2),
            (RunError("the download broke"), 3),
            (RunnerBug("Traceback ..."), 1),
            (ZeroDivisionError("oh"), 1),
            (KeyboardInterrupt(), 130),
        ],
    )
    @pytest.mark.parametrize("json_", [False, True])
    def test_each_end_has_its_code(
        self, mlh: Mlh, bench: Bench, end: dict[str, Any] | BaseException, code: int, json_: bool
    ) -> None:
        bench.ends = [end]
        ran = mlh("bench", "null", *(["--json"] if json_ else []))
        assert ran.code == code
        assert ("Traceback" in ran.err) == (code == 1)
        if json_:
            assert isinstance(end, BaseException) or ran.document == json.loads(json.dumps(end))
            assert not isinstance(end, BaseException) or set(ran.document) == {"error"}

    def test_a_plugin_error_names_what_could_not_be_loaded(self, mlh: Mlh, bench: Bench) -> None:
        bench.ends = [PluginError("no framework is named 'x'", "Known: none.")]
        assert "Blocked: builtin-table." in mlh("bench", "null", "--block", "builtin-table").err

    def test_the_signals_are_as_they_were_afterwards(self, mlh: Mlh, bench: Bench) -> None:
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        mlh("bench", "null")
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


class TestRepeat:
    """One plan, run several times."""

    def run(self, mlh: Mlh, bench: Bench, *ends: Any) -> Ran:
        bench.ends = list(ends)
        return mlh("bench", "null", "--repeat", str(len(ends)), "--json")

    def test_one_run_is_a_document_and_several_are_a_list(self, mlh: Mlh, bench: Bench) -> None:
        assert self.run(mlh, bench, a_result(**VALID)).document["status"] == "valid"
        results = self.run(mlh, bench, a_result(**VALID), a_result(**INVALID), a_result(**VALID)).document["results"]
        assert [result["status"] for result in results] == ["valid", "invalid", "valid"]
        assert bench.earlier[-3:] == [0, 1, 2], "each is held against those before it"

    @pytest.mark.parametrize(
        ("ends", "code"),
        [
            ([a_result(**VALID), a_result(**INVALID), a_result(**VALID)], 3),
            ([a_result(passed=False, **VALID), a_result(**VALID)], 4),
            ([a_result(passed=False, **VALID), a_result(failure="boom")], 3),
            ([a_result(**INVALID), KeyboardInterrupt()], 130),
        ],
    )
    def test_the_worst_code_wins(self, mlh: Mlh, bench: Bench, ends: list[Any], code: int) -> None:
        assert self.run(mlh, bench, *ends).code == code

    def test_people_see_each_as_it_ends(self, mlh: Mlh, bench: Bench) -> None:
        bench.ends = [a_result(**VALID), a_result(**INVALID)]
        verdicts = [line for line in mlh("bench", "null", "--repeat", "2").out.splitlines() if "(quick)" in line]
        assert [verdict.rpartition(": ")[2] for verdict in verdicts] == ["VALID (quick)", "INVALID (quick)"]

    def test_every_run_has_an_observer_of_its_own_that_is_gone_afterwards(
        self, mlh: Mlh, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[set[Any]] = []
        answer: Callable[[Request, Sequence[Any]], dict[str, Any]] = bench.__call__

        def look(request: Request, earlier: Sequence[Any]) -> dict[str, Any]:
            seen.append(set(request.plugins.manager.get_plugins()))
            return answer(request, earlier)

        monkeypatch.setattr(bench_module, "bench", look)
        mlh("bench", "null", "--repeat", "2")
        assert len(seen[0] - seen[1]) == len(seen[1] - seen[0]) == 1
        left = bench.requests[0].plugins.manager.get_plugins()
        assert left == seen[0] & seen[1]
