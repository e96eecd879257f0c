"""Draw a PROV-JSON document, as `GET /v1/executions/{id}/provenance?format=prov-json` answers it, as a PNG.

    python -m examples.draw_provenance prov.json provenance.png

Needs Graphviz's `dot`, and the `prov` library with pydot. What carried the attempts out is left out: it is the same
few processes for all of them.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from prov.dot import prov_to_dot
from prov.model import ProvDocument

_ID = re.compile(r"execution:[0-9a-f-]{36}/")
"""Of one execution, what would stand in every name."""
DRAWN = ("prefix", "entity", "activity", "used", "wasGeneratedBy", "wasDerivedFrom")
"""What of a document is drawn."""


def drawn(document: dict[str, Any]) -> dict[str, Any]:
    """The steps, what they used and generated, and what that was made from, without the whole execution's activity."""
    kept = {kind: document[kind] for kind in DRAWN if kind in document}
    whole = {name for name, told in kept["activity"].items() if told["prov:type"]["$"] == "traceway:Execution"}
    kept["activity"] = {name: told for name, told in kept["activity"].items() if name not in whole}
    for relation in ("used", "wasGeneratedBy"):
        kept[relation] = {
            name: told for name, told in kept.get(relation, {}).items() if told["prov:activity"] not in whole
        }
    linked = {value for kind in DRAWN[3:] for told in kept.get(kind, {}).values() for value in map(str, told.values())}
    kept["entity"] = {name: told for name, told in kept["entity"].items() if name in linked}
    return kept


def draw(document: dict[str, Any], target: Path) -> None:
    """Write the picture. Raises what `prov` and `dot` raise."""
    text = _ID.sub("execution:", json.dumps(drawn(document)))
    loaded = ProvDocument.deserialize(content=text, format="json")
    graph = prov_to_dot(
        loaded, use_labels=True, show_element_attributes=False, show_relation_attributes=False, direction="BT"
    )
    graph.set("dpi", "64")
    graph.set("ranksep", "0.35")
    graph.set("nodesep", "0.25")
    graph.write(str(target), format="png")


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
