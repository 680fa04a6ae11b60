//! ArcSight Common Event Format, version 0.

use crate::audit::calls::Call;
use crate::audit::export::{millis, plain};

pub(super) fn event(log: &str, call: &Call<'_>) -> String {
    let mut fields = fixed(log, call);
    let optional = optional(call).into_iter();
    fields.extend(optional.filter_map(|(name, value)| Some((name, value?))));
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", escaped(value)))
        .collect();
    head(call) + &fields.join(" ")
}

fn decision(call: &Call<'_>) -> &'static str {
    if call.denied() { "denied" } else { "allowed" }
}

fn head(call: &Call<'_>) -> String {
    let intent = &call.intent;
    let decision = decision(call);
    let severity = if call.denied() { 6 } else { 3 };
    let head = [
        "Hotcell",
        "hotcell",
        env!("CARGO_PKG_VERSION"),
        &format!("{}:{decision}", intent.tool),
        &format!("{} {decision}", intent.tool),
    ];
    let mut line = "CEF:0".to_owned();
    for field in head {
        line.push('|');
        line += &plain(field).replace('\\', r"\\").replace('|', r"\|");
    }
    line + &format!("|{severity}|")
}

/// What every call has.
fn fixed(log: &str, call: &Call<'_>) -> Vec<(&'static str, String)> {
    let intent = &call.intent;
    let outcome = match call.succeeded() {
        Some(true) => "success",
        Some(false) => "failure",
        None => "unknown",
    };
    vec![
        ("rt", millis(&call.common.time).to_string()),
        ("externalId", call.common.id.to_string()),
        ("deviceExternalId", log.to_owned()),
        ("suser", intent.agent.to_string()),
        ("act", decision(call).to_owned()),
        ("outcome", outcome.to_owned()),
        ("app", intent.door.to_string()),
        ("cs1Label", "session".to_owned()),
        ("cs1", intent.session.to_string()),
        ("cs2Label", "rule".to_owned()),
        ("cs2", call.rule()),
        ("cs3Label", "policySha256".to_owned()),
        ("cs3", intent.policy.sha256.to_string()),
        ("cs4Label", "requestId".to_owned()),
        ("cs4", intent.request_id.to_string()),
        ("cs5Label", "confinement".to_owned()),
        ("cs5", intent.confinement.to_string()),
        ("cn1Label", "sequence".to_owned()),
        ("cn1", call.common.seq.to_string()),
    ]
}

fn optional(call: &Call<'_>) -> [(&'static str, Option<String>); 7] {
    [
        ("sproc", call.command().map(str::to_owned)),
        (
            "fname",
            call.path()
                .or(call.pattern())
                .filter(|_| call.is_file_tool())
                .map(str::to_owned),
        ),
        ("reason", call.detail()),
        ("cn2Label", call.exit_code().map(|_| "exitCode".to_owned())),
        ("cn2", call.exit_code().map(|code| code.to_string())),
        (
            "cn3Label",
            call.duration_us().map(|_| "durationUs".to_owned()),
        ),
        ("cn3", call.duration_us().map(|micros| micros.to_string())),
    ]
}

fn escaped(value: &str) -> String {
    // Line ends have an escape of their own in CEF; what else is not plain text is written out.
    let parts = value
        .split('\n')
        .map(|part| plain(part).replace('\\', r"\\").replace('=', r"\="));
    parts.collect::<Vec<_>>().join(r"\n")
}
