"""What pip could not install, told with the requirement that it is about."""

from __future__ import annotations

import pytest

from mlharness.environments.creating import blame_requirement
from mlharness.errors import UserError

SAID = """pip install for e failed; the last lines were:
  ERROR: Could not find a version that satisfies the requirement {name} (from versions: none)
  ERROR: No matching distribution found for {name}"""


@pytest.mark.parametrize("wanted", ["no-such", "no-such==9", "no-such[extra]>=1,<2", "No.Such"])
def test_a_requirement_that_cannot_be_had_is_named_first(wanted: str) -> None:
    error = UserError(SAID.format(name=wanted), "Mend what they name.")
    found = blame_requirement(error, ("no", "such", "no-such-thing", wanted))
    assert found.message == f"there is no {wanted}, which is required: {error.message}"
    assert "requires" in found.remedy


@pytest.mark.parametrize("said", ["numpy", "no-such-thing", "no-such.thing==2", "not-no-such"])
def test_what_is_not_about_a_requirement_stays_as_it_is(said: str) -> None:
    error = UserError(SAID.format(name=said), "Mend what they name.")
    assert blame_requirement(error, ("no-such==1",)) is error
