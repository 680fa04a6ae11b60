//! Elastic Common Schema 8; what it has no field for is under `hotcell`.

use serde_json::{Value, json};

use crate::audit::calls::{Call, End};

const VERSION: &str = "8.17.0";

pub(super) fn event(log: &str, call: &Call<'_>) -> Value {
    let intent = &call.intent;
    let kind = match (call.denied(), call.is_file_tool(), call.writes()) {
        (true, ..) => "denied",
        (false, true, true) => "change",
        (false, true, false) => "access",
        (false, false, _) => "start",
    };
    let outcome = match call.succeeded() {
        Some(true) => "success",
        Some(false) => "failure",
        None => "unknown",
    };
    let category = if call.is_file_tool() {
        "file"
    } else {
        "process"
    };
    let mut event = json!({
        "@timestamp": call.common.time,
        "ecs": {"version": VERSION},
        "message": message(call),
        "event": {
            "kind": "event",
            "category": [category],
            "type": [kind],
            "action": intent.tool,
            "outcome": outcome,
            "id": call.common.id,
            "sequence": call.common.seq,
            "dataset": format!("hotcell.{log}"),
            "provider": "hotcell",
            "reason": call.detail(),
            "duration": call.duration_us().map(|micros| micros.saturating_mul(1000)),
        },
        "user": {"name": intent.agent},
        "service": {"name": "hotcell", "type": "hotcell"},
        "rule": {"name": call.rule(), "ruleset": intent.policy.name, "version": intent.policy.version.to_string()},
        "hotcell": {
            "session": intent.session,
            "request_id": intent.request_id,
            "request": intent.request,
            "request_sha256": intent.request_sha256,
            "policy_sha256": intent.policy.sha256,
            "door": intent.door,
            "lane": intent.lane,
            "confinement": intent.confinement,
            "limits": intent.limits,
            "boot": call.common.boot,
            "mono_us": call.common.mono_us,
            "end": end(call),
        },
    });
    let object = if call.is_file_tool() {
        ("file", json!({"path": call.path()}))
    } else {
        let process = json!({
            "command_line": call.command(),
            "exit_code": call.exit_code(),
            "working_directory": intent.request.cwd,
        });
        ("process", process)
    };
    if let Some(event) = event.as_object_mut() {
        event.insert(object.0.to_owned(), object.1);
    }
    event
}

fn message(call: &Call<'_>) -> String {
    let verb = if call.denied() { "was denied" } else { "ran" };
    format!("{} {verb} for {}", call.intent.tool, call.intent.agent)
}

fn end(call: &Call<'_>) -> Value {
    match &call.end {
        End::Finished(finished) => json!({
            "usage": finished.usage,
            "changed": finished.changed,
            "stopped_by": finished.stopped_by,
            "stdout_bytes": finished.stdout_bytes,
            "stderr_bytes": finished.stderr_bytes,
        }),
        End::Interrupted => json!({"interrupted": true}),
        End::Unknown => Value::Null,
    }
}
