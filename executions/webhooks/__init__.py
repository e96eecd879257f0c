"""Outbound execution webhooks: endpoints, and the deliveries that are made for them from the log of events.

What sends them is orchestrator/deliveries.py; the routes are executions/api/webhooks.py.
"""
