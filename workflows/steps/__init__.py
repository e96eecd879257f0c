"""The step types, one file each: what its config may say, its effect class, and for pure types the evaluation.

A compiler takes the config's members and the tools, notes every problem, and gives the program, None after a problem.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from workflows.programs import Program
from workflows.reading import Members
from workflows.steps import (
    agent,
    decision,
    guardrail_check,
    http,
    llm_inference,
    loop,
    tool_call,
    transform,
    wait,
    webhook,
    workflow,
)
from workflows.steps import map as map_step
from workflows.tools import ToolRegistry

StepCompiler = Callable[[Members, ToolRegistry], Program | None]

STEP_TYPES: Mapping[str, StepCompiler] = {
    "agent": agent.compile_config,
    "decision": decision.compile_config,
    "guardrail_check": guardrail_check.compile_config,
    "http": http.compile_config,
    "llm_inference": llm_inference.compile_config,
    "loop": loop.compile_config,
    "map": map_step.compile_config,
    "tool_call": tool_call.compile_config,
    "transform": transform.compile_config,
    "wait": wait.compile_config,
    "webhook": webhook.compile_config,
    "workflow": workflow.compile_config,
}
REPEATING = frozenset({"loop", "map"})
"""Types that have a body of steps, which is no step of the graph."""
WAITING = REPEATING | {"agent", "wait", "workflow"}
"""Types that hold no worker, and so may take long."""
CALLING_OUT = frozenset({"http", "llm_inference", "webhook"})
"""Types that send a request for the tenant: what they say may be secret."""
CALLING = CALLING_OUT | {"tool_call"}
"""Types that touch the world from a worker."""
