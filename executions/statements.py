"""What the store asks PostgreSQL: the texts of its reads. What is written stands in transitions.py."""

from __future__ import annotations

from executions.change import PLAIN_COLUMNS
from workflows.spec import COMPENSATIONS

OPTIONS = (
    "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off "
    "-c enable_bitmapscan=off -c enable_material=off "
    "-c jit=off -c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s "
    "-c timezone=UTC -c application_name=traceway-engine"
)

ASKED = (
    "input",
    "parameters",
    "application_data",
    "outcome_expression",
    "request_id",
    "parent_id",
    "parent_step",
    "timeout_seconds",
)
AGENT = ("id", "name", "status", "actions")
STEP_COUNTS = ("attempts", "failures", "losses", "generation", "parts_made", "parts_opened")

READ = f"""
SELECT e.id, e.tenant_id, e.version_id, e.seq, e.event_sequence, e.chain_head, e.status, e.intent, e.concurrency_key,
  e.steps_left, e.steps_running, e.steps_ready, e.steps_waiting,
  {", ".join(f"e.{name}" for name in PLAIN_COLUMNS)}, {", ".join(f"s.{name}" for name in ASKED)},
  {", ".join(f"a.{name} AS agent_{name}" for name in AGENT)}
FROM execution e JOIN submission s ON s.execution_id = e.id LEFT JOIN tenants_agent a ON a.id = s.agent_id"""

LOCK = f"{READ} WHERE e.id = %(id)s FOR NO KEY UPDATE OF e"

CLOCK = "SELECT COALESCE(%(now)s::timestamptz, clock_timestamp()) AS now"

STEP_COLUMNS = (
    f"index, status, parents_left, parents_live, parts_left, parts_open, parts_failed, {', '.join(STEP_COUNTS)}"
)

STEPS = f"SELECT {STEP_COLUMNS} FROM step WHERE execution_id = %(id)s AND index = ANY(%(indexes)s::int[])"

DUE_COLUMNS = "step_index, due_at"
ARRIVAL_COLUMNS = "id, kind, payload, actor, name"

# One row whatever is found: the clock, what is due and what arrived, the steps that were asked for and those that are
# due first, for one of these is taken up next. Rows as arrays of their columns.
AROUND = f"""
SELECT COALESCE(%(now)s::timestamptz, clock_timestamp()) AS now,
  ARRAY(SELECT json_build_array({DUE_COLUMNS}) FROM due_step WHERE execution_id = %(id)s
    ORDER BY due_at, step_index LIMIT %(window)s) AS due,
  ARRAY(SELECT json_build_array({STEP_COLUMNS}) FROM step
    WHERE execution_id = %(id)s AND index = ANY(%(indexes)s::int[] || ARRAY(
      SELECT step_index FROM due_step WHERE execution_id = %(id)s ORDER BY due_at, step_index LIMIT 4))) AS steps,
  ARRAY(SELECT json_build_array({ARRIVAL_COLUMNS}) FROM inbox
    WHERE execution_id = %(id)s AND consumed_at IS NULL AND kept_at IS NULL ORDER BY id LIMIT 100) AS arrivals"""

# One scan of the index in its order, the highest priority first, which leaves each one where what is due ends.
TAKE = f"""
SELECT taken.*, COALESCE(%(now)s::timestamptz, clock_timestamp()) AS now FROM ({READ}
  WHERE e.priority = ANY('{{9,8,7,6,5,4,3,2,1,0}}'::smallint[])
    AND e.due_at <= COALESCE(%(now)s::timestamptz, statement_timestamp()) AND e.id <> ALL(%(avoided)s::uuid[])
  ORDER BY e.priority DESC, e.due_at LIMIT 1 FOR NO KEY UPDATE OF e SKIP LOCKED) AS taken"""

RESULTS = """
SELECT s.index, s.status, a.output
FROM step s LEFT JOIN attempt a ON a.execution_id = s.execution_id AND a.step_index = s.index
  AND a.number = s.attempts AND a.status = 'succeeded'
WHERE s.execution_id = %(id)s AND s.index = ANY(%(indexes)s::int[])"""

HELD = """
SELECT execution_id, step_index AS index, number, input FROM attempt
WHERE worker = %(boot_id)s AND status = 'running' ORDER BY started_at, execution_id, step_index"""

ITEMS = "SELECT index, item FROM step WHERE execution_id = %(id)s AND index = ANY(%(indexes)s::int[])"

WAITING = """
SELECT step_index AS index, number, input, child FROM attempt
WHERE execution_id = %(id)s AND status = 'waiting' AND step_index = ANY(%(indexes)s::int[])"""

ALL_WAITING = """
SELECT step_index AS index, number, NULL AS input, child FROM attempt
WHERE execution_id = %(id)s AND status = 'waiting' ORDER BY step_index"""

RUNNING = """
SELECT a.execution_id, a.step_index AS index, a.number, '' AS input
FROM step s JOIN attempt a ON a.execution_id = s.execution_id AND a.step_index = s.index AND a.number = s.attempts
WHERE s.execution_id = %(id)s AND s.status = 'running' AND a.status = 'running' ORDER BY s.index"""

AWAITING = """
SELECT step_index AS index, number, input, child FROM attempt
WHERE execution_id = %(id)s AND status = 'waiting'
  AND CASE WHEN input LIKE '@%%' THEN false ELSE input::json->>'signal' = %(signal)s END
ORDER BY started_at, step_index LIMIT 100"""

KEPT = """
SELECT id, kind, payload, actor, name FROM inbox
WHERE execution_id = %(id)s AND name = %(signal)s AND consumed_at IS NULL AND kept_at IS NOT NULL
ORDER BY id LIMIT 256"""

PARTS = f"SELECT {STEP_COLUMNS} FROM step WHERE execution_id = %(id)s AND index >= %(first)s AND index < %(end)s"

UNOPENED = f"{PARTS} AND status = 'pending' ORDER BY index LIMIT %(most)s"

UNENDED = f"""{PARTS} AND (status IN ('running', 'retrying', 'waiting') OR (status = 'pending' AND parents_live > 0))
ORDER BY index"""

# What stands elsewhere counts as long as it is there, and is put in by who asks: then `parts` are given, not `items`.
JOINED = """
SELECT CASE WHEN COALESCE(sum(p.bytes), 0) <= %(most)s AND NOT bool_or(p.elsewhere)
    THEN '[' || string_agg(p.output, ',' ORDER BY s.index) || ']' END AS items,
  CASE WHEN COALESCE(sum(p.bytes), 0) <= %(most)s AND bool_or(p.elsewhere)
    THEN json_agg(p.output ORDER BY s.index) END AS parts
FROM step s
LEFT JOIN attempt a ON a.execution_id = s.execution_id AND a.step_index = s.index
  AND a.number = s.attempts AND a.status = 'succeeded'
LEFT JOIN json_to_recordset(%(own)s) AS o(index int, output text) ON o.index = s.index
CROSS JOIN LATERAL (SELECT COALESCE(o.output, a.output, 'null') AS output,
  COALESCE(o.output, a.output, 'null') LIKE '@%%' AS elsewhere,
  CASE WHEN COALESCE(o.output, a.output) LIKE '@%%' THEN split_part(COALESCE(o.output, a.output), ':', 2)::int
    ELSE octet_length(COALESCE(o.output, a.output)) END AS bytes) p
WHERE s.execution_id = %(id)s AND s.index >= %(first)s AND s.index < %(end)s"""

TO_COMPENSATE = f"""
SELECT s.index FROM step s
JOIN attempt a ON a.execution_id = s.execution_id AND a.step_index = s.index AND a.number = s.attempts
WHERE s.execution_id = %(id)s AND s.index = ANY(%(indexes)s::int[]) AND s.status = 'succeeded'
  AND NOT EXISTS (SELECT FROM step c WHERE c.execution_id = s.execution_id
    AND c.index = s.index + {COMPENSATIONS} AND c.status <> 'pending')
ORDER BY a.finished_at DESC, s.index DESC LIMIT 1"""

AGENT_NAMED = f"""
SELECT {", ".join(AGENT)} FROM tenants_agent
WHERE id = %(agent)s AND tenant_id = (SELECT tenant_id FROM execution WHERE id = %(id)s)"""

CHILD = "SELECT tenant_id, status, status_reason, output FROM execution WHERE id = %(id)s"

LIVE_CHILDREN = """
SELECT e.id FROM submission s JOIN execution e ON e.id = s.execution_id
WHERE s.parent_id = %(id)s AND e.finished_at IS NULL"""

# Whoever is admitted with a key is alone in it until the end of the transaction.
ADMITTING = "SELECT pg_advisory_xact_lock(hashtextextended(%(key)s, 0))"

ADMITTED = """
SELECT (SELECT count(*) FROM (SELECT FROM execution h WHERE h.concurrency_key = %(key)s
    AND h.status IN ('workflow_running', 'workflow_waiting') LIMIT %(limit)s) holding) < %(limit)s
  AND NOT EXISTS (SELECT FROM execution o, execution me WHERE me.id = %(id)s AND o.concurrency_key = %(key)s
    AND o.status = 'workflow_queued' AND o.intent = 'run' AND o.quarantined_at IS NULL AND o.id <> me.id
    AND (-o.priority, o.queued_at, o.id) < (-me.priority, me.queued_at, me.id)) AS admitted"""
