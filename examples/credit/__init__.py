"""The main job on real data: 1,000 loan applications through the workflow `credit-decision`.

A client of Traceway: everything goes through its commands and its HTTP API, nothing imports it but config.stack.
"""
