//! OCSF 1.6: a command is Process Activity (1007), a file tool File System Activity (1001).

use serde_json::{Value, json};

use crate::audit::calls::{Call, End};
use crate::audit::export::millis;

const VERSION: &str = "1.6.0";

pub(super) fn event(log: &str, call: &Call<'_>) -> Value {
    let (class_uid, class_name) = match call.is_file_tool() {
        true => (1001, "File System Activity"),
        false => (1007, "Process Activity"),
    };
    let (activity_id, activity_name) = match (call.is_file_tool(), call.writes()) {
        (false, _) => (1, "Launch"),
        (true, false) => (2, "Read"),
        (true, true) => (3, "Update"),
    };
    let intent = &call.intent;
    let (action_id, severity_id) = if call.denied() { (2, 3) } else { (1, 1) };
    let status_id = match call.succeeded() {
        Some(true) => 1,
        Some(false) => 2,
        None => 0,
    };
    let mut event = json!({
        "class_uid": class_uid,
        "class_name": class_name,
        "category_uid": 1,
        "category_name": "System Activity",
        "activity_id": activity_id,
        "activity_name": activity_name,
        "type_uid": class_uid * 100 + activity_id,
        "severity_id": severity_id,
        "time": millis(&call.common.time),
        "status_id": status_id,
        "action_id": action_id,
        "disposition_id": action_id,
        "metadata": metadata(log, call),
        "device": {"type_id": 0, "uid": call.common.boot},
        "actor": {
            "user": {"name": intent.agent},
            "session": {"uid": intent.session},
            "app_name": "hotcell",
        },
        "policy": {
            "name": intent.policy.name,
            "uid": intent.policy.sha256,
            "version": intent.policy.version.to_string(),
        },
        "authorizations": [{
            "decision": if call.denied() { "deny" } else { "allow" },
            "policy": {"name": call.rule(), "desc": intent.reason},
        }],
        "unmapped": unmapped(call),
    });
    let (name, object) = object(call);
    let mut set = |name: &str, value: Value| {
        if let Some(event) = event.as_object_mut() {
            event.insert(name.to_owned(), value);
        }
    };
    set(name, object);
    if let Some(code) = call.exit_code() {
        set("exit_code", code.into());
        set("status_code", code.to_string().into());
    }
    if let Some(duration) = call.duration_us() {
        set("duration", (duration / 1000).into());
    }
    if let Some(detail) = call.detail() {
        set("status_detail", detail.into());
    }
    event
}

fn metadata(log: &str, call: &Call<'_>) -> Value {
    json!({
        "version": VERSION,
        "uid": call.common.id,
        "sequence": call.common.seq,
        "log_name": log,
        "original_time": call.common.time,
        "correlation_uid": call.intent.request_id,
        "profiles": ["security_control"],
        "product": {"name": "Hotcell", "vendor_name": "Hotcell"},
    })
}

/// What the call was about, under its attribute's name.
fn object(call: &Call<'_>) -> (&'static str, Value) {
    if call.is_file_tool() {
        let path = call.path().unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default();
        ("file", json!({"path": path, "name": name, "type_id": 1}))
    } else {
        let cwd = &call.intent.request.cwd;
        let process = json!({
            "cmd_line": call.command(), "working_directory": cwd, "name": call.process(),
        });
        ("process", process)
    }
}

/// What OCSF has no attribute for.
fn unmapped(call: &Call<'_>) -> Value {
    let intent = &call.intent;
    let mut rest = json!({
        "tool": intent.tool,
        "door": intent.door,
        "lane": intent.lane,
        "confinement": intent.confinement,
        "request": intent.request,
        "request_sha256": intent.request_sha256,
        "limits": intent.limits,
        "mono_us": call.common.mono_us,
    });
    if let (End::Finished(finished), Some(rest)) = (&call.end, rest.as_object_mut()) {
        rest.insert("usage".to_owned(), json!(finished.usage));
        rest.insert("changed".to_owned(), json!(finished.changed));
        rest.insert("stopped_by".to_owned(), json!(finished.stopped_by));
    }
    rest
}
