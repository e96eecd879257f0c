"""One request, one answer, each a line of JSON: how the harness speaks with the programs that it measures.

Read by the peers' own environment too, so it imports nothing from outside.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

Operation = Callable[..., Any]


def serve(operations: Mapping[str, Operation]) -> None:
    """Carry out what comes on standard input until it ends; what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"ok": operations[asked.pop("op")](**asked)}
        except Exception as error:  # noqa: BLE001 - whatever it is, the harness is told
            traceback.print_exc()
            answer = {"failed": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def fib(n: int) -> int:
    """Naive recursion, the same for everyone: work that costs CPU."""
    return n if n < 2 else fib(n - 1) + fib(n - 2)
