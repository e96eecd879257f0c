from __future__ import annotations

from collections.abc import Iterator

import pytest

from executions.provenance.verification import check, on_record

WRITE_PAST_THE_ENGINE = frozenset({"test_surviving", "test_clocks_and_versions", "test_leases"})
"""Modules whose tests write into rows, or hand in outputs that are not as the engine stores them."""


@pytest.fixture(autouse=True)
def _what_happened_verifies(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test has the engine do: what is left on record has to be what happened."""
    if "alice" in request.fixturenames:
        request.getfixturevalue("alice")
    yield
    if "alice" in request.fixturenames and request.path.stem not in WRITE_PAST_THE_ENGINE:
        ids = [execution_id for execution_id, _ in on_record()]
        found = [(one.execution_id, str(finding)) for one in check(ids) for finding in one.verdict.findings]
        assert found == []
