"""Which steps of a definition have to be at hand, so that what follows from an end can be decided. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from workflows.effects import Effect
from workflows.spec import COMPENSATIONS, Spec, StepSpec


def reach(spec: Spec, index: int, limit: int) -> frozenset[int]:
    """The steps that an end of `index` can touch with no outcome from outside: breadth first, about `limit` at most."""
    seen: dict[int, None] = {index: None}
    pending = [index]
    while pending and len(seen) < limit:
        step = spec.step(pending.pop(0))
        for child in _touched(step):
            if child not in seen:
                seen[child] = None
                if child == step.owner or spec.written(child).effect is Effect.PURE:
                    pending.append(child)
    return frozenset(seen)


def ahead(spec: Spec, index: int, limit: int) -> frozenset[int]:
    """The steps that `index` reaches, and the next that follow whatever the outcomes are, to `limit` with those."""
    seen = dict.fromkeys(reach(spec, index, limit))
    pending = list(seen)
    while pending and len(seen) < limit:
        following = [child for child in _touched(spec.step(pending.pop(0))) if child not in seen]
        following = following[: limit - len(seen)]
        seen.update(dict.fromkeys(following))
        pending += following
    return frozenset(seen)


def onwards(spec: Spec, indexes: Iterable[int], limit: int) -> frozenset[int]:
    """What the ends of these can touch, one after the other, to about `limit` steps."""
    seen: set[int] = set()
    for index in indexes:
        if len(seen) >= limit:
            break
        seen |= reach(spec, index, limit)
    return frozenset(seen)


def _touched(step: StepSpec) -> tuple[int, ...]:
    """The steps that an end of this one can touch at once."""
    owner = () if step.owner is None or step.index >= COMPENSATIONS else (step.owner,)
    return (*step.children, *(() if step.handler is None else (step.handler,)), *owner)
