"""Writes bundles by hand, from docs/provenance.md alone: nothing that the verifier reads with is used here."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

EXECUTION = "01a20372-3745-7658-b339-5d7139acb6ec"
WORKFLOW = "01a20372-0000-7658-b339-5d7139acb6ec"
TENANT = "01a20372-1111-7658-b339-5d7139acb6ec"
VERSION = "01a20372-2222-7658-b339-5d7139acb6ec"
RUNS = ("maip-orch:01M8G3EDT5ES5B6ESXE4WTSDQC", "maip-orch:01M8G3EDT5ES5B6ESXE4WTSDQD")
ERROR = {"details": None, "kind": "http_status", "message": "503"}
Json = dict[str, Any]
Files = dict[str, bytes]


def text_of(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sha_of(value: Any) -> str:
    return sha(text_of(value))


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass(frozen=True)
class Signer:
    """A key that signs receipts."""

    kid: str

    @property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(self.kid.encode()).digest())

    @property
    def jwk(self) -> Json:
        public = base64url(self.private.public_key().public_bytes_raw())
        return {"alg": "EdDSA", "crv": "Ed25519", "kid": self.kid, "kty": "OKP", "use": "sig", "x": public}

    def sign(self, payload: Json) -> str:
        header = {"alg": "EdDSA", "kid": self.kid, "typ": "traceway-receipt+jwt"}
        signed = f"{base64url(text_of(header))}.{base64url(text_of(payload))}"
        return f"{signed}.{base64url(self.private.sign(signed.encode()))}"


SIGNER = Signer("first")


def jwks(*signers: Signer) -> Json:
    return {"keys": [signer.jwk for signer in signers]}


@dataclass
class Book:
    """One execution as an engine would keep it: rows beside the events that commit to them."""

    steps: list[Json] = field(default_factory=list)
    attempts: list[Json] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)
    runs: list[Json] = field(default_factory=list)
    receipts: list[Json] = field(default_factory=list)
    lineage: list[Json] = field(default_factory=list)
    payloads: Files = field(default_factory=dict)
    payment: Json | None = None
    execution: Json = field(default_factory=dict)
    submission: Json = field(default_factory=dict)
    definition: Json = field(default_factory=dict)
    signer: Signer = SIGNER
    seconds: int = 0

    def now(self) -> str:
        """A moment later than all before."""
        self.seconds += 1
        return f"2026-11-22T15:{self.seconds // 60:02}:{self.seconds % 60:02}.{self.seconds:06}Z"

    def ref(self, value: Any) -> Json:
        content = text_of(value)
        self.payloads[sha(content)] = content
        return {"bytes": len(content), "sha256": sha(content)}

    def tell(self, kind: str, step: str | None = None, at: str | None = None, **data: Any) -> Json:
        body = {
            "at": at or self.now(),
            "data": data,
            "execution": EXECUTION,
            "previous": self.events[-1]["hash"] if self.events else "0" * 64,
            "sequence": len(self.events) + 1,
            "step": step,
            "type": kind,
        }
        row = {name: body[name] for name in ("sequence", "type", "step")}
        row |= {"created_at": body["at"], "body": text_of(body).decode(), "hash": sha(text_of(body))}
        self.events.append(row)
        self.execution |= {"chain_head": row["hash"], "event_sequence": row["sequence"]}
        return row

    def create(self, *names: str, price: int | None = None, **more: Any) -> Book:
        definition = self.ref({"name": "greeting", "steps": [{"action": "noop", "name": name} for name in names]})
        self.definition = {
            "digest": definition["sha256"],
            "text": definition,
            "version": "1.0.0",
            "workflow": "greeting",
        }
        others = {
            "agent_id": None,
            "concurrency_key": None,
            "priority": 3,
            "tenant_id": TENANT,
            "version_id": VERSION,
            "workflow_id": WORKFLOW,
            "depth": 0,
            "initiated_by_id": "laptop",
            "initiated_by_type": "api_key",
            "request_id": "req-1",
            "timeout_seconds": 12.5,
        }
        contents: Json = {
            "application_data": more.get("application") and self.ref(more["application"]),
            "client_safe_metadata": self.ref({}),
            "input": self.ref({"amount": 1169, "name": "Wörld"}),
            "parameters": self.ref({"rate": 1.5}),
        }
        self.submission = contents | others
        created = self.tell(
            "execution.created",
            definition=definition["sha256"],
            version="1.0.0",
            workflow=WORKFLOW,
            initiated_by="api_key:laptop",
            request_id="req-1",
            input=contents["input"]["sha256"],
            parameters=contents["parameters"]["sha256"],
            metadata=contents["client_safe_metadata"]["sha256"],
            application=contents["application_data"] and contents["application_data"]["sha256"],
            submission=sha_of(others),
            priority=3,
        )
        self.execution |= {
            "id": EXECUTION,
            "tenant": TENANT,
            "workflow": WORKFLOW,
            "version_id": VERSION,
            "status": "awaiting_payment" if price else "workflow_queued",
            "status_reason": None,
            "run_id": None,
            "output": None,
            "outcome": None,
            "outcome_error": None,
            "priority": 3,
            "concurrency_key": None,
            "created_at": created["created_at"],
            "queued_at": None,
            "started_at": None,
            "finished_at": None,
        }
        self.steps = [
            {"attempts": 0, "index": i, "item": None, "name": name, "status": "pending"} for i, name in enumerate(names)
        ]
        if price:
            self._open(price)
        else:
            self._queued(created["created_at"])
        return self

    def start(self) -> Book:
        self.execution |= {"status": "workflow_running", "started_at": self.tell("execution.started")["created_at"]}
        return self

    def step(self, name: str) -> Json:
        return next(step for step in self.steps if step["name"] == name)

    def part(self, name: str, index: int, item: Any) -> Book:
        ref = self.ref(item)
        self.steps.append({"attempts": 0, "index": index, "item": ref, "name": name, "status": "pending"})
        return self

    def begin(self, name: str, given: Any, event: str = "step.started", **told: Any) -> Json:
        step, ref = self.step(name), None if given is None else self.ref(given)
        step |= {"attempts": step["attempts"] + 1, "status": "succeeded" if event == "step.completed" else "running"}
        carrier = {"process": "01a20372-3333-7658-b339-5d7139acb6ec", "worker": "host:17"}
        digests = {"input": ref["sha256"]} if ref else {}
        number = step["attempts"]
        row = self.tell(event, name, attempt=number, action="noop@1", code="0.1.0", **carrier, **digests, **told)
        attempt = {
            "step": name,
            "index": step["index"],
            "number": number,
            "status": "running",
            **carrier,
            "code_version": "0.1.0",
            "action": "noop@1",
            "input": ref,
            "output": None,
            "error": None,
            "child": None,
            "started_at": row["created_at"],
            "finished_at": None,
        }
        self.attempts.append(attempt)
        return attempt

    def end(self, attempt: Json, event: str, status: str, child: str | None = None, **came: Any) -> Book:
        refs = {name: self.ref(value) for name, value in came.items()}
        told = {name: ref["sha256"] for name, ref in refs.items()} | ({"child": child} if child else {})
        row = self.tell(event, attempt["step"], attempt=attempt["number"], attempt_status=status, **told)
        moved = {"step.succeeded": "succeeded", "step.completed": "succeeded", "step.reset": "pending"}
        self.step(attempt["step"])["status"] = moved.get(event, event.removeprefix("step."))
        attempt |= {"status": status, "output": None, "error": None, **refs, "child": child or attempt["child"]}
        attempt["finished_at"] = None if status in {"running", "waiting"} else row["created_at"]
        return self

    def do(self, name: str, given: Any, output: Any) -> Book:
        return self.end(self.begin(name, given), "step.succeeded", "succeeded", output=output)

    def derive(self, of: Json, field_at: str, value: Any, kind: str, source: tuple[str, Any], **more: Any) -> Book:
        """`source` is the pointer into it and what stands there; a secret's is never told."""
        row = {"step": of["step"], "number": of["number"], "field": field_at, "kind": kind, "pointer": source[0]}
        row |= {"name": None, "attempt": None, "expression": f"${{{{ {kind} }}}}", **more}
        told = None if kind == "secret" else sha_of(source[1])
        self.lineage.append(row | {"value": sha_of(value), "digest": told})
        return self

    def finish(self, how: str, *, reason: str | None = None, output: Any = None, **verdict: str) -> Book:
        ref = None if output is None else self.ref(output)
        digests = {name: sha(text.encode()) for name, text in verdict.items()}
        data = {"output": ref and ref["sha256"], **digests} if how == "succeeded" else {"reason": reason}
        row = self.tell(f"execution.{how}", **data)
        self.execution |= {"status": f"workflow_{how}", "status_reason": reason, "output": ref, **verdict}
        self.execution["finished_at"] = row["created_at"]
        return self

    def redrive(self) -> Book:
        ended = self.execution
        names = ("run_id", "status", "status_reason", "queued_at", "started_at", "finished_at")
        self.runs.append({name: ended[name] for name in names} | {"parameters": self.submission["parameters"]})
        self.submission["parameters"] = self.ref({"rate": 2.0})
        given = {"parameters": self.submission["parameters"]["sha256"], "run_id": RUNS[1], "by": "operator:eve"}
        row = self.tell("execution.redriven", **given)
        ended |= {"status": "workflow_queued", "status_reason": None, "run_id": RUNS[1], "queued_at": row["created_at"]}
        ended |= {"started_at": None, "finished_at": None}
        return self

    def pay(self, reference: str = "wire-7") -> Book:
        assert self.payment is not None
        price = {"amount": self.payment["amount"], "currency": self.payment["currency"]}
        row = self.tell("payment.paid", reference=reference, by="operator:eve", **price)
        self.payment |= {"status": "paid", "reference": reference, "paid_at": row["created_at"]}
        self.tell("execution.payment_confirmed", reference=reference, by="operator:eve")
        self.execution["status"] = "workflow_queued"
        self._queued(self.now())
        return self

    def refund(self, amount: int) -> Book:
        assert self.payment is not None
        self.tell("payment.refunded", reference=self.payment["reference"], amount=amount, currency="EUR", by="operator")
        self.payment["refunded_amount"] += amount
        whole = self.payment["refunded_amount"] == self.payment["amount"]
        self.payment["status"] = "refunded" if whole else "partially_refunded"
        return self

    def drop(self, ref: Json) -> Book:
        """Retention removes one payload."""
        del self.payloads[ref["sha256"]]
        everywhere = [self.submission, *self.attempts, *self.steps, self.execution, *self.runs]
        for row in everywhere:
            for one in row.values():
                if isinstance(one, dict) and one.get("sha256") == ref["sha256"]:
                    one["dropped"] = True
        self.tell("execution.payloads_dropped", count=1, by="retention")
        return self

    def receive(self) -> Book:
        """Sign what ended just now."""
        shown = ("run_id", "status", "created_at", "started_at", "finished_at")
        price = self.payment and {name: self.payment[name] for name in ("amount", "currency", "status")}
        payload = {
            "format": "traceway-receipt/1",
            "id": f"receipt-{len(self.receipts) + 1}",
            "execution": EXECUTION,
            "tenant": TENANT,
            "workflow": WORKFLOW,
            "version": "1.0.0",
            "definition": self.definition["digest"],
            "input": self.submission["input"]["sha256"],
            "parameters": self.submission["parameters"]["sha256"],
            "output": self.execution["output"] and self.execution["output"]["sha256"],
            "steps": [self._signed_step(step) for step in self.steps],
            "events": {"head": self.execution["chain_head"], "sequence": len(self.events)},
            "lineage": sha_of(self.lineage),
            "price": price,
            "signed_at": self.now(),
            **{name: self.execution[name] for name in shown},
        }
        row = {"id": payload["id"], "run_id": payload["run_id"], "sequence": len(self.events)}
        self.receipts.append(row | {"jws": self.signer.sign(payload), "created_at": payload["signed_at"]})
        return self

    def files(self) -> Files:
        record = {
            "execution": self.execution,
            "definition": self.definition,
            "submission": self.submission,
            "runs": self.runs,
            "steps": self.steps,
            "attempts": self.attempts,
            "payment": self.payment,
        }
        return indexed(
            {
                "record.json": text_of(record),
                "events.jsonl": b"".join(text_of(row) + b"\n" for row in self.events),
                "receipts.json": text_of(self.receipts),
                "keys.json": text_of(jwks(self.signer) if self.receipts else jwks()),
                "lineage.json": text_of(self.lineage),
                **{f"payloads/{name}": content for name, content in self.payloads.items()},
            }
        )

    def _queued(self, at: str) -> None:
        self.tell("execution.queued", at=at, run_id=RUNS[0])
        self.execution |= {"run_id": RUNS[0], "queued_at": at}

    def _open(self, price: int) -> None:
        at = self.execution["created_at"]
        self.tell("execution.awaiting_payment", at=at, run_id=None)
        told: Json = {"provider": "manual", "amount": price, "currency": "EUR"}
        self.tell("payment.opened", at=at, order="order-1", refund="on_failure", **told)
        self.payment = {"order_id": "order-1", "refund_policy": "on_failure", **told, "status": "unpaid"}
        self.payment |= {"refunded_amount": 0, "reference": None, "paid_at": None, "created_at": at}

    def _signed_step(self, step: Json) -> Json:
        mine = [one for one in self.attempts if one["step"] == step["name"]]
        newest = mine[-1] if mine else {}
        refs = {name: newest.get(name) and newest[name]["sha256"] for name in ("input", "output", "error")}
        times = {name: newest.get(name) for name in ("started_at", "finished_at")}
        return {"name": step["name"], "status": step["status"], "attempts": step["attempts"], **refs, **times}


def indexed(files: Files, **members: Any) -> Files:
    """The files with a bundle.json that fits them."""
    rest = {name: content for name, content in files.items() if name != "bundle.json"}
    listed = {name: {"bytes": len(content), "sha256": sha(content)} for name, content in rest.items()}
    index = {"execution": EXECUTION, "files": listed, "format": "traceway-bundle/1", **members}
    return {**rest, "bundle.json": text_of(index)}


def zipped(files: Files) -> bytes:
    """The container, as docs/provenance.md describes it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, files[name])
    return buffer.getvalue()
