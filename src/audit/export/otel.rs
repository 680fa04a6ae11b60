//! OpenTelemetry logs: OTLP in its JSON form, one call a line.

use serde_json::{Value, json};

use crate::audit::calls::Call;
use crate::audit::export::millis;

pub(super) fn event(log: &str, call: &Call<'_>) -> Value {
    let intent = &call.intent;
    let (number, text) = if call.denied() {
        (13, "WARN")
    } else {
        (9, "INFO")
    };
    let nanos = (u128::from(millis(&call.common.time)) * 1_000_000).to_string();
    let request = json!(intent.request).to_string();
    let strings = [
        ("hotcell.record.id", Some(&*call.common.id)),
        ("hotcell.log", Some(log)),
        ("hotcell.request.id", Some(&*intent.request_id)),
        ("hotcell.request", Some(&*request)),
        ("hotcell.request.sha256", Some(&*intent.request_sha256)),
        ("user.name", Some(&*intent.agent)),
        ("session.id", Some(&*intent.session)),
        ("hotcell.door", Some(&*intent.door)),
        ("hotcell.tool", Some(&*intent.tool)),
        (
            "hotcell.decision",
            Some(if call.denied() { "deny" } else { "allow" }),
        ),
        ("hotcell.policy.name", Some(&*intent.policy.name)),
        ("hotcell.policy.sha256", Some(&*intent.policy.sha256)),
        ("hotcell.lane", Some(&*intent.lane)),
        ("hotcell.confinement", Some(&*intent.confinement)),
        ("process.command_line", call.command()),
        ("file.path", call.path()),
    ];
    let of_string = |(key, value): (&str, Option<&str>)| {
        Some(json!({"key": key, "value": {"stringValue": value?}}))
    };
    let rule = call.rule();
    let detail = call.detail();
    let more = [
        ("hotcell.rule", Some(&*rule)),
        ("hotcell.detail", detail.as_deref()),
    ];
    // OTLP writes 64-bit numbers as text.
    let numbers = [
        ("hotcell.record.sequence", Some(call.common.seq)),
        ("process.exit.code", call.exit_code().map(u64::from)),
        ("hotcell.duration_us", call.duration_us()),
    ];
    let of_number = |(key, value): (&str, Option<u64>)| {
        Some(json!({"key": key, "value": {"intValue": value?.to_string()}}))
    };
    let attributes: Vec<_> = strings
        .into_iter()
        .chain(more)
        .filter_map(of_string)
        .chain(numbers.into_iter().filter_map(of_number))
        .collect();
    let body = format!("{} {text}", intent.tool);
    json!({"resourceLogs": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "hotcell"}}]},
        "scopeLogs": [{
            "scope": {"name": "hotcell.audit", "version": env!("CARGO_PKG_VERSION")},
            "logRecords": [{
                "timeUnixNano": nanos,
                "severityNumber": number,
                "severityText": text,
                "eventName": "hotcell.call",
                "body": {"stringValue": body},
                "attributes": attributes,
            }],
        }],
    }]})
}
