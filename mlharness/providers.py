"""What plugins provide: one frozen dataclass per kind, and the protocols of the objects that they make.

Everything here is data and types: importing it imports no framework. A plugin hands these to a registrar
(:mod:`mlharness.registrars`); the kernel looks them up by name in a catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Arrays: TypeAlias = tuple[Array, ...]
Context: TypeAlias = dict[str, Any]
"""What steps are told beside their arrays: ``attributes``, ``options`` and ``sample_indices`` of the call."""
StepFunction: TypeAlias = Callable[[Arrays, Context], "Arrays | Array"]


@dataclass(frozen=True)
class Option:
    """One thing a user can tune: its type, default and meaning.

    ``default`` None means "left to the provider"; a ``required`` option has no default. A ``file`` is a URI or a path
    from the manifest; a step and a metric are given the local file, a :class:`~pathlib.Path`. It is not fetched.
    """

    name: str
    type: Literal["integer", "number", "string", "boolean", "array", "object", "file"]
    doc: str
    default: Any = None
    choices: tuple[Any, ...] = ()
    required: bool = False


@dataclass(frozen=True)
class TensorSpec:
    """A model input or output: name, NumPy dtype name, shape with the batch axis first and None for free axes.

    An empty dtype or shape is left open: by a manifest to the model, by a predictor that cannot tell. The name that a
    manifest gives may be a place, see :func:`mlharness.tensors.own_names`.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class ResponseSpec:
    """The bytes of one sample's response in LoadGen's log: NumPy dtype name, and row shape (None: any length)."""

    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Model:
    """What a framework loads: local files in the manifest's order, declared inputs and outputs, free attributes."""

    name: str
    files: tuple[Path, ...]
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)


class Predictor(Protocol):
    """A loaded model on a device. Load, predict and close of one predictor happen on one thread."""

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        """What the loaded model takes, by name."""
        ...

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        """What :meth:`predict` returns, in order; empty until it was called when nothing else can tell."""
        ...

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        """Outputs in the order of :attr:`outputs`, batch axis first, for one array per input name."""
        ...

    def close(self) -> Sequence[Any]:
        """Free the device; return :class:`~mlharness.trace.spans.Spans` when the load was given a tracer, else none."""
        ...


class LoadPredictor(Protocol):
    """``load(model, device, options, trace=None)`` makes a predictor; raises UserError for what a user can mend.

    ``trace`` is the opened :class:`Tracer` of this framework's own level, where its plugin provides one and the user
    asked for that level: a framework that must be told beforehand that it is going to be traced is told by it.
    """

    def __call__(self, model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> Predictor: ...


@dataclass(frozen=True)
class Complexity:
    """How large a network is, so that two of one name can be told apart.

    ``parameters`` counts the elements of what training learns (weights, biases, scales), not running statistics;
    ``multiply_adds`` the multiplications of convolutions and matrix products for one sample (None: not known).
    """

    parameters: int
    multiply_adds: int | None = None


class MeasureComplexity(Protocol):
    """``complexity(predictor, batch)`` of a loaded model; ``batch`` holds one sample, or the model's fixed batch."""

    def __call__(self, predictor: Any, batch: Mapping[str, Array]) -> Complexity: ...


@dataclass(frozen=True)
class FrameworkProvider:
    """A machine-learning framework.

    ``version`` and ``devices`` are called in the runner only, since they may import the framework. ``requirement``
    is the PEP 508 name of the distribution that carries the framework, and ``variants`` names others that carry it in
    its place (``{"gpu": "onnxruntime-gpu"}``); ``threads`` is the option that ``--threads`` sets. ``complexity`` is
    called once per test, on the predictor's thread, outside the timed part. ``code`` are the keys within a manifest's
    ``attributes``, joined by dots, at which the framework takes the name of Python that it will execute: a manifest
    that has one needs trust. ``endings`` are those of its files' names (``.onnx``), in lower case, by which
    ``mlh init model`` knows whose a file is.
    """

    name: str
    load: LoadPredictor
    version: Callable[[], str]
    devices: Callable[[], Sequence[str]]
    options: tuple[Option, ...] = ()
    aliases: tuple[str, ...] = ()
    requirement: str = ""
    threads: str = ""
    variants: Mapping[str, str] = field(default_factory=dict)
    complexity: MeasureComplexity | None = None
    code: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()


class DataSet(Protocol):
    """An opened data set. ``sample`` is called from several threads at once; everything else from one."""

    def __len__(self) -> int:
        """How many samples there are (limited to ``count`` when the user gave one)."""
        ...

    def check(self) -> None:
        """Cheap check that every file is there and readable (headers only); UserError names the first bad one."""
        ...

    def sample(self, index: int) -> Arrays:
        """The raw arrays of one sample. A file is one array of its bytes (uint8, 1-D); text is its UTF-8 bytes."""
        ...

    def label(self, index: int) -> Any:
        """The ground truth of one sample, as the metric expects it; None when there is none."""
        ...


@runtime_checkable
class FileDataSet(DataSet, Protocol):
    """A data set each sample of which is one file. Published manifests, whose Python opens files itself, need it."""

    def file(self, index: int) -> Path:
        """The file of one sample."""
        ...


@runtime_checkable
class LoadingDataSet(DataSet, Protocol):
    """A data set that is told which samples are in use: ``load`` before they are asked for, ``unload`` afterwards."""

    def load(self, indices: Sequence[int]) -> None:
        """These samples will be asked for, in this order; others only after they have been unloaded."""
        ...

    def unload(self, indices: Sequence[int]) -> None:
        """These samples, all that were loaded, are no longer needed."""
        ...


class OpenDataSet(Protocol):
    """``open(options, count, locate)``: ``locate`` turns a URI or path of the manifest into a local file."""

    def __call__(self, options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> DataSet: ...


@dataclass(frozen=True)
class DataSetProvider:
    """A kind of data set (image files, a table ...); a data-set manifest names it and gives its options."""

    name: str
    open: OpenDataSet
    options: tuple[Option, ...] = ()


@dataclass(frozen=True)
class StepProvider:
    """A named processing step: ``make(**parameters)`` returns the function that is called.

    The function gets the arrays of one sample, without a batch axis, or, when ``batch`` is true, of a whole batch;
    and the context. It returns one array or a tuple. Sample steps run in several threads when samples are loaded, so
    the function must not keep state unless ``serial`` says so. ``make`` is called in the runner only.
    """

    name: str
    make: Callable[..., StepFunction]
    doc: str
    parameters: tuple[Option, ...] = ()
    batch: bool = False
    serial: bool = False


@dataclass(frozen=True)
class Score:
    """An accuracy figure over ``n`` samples with its confidence interval (95 %), in ``unit``.

    ``details`` are further figures of the same responses, by name, as the official script prints them.
    """

    value: float
    unit: str
    n: int
    interval: tuple[float, float] | None
    details: Mapping[str, float] = field(default_factory=dict)


class ScoreResponses(Protocol):
    """``score(responses, label, options)``: responses by sample index, each of the metric's dtype and row shape."""

    def __call__(
        self, responses: Mapping[int, Array], label: Callable[[int], Any], options: Mapping[str, Any]
    ) -> Score: ...


@dataclass(frozen=True)
class MetricProvider:
    """An accuracy metric. ``response`` gives, from the options, the bytes that it reads back from LoadGen's log."""

    name: str
    score: ScoreResponses
    response: Callable[[Mapping[str, Any]], ResponseSpec]
    doc: str
    options: tuple[Option, ...] = ()
    higher_is_better: bool = True


@dataclass(frozen=True)
class SourceProvider:
    """A URL scheme that files come from.

    ``locate(uri, sha256)`` answers at once with a local file or None, in any process, and downloads nothing.
    ``fetch(uri, sha256, advance)`` brings the file here and returns it; it runs in the runner, and calls ``advance``
    with (bytes so far, bytes in all). A source without ``fetch`` has nothing to bring: not located means missing.
    ``digest_required`` refuses manifests that give no sha256. ``framework`` names the framework without which
    ``fetch`` cannot work: it then runs in an environment that has it. ``formats`` are the values of the query
    parameter ``format``, by which the files of a zoo can be had for other frameworks. With ``md5``, both functions
    take ``md5:`` and 32 digits in the place of a sha256, too; any other source is asked for the file without a
    checksum, and the kernel holds what it gives against the md5. ``fetch_over_http`` takes the place of ``fetch`` where
    the user allows plain http; a source that has only that is refused where the user does not.
    """

    scheme: str
    locate: Callable[[str, str | None], Path | None]
    fetch: Callable[[str, str | None, Callable[[int, int], None]], Path] | None = None
    digest_required: bool = False
    framework: str = ""
    formats: tuple[str, ...] = ()
    md5: bool = False
    fetch_over_http: Callable[[str, str | None, Callable[[int, int], None]], Path] | None = None


@dataclass(frozen=True)
class TraceRequest:
    """What a tracer is told: the levels asked for, a folder of its own for what it writes, and what is going to run.

    ``every`` and ``first`` are the user's ``--trace-sample``: every so many queries are kept, and no more than the
    first so many (0: no limit). A tracer may heed them; what it records beyond is dropped afterwards.
    """

    levels: tuple[str, ...]
    folder: Path
    framework: str
    device: str
    options: Mapping[str, Any]
    instances: int
    threads: int
    every: int = 1
    first: int = 0


class Tracer(Protocol):
    """One source of spans or readings, in the traced run's process. All calls come from its main thread.

    What any of them raises marks the level as broken, with the reason, and never ends the run. ``begin`` and ``end``
    stand around LoadGen's test, which begins after the predictors have been loaded and warmed up.
    """

    def start(self) -> None:
        """Before the predictors are loaded."""
        ...

    def begin(self) -> None:
        """Right before LoadGen's test."""
        ...

    def end(self) -> None:
        """Right after it."""
        ...

    def collect(self) -> Any:
        """After the predictors were closed: :class:`~mlharness.trace.spans.Spans`, or a sequence of them."""
        ...


@dataclass(frozen=True)
class TracerProvider:
    """A source of spans or readings of one level.

    ``open(request)`` makes a :class:`Tracer`; it is called in the runner of a traced run only. ``framework``: only
    for runs on that framework. ``unavailable(request)`` says in a short sentence why this machine, or this framework,
    cannot give what the source reads (empty: it can); it, too, is called in the runner.
    """

    name: str
    level: str
    open: Callable[[TraceRequest], Tracer]
    doc: str
    framework: str = ""
    unavailable: Callable[[TraceRequest], str] = lambda request: ""


@dataclass(frozen=True)
class ManifestFolder:
    """A folder with ``models/*.yaml`` and ``datasets/*.yaml``; what an installed plugin ships is trusted."""

    path: Path
