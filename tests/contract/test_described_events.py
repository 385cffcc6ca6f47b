"""Each type of event is taken and refused as the description says: schemathesis, all checks on."""

import pytest

from tests.contract.driving import EVENTS, LINES, check

# Caps come last: one in another currency that binds every person leaves nothing to lend for the others.
NAMES = [*sorted(EVENTS, key=lambda name: "cap.set" in name), LINES]


@pytest.mark.parametrize("name", NAMES)
def test_every_answer_is_as_described(lender, stock, described, name):
    check(lender, stock, described, name, 6, covered=False)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NAMES)
def test_every_answer_is_as_described_at_length(lender, stock, described, name):
    check(lender, stock, described, name, 500, covered=True)
