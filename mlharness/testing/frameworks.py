"""What every framework plugin must hold to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest import SkipTest

import numpy as np
from packaging.requirements import Requirement

from mlharness.cores import usable_cores
from mlharness.errors import RunError
from mlharness.runner.worker import check_outputs
from mlharness.testing.effort import cores_used, lines_run, package_of, thread_affinities
from mlharness.testing.framework_subject import FrameworkSubject
from mlharness.testing.growth import PER_LOAD, require_no_growth
from mlharness.testing.subject import THREADS, check_declared, copied, on_threads, same
from mlharness.testing.tensors import check_specs
from mlharness.testing.verdict import raised_by, require, require_user_error

_PREDICTOR = "mlharness.providers.Predictor"
_LOAD = "mlharness.providers.LoadPredictor"
_LOADS = 20
_PREDICTIONS = 20
_SECONDS = 0.3
_ONE_CORE = 1.5
"""The most cores of one thread: the process has others, that start, wait and collect garbage."""
_DISCOVER = """
import json, sys
from mlharness.plugins import build_manager
own = set(sys.modules)  # what mlharness itself needs, as NumPy, is no plugin's fault
build_manager()
print(json.dumps([name for name in sys.argv[1:] if name in sys.modules and name not in own]))
"""


class FrameworkConformance(FrameworkSubject):
    """Checks one framework with one small model. Set ``framework``, and say how the model is made.

    ``options`` are given to load, beside the defaults. ``imports`` are modules that discovery must not import; the
    distribution named in the provider's ``requirement`` is always among them. ``tolerance`` is relative, and compares
    a sample's outputs alone and in a batch. ``free_axis`` is the size that free axes get, ``most_samples`` the largest
    batch that the model takes, ``most_lines`` the most lines of the plugin's own Python in one call of ``predict``.
    """

    def test_it_is_registered_and_described(self) -> None:
        """Options are documented, the version is text, and the device is among the devices."""
        provider, what = self.provider(), f"framework {self.framework!r}"
        check_declared(what, provider.options)
        where = "mlharness.providers.FrameworkProvider"
        version: Any = provider.version()
        require(
            isinstance(version, str) and bool(version),
            f"{what}: version() is {version!r}.",
            "version() gives the framework's version as text",
            where,
        )
        devices = list(provider.devices())
        kinds = [device.partition(":")[0] for device in devices]
        require(
            self.device.partition(":")[0] in kinds,
            f"{what}: devices() is {devices}, without {self.device!r}.",
            "devices() names every device that load takes",
            where,
        )

    def test_discovery_imports_no_framework(self) -> None:
        """A new process that discovers plugins has not imported the framework."""
        requirement = self.provider().requirement
        named = (Requirement(requirement).name.replace("-", "_"),) if requirement else ()
        command = [sys.executable, "-c", _DISCOVER, *named, *self.imports]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        imported = json.loads(done.stdout)
        require(
            not imported,
            f"discovering plugins imports {', '.join(imported)}.",
            "the framework is imported inside the function that needs it",
            "docs/plugins.md, first paragraph",
        )

    def test_tensors_are_described(self, tmp_path: Path) -> None:
        """Inputs and outputs are TensorSpecs with a NumPy dtype, a batch axis, and names of their own."""
        with self.loaded(tmp_path) as predictor:
            for kind, specs in (("inputs", predictor.inputs), ("outputs", predictor.outputs)):
                check_specs(f"{self.framework}: {kind}", specs)

    def test_outputs_are_as_declared(self, tmp_path: Path) -> None:
        """Number, dtype and shape of the outputs are those of ``outputs``, for a small batch and a large one."""
        with self.loaded(tmp_path) as predictor:
            for count in self.sizes(predictor):
                outputs = predictor.predict(self.make_batch(predictor.inputs, count))
                try:
                    check_outputs(outputs, predictor.outputs, (), count)
                except RunError as error:
                    require(
                        False,
                        f"{self.framework}: {error.message}.",
                        "predict returns a list of arrays as outputs declares them, batch axis first",
                        _PREDICTOR,
                    )

    def test_the_same_batch_gives_the_same_outputs(self, tmp_path: Path) -> None:
        """In one predictor, after another batch, and in a predictor that is loaded anew."""
        with self.loaded(tmp_path) as predictor:
            batch = self.make_batch(predictor.inputs, self.sizes(predictor)[0])
            first = copied(predictor.predict(batch))
            predictor.predict(self.make_batch(predictor.inputs, self.sizes(predictor)[1]))
            again = copied(predictor.predict(batch))
        with self.loaded(tmp_path) as other:
            anew = copied(other.predict(batch))
        asks = "predict is deterministic: equal batches give equal outputs, bit for bit"
        require(same(first, again), f"{self.framework}: one batch gives two different outputs.", asks, _PREDICTOR)
        require(
            same(first, anew), f"{self.framework}: another load of the model gives other outputs.", asks, _PREDICTOR
        )

    def test_each_row_belongs_to_its_sample(self, tmp_path: Path) -> None:
        """A sample's outputs are the same alone and in a batch, within ``tolerance``."""
        with self.loaded(tmp_path) as predictor:
            small, large = self.sizes(predictor)
            if small == large:
                return
            batch = self.make_batch(predictor.inputs, large)
            together = copied(predictor.predict(batch))
            for row in (0, large - 1):
                alone = predictor.predict({name: array[row : row + 1] for name, array in batch.items()})
                in_batch = [output[row : row + 1] for output in together]
                require(
                    same(alone, in_batch, self.tolerance),
                    f"{self.framework}: sample {row} has other outputs alone than in a batch of {large}.",
                    "row i of every output belongs to sample i",
                    _PREDICTOR,
                )

    def test_the_batch_stays_as_it_was(self, tmp_path: Path) -> None:
        """The arrays are the sample library's own."""
        with self.loaded(tmp_path) as predictor:
            batch = self.make_batch(predictor.inputs, self.sizes(predictor)[0])
            before = copied(list(batch.values()))
            predictor.predict(batch)
            require(
                same(before, list(batch.values())),
                f"{self.framework}: predict writes into its batch.",
                "predict only reads the arrays that it is given",
                _PREDICTOR,
            )

    def test_outputs_outlive_the_next_prediction(self, tmp_path: Path) -> None:
        """Nothing is written into a buffer that the predictor keeps: the harness looks at some outputs afterwards."""
        with self.loaded(tmp_path) as predictor:
            batch = self.make_batch(predictor.inputs, self.sizes(predictor)[1])
            kept = predictor.predict(batch)
            before = copied(kept)
            # The same values at other places: of another sample, and yet such as the model takes.
            predictor.predict({name: np.roll(array.ravel(), 1).reshape(array.shape) for name, array in batch.items()})
            require(
                same(before, list(kept)),
                f"{self.framework}: a later prediction changes earlier outputs.",
                "predict returns arrays that no later call changes",
                _PREDICTOR,
            )

    def test_predictors_work_side_by_side(self, tmp_path: Path) -> None:
        """Several, each loaded, used and closed on a thread of its own, answer as one alone does."""
        model = self.make_model(tmp_path)
        with self.loaded(tmp_path) as predictor:
            batch = self.make_batch(predictor.inputs, self.sizes(predictor)[0])
            alone = copied(predictor.predict(batch))
        together = threading.Barrier(THREADS, timeout=60)

        def instance(number: int) -> bool:
            mine = self.load(model)
            try:
                together.wait()
                return all(same(alone, mine.predict(batch), self.tolerance) for _ in range(_PREDICTIONS))
            finally:
                mine.close()

        asks = "load, predict and close of one predictor happen on one thread: any, and beside other predictors"
        try:
            right = on_threads(instance, range(THREADS))
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the plugin's
            right = []
            require(
                False,
                f"{self.framework}: on threads of their own, predictors raise {type(error).__name__}: {error}",
                asks,
                _PREDICTOR,
            )
        require(
            all(right), f"{self.framework}: predictors that work side by side give wrong outputs.", asks, _PREDICTOR
        )

    def test_a_thousand_predictions_leak_nothing(self, tmp_path: Path) -> None:
        """Neither memory nor files nor threads."""
        with self.loaded(tmp_path) as predictor:
            batch = self.make_batch(predictor.inputs, self.sizes(predictor)[0])
            require_no_growth(
                f"{self.framework}.predict",
                "predict keeps nothing of a call",
                _PREDICTOR,
                partial(predictor.predict, batch),
            )

    def test_close_gives_back_what_load_took(self, tmp_path: Path) -> None:
        """Neither memory nor files nor threads stay, and close returns a sequence of spans."""
        model = self.make_model(tmp_path)

        def once() -> None:
            predictor = self.load(model)
            spans = predictor.close()
            require(
                isinstance(spans, Sequence),
                f"{self.framework}: close returns {type(spans).__name__}.",
                "close returns framework-level spans, () when there are none",
                _PREDICTOR,
            )

        require_no_growth(
            f"{self.framework}: load and close", "close frees what load took", _PREDICTOR, once, _LOADS, PER_LOAD
        )

    def test_a_device_that_is_not_there_is_a_user_error(self, tmp_path: Path) -> None:
        """The message is what the user of ``--device`` reads."""
        model = self.make_model(tmp_path)
        require_user_error(
            f"{self.framework}: loading on device 'nowhere:7'",
            "load raises UserError for what a user can mend",
            _LOAD,
            partial(self.load_and_close, model, "nowhere:7"),
        )

    def test_bad_models_are_user_errors(self, tmp_path: Path) -> None:
        """Damaged, missing, none: the message is what the author of a manifest reads."""
        bad = self.bad_models(tmp_path)
        if not bad:
            raise SkipTest("no bad models are given: define bad_models(self, folder)")
        for model in bad:
            named = ", ".join(path.name for path in model.files) or "no file"
            require_user_error(
                f"{self.framework}: loading a bad model ({named})",
                "load raises UserError for what a user can mend",
                _LOAD,
                partial(self.load_and_close, model),
            )

    def test_a_batch_without_its_inputs_is_refused(self, tmp_path: Path) -> None:
        """An answer to no question would be a VALID run of a broken model."""
        with self.loaded(tmp_path) as predictor:
            error = raised_by(lambda: predictor.predict({}))
            require(
                error is not None,
                f"{self.framework}: predict answers a batch that has no input.",
                "predict raises when it cannot answer; it invents nothing",
                _PREDICTOR,
            )

    def test_wrong_batches_are_refused(self, tmp_path: Path) -> None:
        """So would be an answer to another question."""
        with self.loaded(tmp_path) as predictor:
            wrong = self.wrong_batches(predictor.inputs, self.sizes(predictor)[1])
            if not wrong:
                raise SkipTest("no wrong batches are given: define wrong_batches(self, inputs, count)")
            for batch in wrong:
                error = raised_by(partial(predictor.predict, dict(batch)))
                found = ", ".join(f"{name} {array.dtype} {list(array.shape)}" for name, array in batch.items())
                asked = ", ".join(f"{spec.name} {spec.dtype} {list(spec.shape)}" for spec in predictor.inputs)
                require(
                    error is not None,
                    f"{self.framework}: predict takes {asked}, and answers a batch of {found}.",
                    "predict raises when it cannot answer; it invents nothing",
                    _PREDICTOR,
                )

    def test_one_thread_is_one_core(self, tmp_path: Path) -> None:
        """``--threads 1`` means what it says: instances side by side would otherwise take each other's cores."""
        option = self.provider().threads
        if not option or self.options.get(option, 1) != 1:
            return  # nothing promises one thread here
        if len(usable_cores()) == 1:
            raise SkipTest("on one core nothing can use more")
        with self.loaded(tmp_path, **{option: 1}) as predictor:
            call = partial(predictor.predict, self.make_batch(predictor.inputs, self.sizes(predictor)[1]))
            cores_used(call, _SECONDS)  # what starts up, or compiles, does so once
            cores = cores_used(call, _SECONDS)
        require(
            cores <= _ONE_CORE,
            f"{self.framework}: predict uses {cores:.1f} cores with {option} = 1.",
            "the threads option bounds the threads that compute",
            "mlharness.providers.FrameworkProvider",
        )

    def test_no_thread_is_bound_to_a_core(self, tmp_path: Path) -> None:
        """Frameworks are compared on the same cores: each of the process's threads may use what the process may."""
        allowed = os.sched_getaffinity(0)
        with self.loaded(tmp_path) as predictor:
            predictor.predict(self.make_batch(predictor.inputs, self.sizes(predictor)[0]))
            bound = [mask for mask in thread_affinities() if mask != allowed]
        require(
            not bound,
            f"{self.framework!r} binds {len(bound)} threads to the cores {sorted(map(sorted, bound))}; "
            f"the process may use {sorted(allowed)}.",
            "no thread's affinity is changed unless an option of the user's says so",
            "docs/bench.md, Equal conditions",
        )

    def test_overhead_does_not_grow_with_the_batch(self, tmp_path: Path) -> None:
        """The plugin's own Python runs few lines in a call, and no more of them for a larger batch."""
        with self.loaded(tmp_path) as predictor:
            package = package_of(type(predictor))
            batches = [self.make_batch(predictor.inputs, count) for count in self.sizes(predictor)]
            few, many = (lines_run(partial(predictor.predict, batch), package) for batch in batches)
        asks = f"at most {self.most_lines} lines of the plugin's Python in the timed path, and no loop over samples"
        require(
            max(few, many) <= self.most_lines,
            f"{self.framework}: predict runs {max(few, many)} lines of Python.",
            asks,
            _PREDICTOR,
        )
        require(
            many - few < self.most_samples // 2,
            f"{self.framework}: predict runs {few} lines for one sample and {many} for {self.most_samples}.",
            asks,
            _PREDICTOR,
        )
