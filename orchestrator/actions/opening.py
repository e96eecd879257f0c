"""The secrets of a claimed step: opened only now, put into its config, and known to whoever has to hide them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from uuid import UUID

from contract.json_values import JSON
from orchestrator.outcomes import Claim, Limits, encode
from tenants.masking import Masker, masker
from workflows.failures import StepFailed
from workflows.secret_references import ROOT, filled_in
from workflows.spec import EffectfulProgram

OpenSecrets = Callable[[UUID, Collection[str]], dict[str, str]]
"""The execution and names of secrets, to the values of those that its tenant has."""

LEAST_CREDENTIAL = 8
"""A literal credential of fewer characters is not looked for: `k` is a key somewhere."""


def opened(claim: Claim, limits: Limits, open_secrets: OpenSecrets) -> tuple[dict[str, JSON], Masker]:
    """The config to carry out, and what finds every secret of it in whatever comes back. Raises StepFailed."""
    program = claim.step.program
    assert isinstance(program, EffectfulProgram), "nothing else is claimed"
    if ROOT not in claim.step.roots:
        return claim.config, masker(frozenset(_credentials(program, claim.config)))
    names = {str(reference.path[0]) for reference in claim.step.references if reference.root == ROOT}
    values = open_secrets(claim.execution_id, names)
    hiding = masker(frozenset(values.values()))
    try:
        config = filled_in(claim.config, values, limits.output_bytes)
        encode(config, limits, "input")
        config = program.checked(config)
    except StepFailed as failed:
        raise StepFailed(failed.kind, hiding.cut_text(failed.message)) from None
    return config, masker(frozenset([*values.values(), *_credentials(program, config)]))


def _credentials(program: EffectfulProgram, config: dict[str, JSON]) -> Iterator[str]:
    """The literal ones, each word of them too: a server that repeats a header may leave its scheme out."""
    for credential in program.credentials(config):
        yield from (word for word in {credential, *credential.split()} if len(word) >= LEAST_CREDENTIAL)
