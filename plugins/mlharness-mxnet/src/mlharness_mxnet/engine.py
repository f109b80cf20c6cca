"""MXNet's engine: one for a process, set up before it is first used.

The engine decides on which thread an operator runs. The threaded engine, MXNet's own default, hands every operator to
threads that all predictors share, so that several single-threaded instances would wait for one thread. The naive engine
runs an operator on the thread that asks for it, before the call returns; OpenMP's number of threads then belongs to
that thread, too, and each instance can have its own.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlharness.errors import UserError

_ENGINES = {"naive": "NaiveEngine", "threaded": "ThreadedEnginePerDevice"}
_INSTALL = "Run: pip install 'mlharness-mxnet[framework]', with Python 3.10 or 3.11."
_VERSION = re.compile(r"^__version__ = [\"']([^\"']+)[\"']", re.MULTILINE)
_STARTING = threading.Lock()
_BINDING = threading.Lock()


def start(
    engine: str = "naive",
    threads: int = 1,
    worker_threads: int = 1,
    wait_policy: str = "passive",
    device: str = "cpu",
) -> Any:
    """Import MXNet with these settings, and return it; what runs already keeps its settings, and the engine must agree.

    Args:
        engine: ``naive`` or ``threaded``.
        threads: OpenMP threads of an operator; in the naive engine for the calling thread alone.
        worker_threads: threads of the threaded engine.
        wait_policy: what OpenMP's idle threads do, ``passive`` or ``active``.
        device: checked before the engine, so that a missing GPU is told as what it is.

    Raises:
        UserError: MXNet cannot be imported, there is no such device, or the process uses the other engine already.
    """
    for name, value in (("threads", threads), ("worker_threads", worker_threads)):
        if value < 1:
            raise UserError(f"framework 'mxnet': {name} is {value}", "Give 1 or more.")
    with _STARTING:
        os.environ["MXNET_ENGINE_TYPE"] = _ENGINES[engine]
        os.environ["MXNET_CPU_WORKER_NTHREADS"] = str(worker_threads)
        # Read when MXNet's libraries are loaded, and so without effect on a second call.
        os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(threads)
        os.environ["OMP_WAIT_POLICY"] = wait_policy
        os.environ.setdefault("MXNET_SUBGRAPH_VERBOSE", "0")  # a line for each executor
        mxnet = import_mxnet()
        context_of(mxnet, device)
        check_engine(mxnet, engine)
    # Python offers no function for it. It counts for the calling thread, as OpenMP's settings do.
    mxnet.base.check_call(mxnet.base._LIB.MXSetNumOMPThreads(threads))
    return mxnet


def import_mxnet() -> Any:
    """The module. Raises UserError when MXNet is not installed, or cannot work with what is."""
    try:
        with warnings.catch_warnings():
            # mxnet 1.9.1 uses names that NumPy 1.23 and Python 3.11 deprecate; no one here could mend that.
            warnings.simplefilter("ignore", DeprecationWarning)
            import mxnet
    except AttributeError as error:  # names that NumPy 1.24 took away
        raise UserError(f"MXNet cannot work with the installed NumPy: {error}", _INSTALL) from error
    except OSError as error:
        raise UserError(
            f"MXNet's libraries cannot be loaded: {error}", "Install what is missing, as: apt install libquadmath0"
        ) from error
    except ImportError as error:
        raise UserError(f"MXNet cannot be imported: {error}", _INSTALL) from error
    return mxnet


def check_engine(mxnet: Any, engine: str) -> None:
    """Raise UserError when other code of this process has started MXNet's other engine before.

    MXNet does not say which engine it uses. But a wrong operator fails at once in the naive engine, and only when its
    output is waited for in the threaded one.
    """
    at_once = False
    try:
        wrong = mxnet.nd.random.normal(0, -1, (1,))
    except mxnet.MXNetError:
        at_once = True
    else:
        with contextlib.suppress(mxnet.MXNetError):  # fetched here, or some later wait would raise it
            wrong.wait_to_read()
    if at_once != (engine == "naive"):
        raise UserError(
            f"MXNet runs in this process with another engine than {engine!r}: it was used before the model was loaded",
            f"Set MXNET_ENGINE_TYPE={_ENGINES[engine]} in the environment, or choose the other: --option engine=...",
        )


def bind(symbol: Any, context: Any, backend: str, bulk: bool, **arrays: Any) -> Any:
    """An executor of a symbol. Two of its settings are read from the environment at that moment, so one at a time."""
    with _BINDING:
        os.environ["MXNET_SUBGRAPH_BACKEND"] = backend
        os.environ["MXNET_EXEC_BULK_EXEC_INFERENCE"] = str(int(bulk))
        return symbol.bind(context, grad_req="null", **arrays)


def context_of(mxnet: Any, device: str) -> Any:
    """MXNet's context of ``cpu`` or ``cuda:N``. Raises UserError for a device that is not there."""
    if device == "cpu":
        return mxnet.cpu()
    if device == "cuda":
        device = "cuda:0"
    known = available_devices()
    if device not in known:
        remedy = f"Devices here: {', '.join(known)}."
        if device.startswith("cuda:"):
            remedy += " For CUDA: pip uninstall mxnet && pip install mxnet-cu112, and check the driver."
        raise UserError(f"MXNet {mxnet.__version__} has no device {device!r} here", remedy)
    return mxnet.gpu(int(device.partition(":")[2]))


def available_devices() -> list[str]:
    """``cpu``, and ``cuda:N`` for every GPU that this build of MXNet finds."""
    mxnet = import_mxnet()
    try:
        gpus = mxnet.context.num_gpus()
    except mxnet.MXNetError:  # a CUDA build without a driver
        gpus = 0
    return ["cpu", *(f"cuda:{number}" for number in range(gpus))]


def engine_for(device: str, options: Mapping[str, Any]) -> str:
    """The engine that the options ask for; by default one that does not wait for the GPU after each operator."""
    if options["engine"] != "auto":
        return str(options["engine"])
    return "naive" if device == "cpu" else "threaded"


def installed_version() -> str:
    """MXNet's version as its package says it, which is not imported. Raises ImportError without MXNet."""
    spec = importlib.util.find_spec("mxnet")
    for folder in (spec and spec.submodule_search_locations) or ():
        found = _VERSION.search((Path(folder) / "libinfo.py").read_text("utf-8"))
        if found:
            return found[1]
    raise ImportError("No module named 'mxnet'", name="mxnet")


def reason(error: Exception) -> str:
    """What an MXNetError says, without the stack of C++ frames."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = next((line for line in lines if "Error:" in line or "Check failed" in line), lines[-1] if lines else "")
    return said.removeprefix("MXNetError: ")
