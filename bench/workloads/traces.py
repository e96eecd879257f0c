"""Real scientific workflows (WfCommons), their steps as no-ops: shapes that nobody made up."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.figures import Figure
from bench.ground import Ground
from bench.workload import Field, Runs, Workload
from config.stack.data_dir import CHECKOUT

NAMES = (
    "helloworld-chain-5-chameleon",
    "epigenomics-chameleon-hep-1seq-100k-001",
    "montage-chameleon-2mass-005d-001",
    "bacass-dirt02-001",
)
SHORT = {name: name.split("-")[0] for name in NAMES}


def folder() -> Path:
    """`TRACEWAY_DATA`/wfinstances, else what stands beside the checkout."""
    return Path(os.environ.get("TRACEWAY_DATA") or CHECKOUT.parent / "shared" / "data") / "wfinstances"


@contextmanager
def _enter(ground: Ground) -> Iterator[Field]:
    node, made = ground.main, Field()
    found = {name: folder() / f"{name}.json" for name in NAMES if (folder() / f"{name}.json").exists()}
    if not found:
        made.notes.append("No traces here: TRACEWAY_DATA says where the folder wfinstances is.")
        yield made
        return
    imported = {name: _definition(node.stack.manage("import_wfformat", str(path))) for name, path in found.items()}
    workflows = {
        name: (node.publish({**definition, "name": ground.name(SHORT[name])}), len(definition["steps"]))
        for name, definition in imported.items()
    }

    def turn() -> dict[str, float]:
        return {SHORT[name]: node.once(workflow).seconds * 1000 for name, (workflow, _) in workflows.items()}

    made.notes += [f"{SHORT[name]}: {steps} steps." for name, (_, steps) in workflows.items()]
    made.product(turn)
    yield made


def _definition(text: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(text)
    return read


WORKLOAD = Workload(
    "traces",
    "Real workflows",
    "Traces of scientific workflows in WfFormat, imported; their steps do nothing: what is left is the engine.",
    tuple(Figure(SHORT[name], name, "ms") for name in NAMES),
    _enter,
    runs=Runs.NORMAL,
)
