"""The example's credit bureau: `GET /reports/{reference}` answers what the application itself does not say."""

from __future__ import annotations

from collections.abc import Iterable

from examples.credit.data import Case
from examples.credit.loopback import Answer, Reply, Request

PREFIX = "/reports/"


def bureau(known: Iterable[Case]) -> Answer:
    """The answers of a bureau that keeps a report on each of `known`: 200 with it, 404 for anybody else."""
    reports = {case.reference: case.report for case in known}

    def answer(request: Request) -> Reply:
        reference = request.path.removeprefix(PREFIX)
        if request.method != "GET" or reference not in reports:
            return Reply(404, {"message": "no such report"})
        return Reply(200, reports[reference])

    return answer
