//! Any text: loading it answers, in part it never loads, and what loads survives printing,
//! formatting and every question.
#![no_main]

use std::time::UNIX_EPOCH;

use hotcell::policy::{self, Decision, PolicyError, Request, ToolCall, Vocabulary};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match policy::load_text(text) {
        Err(PolicyError::Refused(complaints)) => {
            assert!(!complaints.is_empty());
            for complaint in complaints {
                assert!(complaint.line > 0 && complaint.column > 0, "{complaint}");
                assert!(complaint.line <= text.matches('\n').count() + 1, "{complaint}");
                assert!(!complaint.fault.is_empty() && !complaint.remedy.is_empty());
            }
        }
        Err(PolicyError::Read { .. }) => unreachable!("nothing is read"),
        Ok(loaded) => {
            let printed = toml::to_string(&loaded.text).expect("it prints");
            let again = policy::load_text(&printed).expect("what was printed loads");
            assert_eq!(again.text, loaded.text);
            let formatted = policy::format(text).expect("what loads is formatted");
            let again = policy::load_text(&formatted).expect("what was formatted loads");
            assert_eq!(again.text, loaded.text);
            assert_eq!(policy::format(&formatted).as_ref(), Ok(&formatted));
            for finding in policy::lint(&loaded) {
                assert!(!finding.text.is_empty());
            }
            let call = ToolCall {
                agent: "a",
                tool: "bash",
                variables: vec![("CI", "1")],
                timeout_ms: Some(1),
            };
            if let Decision::Allow(grant) = policy::decide(&loaded, &Request::Tool(call), UNIX_EPOCH) {
                assert!(grant.call().expect("a call").limits.wall_ms <= 1);
            }
            assert!(policy::diff(&loaded, &again, &Vocabulary::default(), UNIX_EPOCH).is_empty());
        }
    }
});
