"""``--require-quality``: a run that the host disturbed too much is made again, and every attempt is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Result = dict[str, Any]


def attempt(
    run: Callable[[], Result], required: str | None, attempts: int, tell: Callable[[str], None]
) -> tuple[Result, bool]:
    """Run until the grade is good enough, at most ``attempts`` times.

    Args:
        run: makes one run, in a directory of its own.
        required: the worst grade that is good enough; None makes one run whatever its grade.
        attempts: the most runs, the first one included.
        tell: is told of each run that is not good enough.

    Returns:
        The result to report, and whether it is good enough. That is the last one if it is; otherwise the one with the
        best grade, the earliest of several, so that no figure has a say in which run is reported.
    """
    results: list[Result] = []
    for number in range(1, attempts + 1):
        result = run()
        if required is None or good_enough(result, required):
            return result, True
        results.append(result)
        tell(f"attempt {number} of {attempts}, {result['run_id']}: {grade_of(result)}, and {required} is required")
        if not worth_repeating(result):
            break
    return best(results), False


def good_enough(result: Result, required: str) -> bool:
    """Whether the grade is the required one or better; a run without a grade is not."""
    quality = result["quality"]
    return quality is not None and str(quality["grade"]) <= required


def worth_repeating(result: Result) -> bool:
    """Only a worse grade is: a run that failed, or a host that tells nothing, would do the same again."""
    return result["quality"] is not None


def best(results: Sequence[Result]) -> Result:
    """The best grade, the earliest of several; results without a grade come last."""
    return min(results, key=lambda result: result["quality"]["grade"] if result["quality"] else "Z")


def grade_of(result: Result) -> str:
    """The grade in words."""
    return f"quality {result['quality']['grade']}" if result["quality"] else "quality unknown"
