//! Starts the program as on a kernel that lacks something: a system call filter, put on it before
//! it begins, refuses what such a kernel would. The refusals are the kernel's, and the program
//! knows nothing of it.
#![expect(
    unsafe_code,
    reason = "what happens between fork and exec has no safe form"
)]

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// A system call that is refused.
#[derive(Clone, Copy)]
pub(crate) struct Refused {
    pub(crate) call: libc::c_long,
    pub(crate) when: When,
    pub(crate) errno: libc::c_int,
}

/// By its first argument.
#[derive(Clone, Copy)]
pub(crate) enum When {
    Always,
    Has(libc::c_int),
    Is(libc::c_int),
}

/// Every call of this number is refused.
pub(crate) const fn refused(call: libc::c_long, errno: libc::c_int) -> Refused {
    let when = When::Always;
    Refused { call, when, errno }
}

/// Refused where its first argument has this bit.
pub(crate) const fn with(call: libc::c_long, bit: libc::c_int, errno: libc::c_int) -> Refused {
    let when = When::Has(bit);
    Refused { call, when, errno }
}

fn filter(refused: Refused) -> BpfProgram {
    let rule = |operator, value: libc::c_int| {
        let (length, value) = (SeccompCmpArgLen::Dword, u64::from(value.cast_unsigned()));
        let condition = SeccompCondition::new(0, length, operator, value).unwrap();
        SeccompRule::new(vec![condition]).unwrap()
    };
    let rules = match refused.when {
        When::Always => Vec::new(),
        When::Has(bit) => {
            let mask = SeccompCmpOp::MaskedEq(u64::from(bit.cast_unsigned()));
            vec![rule(mask, bit)]
        }
        When::Is(value) => vec![rule(SeccompCmpOp::Eq, value)],
    };
    let refuse = SeccompAction::Errno(refused.errno.cast_unsigned());
    let architecture = std::env::consts::ARCH.try_into().unwrap();
    let calls = BTreeMap::from([(refused.call, rules)]);
    SeccompFilter::new(calls, SeccompAction::Allow, refuse, architecture)
        .unwrap()
        .try_into()
        .unwrap()
}

/// Has the command run on such a kernel. What refuses filters must come last.
pub(crate) fn without(command: &mut Command, refusals: &[Refused]) {
    let filters: Vec<_> = refusals.iter().copied().map(filter).collect();
    let apply = move || {
        let applied = filters
            .iter()
            .try_for_each(|f| seccompiler::apply_filter(f));
        applied.map_err(|_| io::ErrorKind::Unsupported.into())
    };
    // SAFETY: only system calls, on memory that was laid out before.
    unsafe { command.pre_exec(apply) };
}
