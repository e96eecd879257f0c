"""The example decides the real applications as its README says, without a server: definition, services, outcomes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from examples.credit.bureau import bureau
from examples.credit.data import Case, cases
from examples.credit.loopback import Reply, Request, serving
from examples.credit.receiver import Receiver, Tally
from examples.credit.workflow import PLACEHOLDERS, definition, new_secret, template
from workflows.definition import parse_definition
from workflows.failures import StepFailed
from workflows.spec import PureProgram, Spec

PEOPLE = cases()


def get(path: str) -> Request:
    return Request("GET", path, {}, b"")


def delivery(secret: str, identity: str, payload: Any) -> Request:
    body = json.dumps(payload)
    now = datetime.now(UTC)
    headers = {
        "webhook-id": identity,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(identity, now, body),
    }
    return Request("POST", "/hooks/credit-decision", headers, body.encode())


def decided(spec: Spec, case: Case) -> Any:
    """The workflow's output for one case, the bureau's answer put in by hand. Raises StepFailed."""
    steps: dict[str, Any] = {"bureau": {"status": "succeeded", "output": {"status": 200, "body": case.report}}}
    scope = {"input": case.application, "steps": steps}
    for step in (spec.steps[index] for wave in spec.waves for index in wave):
        if isinstance(step.program, PureProgram):
            steps[step.name] = {"status": "succeeded", "output": step.program.run(scope).output}
    assert spec.output is not None
    return spec.output.resolve(scope)


def test_the_file_gives_a_thousand_applications_with_seven_hundred_good_verdicts() -> None:
    assert len({case.reference for case in PEOPLE}) == 1000
    assert Counter(case.verdict for case in PEOPLE) == {"good": 700, "bad": 300}


def test_an_application_carries_nothing_of_the_bureau_the_verdict_sex_or_nationality() -> None:
    first = PEOPLE[0]
    assert first.application == {
        "reference": "GC-0001",
        "purpose": "radio/television",
        "amount": 1169,
        "duration_months": 6,
        "installment_rate_percent": 4,
        "age_years": 67,
        "employment": "... >= 7 years",
        "property": "real estate",
        "housing": "own",
        "other_debtors": "none",
        "other_installment_plans": "none",
    }
    assert first.application.keys() & first.report.keys() == {"reference"}


def test_the_template_feeds_every_member_that_the_workflow_wants() -> None:
    wanted = definition(*PLACEHOLDERS)["input_schema"]
    assert template("w")["input"].keys() == wanted["properties"].keys() == PEOPLE[0].application.keys()
    assert template("w")["input"]["amount"] == "${{ application.amount }}"


def test_the_definition_is_given_its_addresses_and_its_secret() -> None:
    made = definition("http://127.0.0.1:1", "http://127.0.0.1:2", "whsec_abc")
    configs = {step["name"]: step["config"] for step in made["steps"]}
    assert configs["bureau"]["url"] == "http://127.0.0.1:1/reports/${{ input.reference }}"
    assert configs["notify"]["url"] == "http://127.0.0.1:2/hooks/credit-decision"
    assert configs["notify"]["secret"] == "whsec_abc"


def test_the_definition_as_it_is_sent_is_valid() -> None:
    spec = parse_definition(definition("http://127.0.0.1:1", "http://127.0.0.1:2", new_secret()))
    assert [[spec.steps[index].name for index in wave] for wave in spec.waves] == [
        ["application_check"],
        ["bureau", "affordability", "policy"],
        ["bureau_points"],
        ["scorecard"],
        ["decision"],
        ["notify"],
    ]


def test_the_outcomes_go_with_the_banks_verdict() -> None:
    spec = parse_definition(definition(*PLACEHOLDERS))
    table = Counter((decided(spec, case)["outcome"], case.verdict) for case in PEOPLE)
    assert table == {
        ("pass", "good"): 445,
        ("pass", "bad"): 51,
        ("refer", "good"): 181,
        ("refer", "bad"): 91,
        ("fail", "good"): 74,
        ("fail", "bad"): 158,
    }


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"age_years": 17}, "fail"),
        ({"amount": 15001}, "refer"),
        ({"employment": "unemployed", "amount": 5001}, "refer"),
        ({"other_installment_plans": "bank", "duration_months": 37}, "refer"),
    ],
)
def test_a_rule_of_the_policy_overrules_good_points(change: dict[str, Any], outcome: str) -> None:
    spec = parse_definition(definition(*PLACEHOLDERS))
    best = {"savings": "... >= 1000 DM", "checking_account": "no checking account"}
    first = replace(PEOPLE[0], report={**PEOPLE[0].report, **best})
    assert decided(spec, first)["outcome"] == "pass"
    changed = decided(spec, replace(first, application={**first.application, **change}))
    assert changed["points"] >= 10
    assert changed["outcome"] == outcome


@pytest.mark.parametrize(
    "change",
    [
        {"reference": "X"},
        {"amount": 0},
        {"amount": 100001},
        {"amount": 5},
        {"duration_months": 0},
        {"duration_months": 121},
        {"housing": "castle"},
        {"employment": "retired"},
    ],
)
def test_the_guardrail_stops_an_application_that_cannot_be_right(change: dict[str, Any]) -> None:
    spec = parse_definition(definition(*PLACEHOLDERS))
    guardrail = spec.steps[spec.by_name["application_check"]].program
    assert isinstance(guardrail, PureProgram)
    with pytest.raises(StepFailed) as failed:
        guardrail.run({"input": {**PEOPLE[0].application, **change}})
    assert failed.value.kind == "guardrail_failed"


def test_the_bureau_knows_the_applicants_and_nobody_else() -> None:
    answer = bureau(PEOPLE)
    assert answer(get("/reports/GC-0001")) == Reply(200, PEOPLE[0].report)
    assert answer(get("/reports/GC-1001")).status == 404
    assert answer(get("/GC-0001")).status == 404


def test_the_receiver_counts_each_delivery_once_and_its_copies_apart() -> None:
    secret = new_secret()
    receiver = Receiver(secret)
    for identity in ("msg_1", "msg_2", "msg_1"):
        assert receiver(delivery(secret, identity, {"outcome": "pass"})).status == 200
    assert receiver.tally() == Tally(verified=2, repeated=1, rejected=0)


@pytest.mark.parametrize("broken", ["webhook-signature", "webhook-id", "webhook-timestamp"])
def test_the_receiver_refuses_a_delivery_whose_signature_does_not_fit(broken: str) -> None:
    secret = new_secret()
    receiver = Receiver(secret)
    good = delivery(secret, "msg_1", {"outcome": "pass"})
    missing = {name: value for name, value in good.headers.items() if name != broken}
    for headers in (missing, {**good.headers, broken: "v1,AAAA"}, {**good.headers, broken: "nonsense"}):
        assert receiver(Request(good.method, good.path, headers, good.body)).status == 400
    assert receiver(delivery(new_secret(), "msg_1", {"outcome": "pass"})).status == 400
    assert receiver.tally() == Tally(verified=0, repeated=0, rejected=4)


def test_the_services_answer_many_requests_on_one_connection() -> None:
    with serving(bureau(PEOPLE)) as address, httpx.Client(base_url=address, trust_env=False) as client:
        answers = [client.get(f"/reports/{case.reference}") for case in PEOPLE[:50]]
        ports = {answer.extensions["network_stream"].get_extra_info("client_addr") for answer in answers}
    assert [answer.json() for answer in answers] == [case.report for case in PEOPLE[:50]]
    assert len(ports) == 1


def test_a_service_refuses_a_body_that_is_too_large() -> None:
    with serving(lambda _: Reply(200, {})) as address:
        assert httpx.post(address, content=b"x" * 65537, trust_env=False).status_code == 413
        assert httpx.post(address, content=b"x" * 65536, trust_env=False).status_code == 200
