"""Gives every Component its place in the document, and puts references where it stood."""

from __future__ import annotations

from typing import Any

from contract.schema import Component, ref


class Components:
    """The schemas of `components`, by name, as far as they were met."""

    def __init__(self) -> None:
        self._met: dict[str, Component] = {}
        self.schemas: dict[str, Any] = {}

    def placed(self, value: Any) -> Any:
        """A copy of `value` with a reference wherever a Component stands. Raises ValueError for two of one name."""
        if isinstance(value, Component):
            return self._ref(value)
        if isinstance(value, dict):
            return {str(name): self.placed(member) for name, member in value.items()}
        return [self.placed(item) for item in value] if isinstance(value, list | tuple) else value

    def _ref(self, component: Component) -> dict[str, Any]:
        known = self._met.setdefault(component.name, component)
        if known != component:
            raise ValueError(f"two components are named {component.name}")
        if component.name not in self.schemas:
            self.schemas[component.name] = {}
            self.schemas[component.name] = self.placed(component.schema)
        return ref(component.name)
