//! Guests that call one host function with every extreme value in every place (WASM-16), and one
//! that looks for bytes no function should have changed (WASM-17).

use std::fmt::Write;

use super::functions::{Function, Type};

const VALUES_32: &[i64] = &[
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    15,
    16,
    31,
    32,
    63,
    64,
    255,
    256,
    300,
    1023,
    1024,
    1025,
    4095,
    4096,
    65_535,
    65_536,
    131_056,
    131_064,
    131_068,
    131_071,
    131_072,
    0x4000_0000,
    0x7fff_ffff,
    -0x8000_0000,
    -0x7fff_ffff,
    -65_536,
    -4_096,
    -64,
    -16,
    -8,
    -4,
    -2,
    -1,
];
const VALUES_64: &[i64] = &[
    0,
    1,
    2,
    3,
    7,
    8,
    63,
    64,
    255,
    4096,
    65_536,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    999_999_999,
    1_000_000_000,
    1_000_000_001,
    1 << 40,
    1 << 53,
    1 << 62,
    i64::MAX - 1,
    i64::MAX,
    i64::MIN,
    i64::MIN + 1,
    -(1 << 40),
    -1_000_000_000,
    -65_536,
    -4096,
    -2,
    -1,
];
/// Where `/` answers.
const ROOT: i64 = 0x4000_0000;
/// The status of a guest that came to its end.
pub const CAME_TO_ITS_END: u8 = 42;

/// A guest that calls `function` with extreme values; `None` where a call ends the guest.
#[expect(clippy::too_many_lines, reason = "one guest, read from top to bottom")]
pub fn guest(function: &Function, full: bool) -> Option<String> {
    if matches!(&*function.name, "proc_exit") {
        return None;
    }
    let mut body = String::from(
        r#"(memory (export "memory") 2)
(data (i32.const 1024) "workspace/f")
(data (i32.const 1100) "workspace/d")
(func (export "_start")
  (drop (call $path_create_directory (i32.const 0x40000000) (i32.const 1100) (i32.const 11)))
  (drop (call $path_open (i32.const 0x40000000) (i32.const 0) (i32.const 1024) (i32.const 11) (i32.const 1)
    (i64.const 0xfffffff) (i64.const 0) (i32.const 0) (i32.const 2048)))
  (drop (call $path_open (i32.const 0x40000000) (i32.const 0) (i32.const 1100) (i32.const 11) (i32.const 2)
    (i64.const 0xfffffff) (i64.const 0) (i32.const 0) (i32.const 2048)))
"#,
    );
    // A signal that ends the guest would end the test: all but KILL are ignored.
    if matches!(&*function.name, "proc_kill" | "proc_raise") {
        for signal in 1..32 {
            writeln!(
                body,
                "(drop (call $sig_action (i32.const {signal}) (i32.const 1)))"
            )
            .unwrap();
        }
    }
    let bases: &[i64] = if full {
        &[0, 1, 3, 4, 99, ROOT]
    } else {
        &[1, 3, 4, ROOT]
    };
    let bases = match function
        .parameters
        .iter()
        .any(|(name, _)| name.contains("fd"))
    {
        true => bases,
        false => &bases[1..2],
    };
    for &base in bases {
        let usual: Vec<_> = function
            .parameters
            .iter()
            .map(|(name, ty)| usual(function, name, *ty, base))
            .collect();
        call(&mut body, function, &usual);
        for place in 0..usual.len() {
            for &value in values(function.parameters[place].1) {
                let mut arguments = usual.clone();
                arguments[place] = value;
                call(&mut body, function, &arguments);
            }
        }
    }
    for &value in VALUES_64 {
        call(&mut body, function, &vec![value; function.parameters.len()]);
    }
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..if full { 4_000 } else { 200 } {
        let mut pick = |list: &[i64]| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            list[(random >> 33) as usize % list.len()]
        };
        let arguments: Vec<_> = function
            .parameters
            .iter()
            .map(|(_, ty)| pick(values(*ty)))
            .collect();
        call(&mut body, function, &arguments);
    }
    writeln!(body, "(call $proc_exit (i32.const {CAME_TO_ITS_END})))").unwrap();
    Some(body)
}

fn values(ty: Type) -> &'static [i64] {
    match ty {
        Type::I32 => VALUES_32,
        Type::I64 => VALUES_64,
    }
}

/// What a parameter is in a call that means something.
fn usual(function: &Function, name: &str, ty: Type, base: i64) -> i64 {
    match name {
        _ if name.ends_with("fd") => base,
        "from" | "to" if !function.name.starts_with("path") => base,
        "path" | "text" | "from" | "to" => 1024,
        _ if name.ends_with("len") => 11,
        "list" | "bytes" | "out" | "used" | "spawn" | "subscriptions" | "events" | "pids" => 2048,
        "out_flags" => 2100,
        "rights" | "inheriting" => 0xfff_ffff,
        "count" if ty == Type::I32 => 1,
        _ => 0,
    }
}

fn call(body: &mut String, function: &Function, arguments: &[i64]) {
    // KILL cannot be ignored.
    let signal = function
        .parameters
        .iter()
        .position(|(name, _)| name == "signal");
    if function.name.starts_with("proc_") && signal.is_some_and(|at| arguments[at] == 9) {
        return;
    }
    write!(body, "(drop (call ${}", function.name).unwrap();
    for ((_, ty), value) in function.parameters.iter().zip(arguments) {
        match ty {
            Type::I32 => write!(body, " (i32.const {})", *value as i32).unwrap(),
            Type::I64 => write!(body, " (i64.const {value})").unwrap(),
        }
    }
    body.push_str("))\n");
}

/// Calls with the bytes each may change: from 4,096 on, and the word at 50,000.
const DOCUMENTED: &[(&str, u32)] = &[
    ("(call $fd_fdstat_get (i32.const 3) (i32.const 4096))", 24),
    ("(call $fd_filestat_get (i32.const 3) (i32.const 4096))", 64),
    ("(call $fd_filestat_get (i32.const 99) (i32.const 4096))", 0),
    (
        "(call $path_filestat_get (i32.const 0x40000000) (i32.const 1) (i32.const 61440) (i32.const 11) (i32.const 4096))",
        64,
    ),
    (
        "(call $path_filestat_get (i32.const 0x40000000) (i32.const 1) (i32.const 61441) (i32.const 10) (i32.const 4096))",
        0,
    ),
    (
        "(call $fs_stat (i32.const 61439) (i32.const 12) (i32.const 1) (i32.const 4096))",
        80,
    ),
    ("(call $fs_fstat (i32.const 4) (i32.const 4096))", 80),
    (
        "(call $fs_fstatat (i32.const 0x40000000) (i32.const 61440) (i32.const 11) (i32.const 1) (i32.const 4096))",
        80,
    ),
    (
        "(call $fd_prestat_get (i32.const 0x40000000) (i32.const 4096))",
        8,
    ),
    ("(call $fd_prestat_get (i32.const 3) (i32.const 4096))", 0),
    (
        "(call $fd_prestat_dir_name (i32.const 0x40000000) (i32.const 4096) (i32.const 100))",
        1,
    ),
    (
        "(call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 4096))",
        8,
    ),
    ("(call $clock_res_get (i32.const 1) (i32.const 4096))", 8),
    ("(call $fd_tell (i32.const 3) (i32.const 4096))", 8),
    (
        "(call $fd_seek (i32.const 3) (i64.const 2) (i32.const 0) (i32.const 4096))",
        8,
    ),
    (
        "(call $fd_seek (i32.const 3) (i64.const -2) (i32.const 0) (i32.const 4096))",
        0,
    ),
    ("(call $random_get (i32.const 4096) (i32.const 100))", 100),
    ("(call $proc_identity (i32.const 4096))", 12),
    (
        "(i32.ne (call $proc_cwd (i32.const 4096) (i32.const 100)) (i32.const 10))",
        10,
    ),
    (
        "(call $args_sizes_get (i32.const 4096) (i32.const 50000))",
        4,
    ),
    (
        "(call $environ_sizes_get (i32.const 50000) (i32.const 4096))",
        4,
    ),
    (
        "(call $fd_readdir (i32.const 4) (i32.const 4096) (i32.const 300) (i64.const 0) (i32.const 50000))",
        300,
    ),
    (
        "(call $fd_readdir (i32.const 4) (i32.const 4096) (i32.const 30) (i64.const 1) (i32.const 50000))",
        30,
    ),
    (
        "(call $fd_readdir (i32.const 4) (i32.const 4096) (i32.const 300) (i64.const -1) (i32.const 50000))",
        0,
    ),
    (
        "(call $path_readlink (i32.const 0x40000000) (i32.const 61500) (i32.const 7) (i32.const 4096) (i32.const 100) (i32.const 50000))",
        4,
    ),
    (
        "(call $fd_read (i32.const 0) (i32.const 61600) (i32.const 1) (i32.const 50000))",
        0,
    ),
    (
        "(call $poll_oneoff (i32.const 61700) (i32.const 4096) (i32.const 1) (i32.const 50000))",
        32,
    ),
    (
        "(i32.ne (call $proc_wait (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 4096)) (i32.const -12))",
        0,
    ),
    (
        "(i32.lt_s (call $fd_pipe (i32.const 4096)) (i32.const 0))",
        8,
    ),
    ("(call $state_load (i32.const 4096) (i32.const 0))", 0),
    (
        "(call $sock_accept (i32.const 3) (i32.const 0) (i32.const 4096))",
        0,
    ),
    (
        "(call $sock_recv (i32.const 3) (i32.const 61600) (i32.const 1) (i32.const 0) (i32.const 4096) (i32.const 4100))",
        0,
    ),
    (
        "(call $sock_send (i32.const 3) (i32.const 61600) (i32.const 1) (i32.const 0) (i32.const 4096))",
        0,
    ),
    // "/bin/uninitialised" and its NUL.
    ("(call $args_get (i32.const 50000) (i32.const 4096))", 19),
    ("(call $environ_get (i32.const 50000) (i32.const 4096))", 0),
    (
        "(call $fd_pread (i32.const 3) (i32.const 61600) (i32.const 1) (i64.const 0) (i32.const 50000))",
        0,
    ),
    (
        "(call $fd_write (i32.const 3) (i32.const 61600) (i32.const 1) (i32.const 50000))",
        0,
    ),
    (
        "(call $fd_pwrite (i32.const 3) (i32.const 61600) (i32.const 1) (i64.const 0) (i32.const 50000))",
        0,
    ),
    (
        "(call $path_open (i32.const 0x40000000) (i32.const 0) (i32.const 61440) (i32.const 11) (i32.const 0) (i64.const 0xfffffff) (i64.const 0) (i32.const 0) (i32.const 50000))",
        0,
    ),
];

/// Functions that are given a place to write to and are not among the calls that are looked at.
pub fn undocumented(functions: &[Function]) -> Vec<&str> {
    let writes = |function: &&Function| {
        let mut names = function.parameters.iter().map(|(name, _)| &**name);
        names.any(|name| matches!(name, "out" | "used" | "events" | "out_flags"))
    };
    let looked_at = |name: &str| {
        DOCUMENTED
            .iter()
            .any(|(text, _)| text.contains(&format!("${name} ")))
    };
    let names = functions
        .iter()
        .filter(writes)
        .map(|function| &*function.name);
    names.filter(|name| !looked_at(name)).collect()
}

/// A guest whose status is 42 when each call of [`DOCUMENTED`] changed its documented bytes
/// only, else the number of the call.
#[expect(clippy::too_many_lines, reason = "one guest, read from top to bottom")]
pub fn uninitialised() -> String {
    let mut body = String::from(
        r#"(memory (export "memory") 1)
(data $path "/workspace/f")
(data $folder "workspace/d")
(data $usr "usr/bin")
(func $ready
  (memory.fill (i32.const 0) (i32.const 0xaa) (i32.const 60000))
  (memory.fill (i32.const 60000) (i32.const 0) (i32.const 5536))
  (memory.init $path (i32.const 61439) (i32.const 0) (i32.const 12))
  (memory.init $folder (i32.const 61460) (i32.const 0) (i32.const 11))
  (memory.init $usr (i32.const 61500) (i32.const 0) (i32.const 7))
  (i32.store (i32.const 61600) (i32.const 4096))
  (i32.store (i32.const 61604) (i32.const 100)))
(func $check (param $case i32) (param $changed i32) (local $at i32)
  (loop $again
    (if (i32.and
          (i32.ne (i32.load8_u (local.get $at)) (i32.const 0xaa))
          (i32.and
            (i32.ge_u (i32.sub (local.get $at) (i32.const 4096)) (local.get $changed))
            (i32.ge_u (i32.sub (local.get $at) (i32.const 50000)) (i32.const 4))))
      (then (call $proc_exit (local.get $case))))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $at) (i32.const 60000))))
  (call $ready))
(func $zero (param $case i32) (param $from i32) (param $to i32)
  (loop $again
    (if (i32.load8_u (local.get $from)) (then (call $proc_exit (local.get $case))))
    (local.set $from (i32.add (local.get $from) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $from) (local.get $to)))))
(func (export "_start")
  (call $ready)
  (drop (call $path_create_directory (i32.const 0x40000000) (i32.const 61460) (i32.const 11)))
  (drop (call $path_open (i32.const 0x40000000) (i32.const 0) (i32.const 61440) (i32.const 11) (i32.const 1)
    (i64.const 0xfffffff) (i64.const 0) (i32.const 0) (i32.const 50000)))
  (drop (call $path_open (i32.const 0x40000000) (i32.const 0) (i32.const 61460) (i32.const 11) (i32.const 2)
    (i64.const 0x4000) (i64.const 0) (i32.const 0) (i32.const 50000)))
  (call $ready)
"#,
    );
    for (number, (text, changed)) in (100..).zip(DOCUMENTED) {
        // A case that fails where it should succeed would prove nothing.
        let failed = if *changed == 0 {
            "drop"
        } else {
            "call $must_be_zero"
        };
        write!(body, "({failed} {text})").unwrap();
        if text.contains("filestat_get") && *changed > 0 {
            write!(
                body,
                "(call $zero (i32.const {number}) (i32.const 4113) (i32.const 4120))"
            )
            .unwrap();
        }
        if text.contains("fdstat_get") {
            write!(
                body,
                "(call $zero (i32.const {number}) (i32.const 4100) (i32.const 4104))"
            )
            .unwrap();
        }
        writeln!(
            body,
            "(call $check (i32.const {number}) (i32.const {changed}))"
        )
        .unwrap();
    }
    body.push_str(
        "(call $proc_exit (i32.const 42)))\n\
         (func $must_be_zero (param i32) (if (local.get 0) (then (call $proc_exit (i32.const 99)))))",
    );
    body
}
