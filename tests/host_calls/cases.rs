//! One guest for each host function and way to make it work hard.

use super::hostile_guests::Guest;

/// Folders in the deepest path.
pub const DEPTH: u32 = 2_040;
/// Names in the folder `many`.
pub const NAMES: u32 = 2_000;
/// Files in the folder `linked` with a second name outside.
pub const LINKS: u32 = 16;

/// A host function, and what a guest does with it so many times.
pub struct Case {
    pub name: &'static str,
    pub count: u32,
    /// Once, before.
    first: &'static str,
    again: &'static str,
}

const fn case(name: &'static str, count: u32, again: &'static str) -> Case {
    Case {
        name,
        count,
        first: "",
        again,
    }
}

impl Case {
    pub fn nothing() -> Self {
        case("nothing", 1, "")
    }

    pub fn program(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        format!("host_{}", self.name.chars().map(plain).collect::<String>())
    }

    /// Numbers: 3 is the file `f`, 4 the workspace, 5 `/dev/null`, 6 `many`, 7 `/dev/urandom`.
    pub fn guest(&self) -> Guest {
        let Self {
            first,
            again,
            count,
            ..
        } = self;
        let text = format!(
            r#"(memory (export "memory") 1100)
(global (export "__stack_pointer") (mut i32) (i32.const 16))
(func (export "fork_entry") (param i32) (call $proc_exit (i32.const 0)))
(data (i32.const 64) "/workspace/f")
(data (i32.const 96) "/workspace")
(data (i32.const 128) "/dev/null")
(data (i32.const 160) "/workspace/many")
(data (i32.const 192) "/dev/urandom")
(data (i32.const 224) "/bin/canary")
(data (i32.const 255) "/workspace/new")
(data (i32.const 288) "workspace/newer")
(data (i32.const 320) "/workspace/linked/a")
(data (i32.const 352) "/workspace/through")
(func $open (param i32 i32 i32 i32)
  (if (i32.ne (call $fd_open (local.get 0) (local.get 1) (local.get 2) (i32.const 0x1ff)) (local.get 3))
    (then (call $proc_exit (i32.const 1)))))
(func $ok (param i32) (if (local.get 0) (then (call $proc_exit (i32.const 2)))))
(func (export "_start") (local $count i32) (local $at i32)
  (call $open (i32.const 64) (i32.const 12) (i32.const 0x42) (i32.const 3))
  (call $open (i32.const 96) (i32.const 10) (i32.const 0x10000) (i32.const 4))
  (call $open (i32.const 128) (i32.const 9) (i32.const 2) (i32.const 5))
  (drop (call $fd_open (i32.const 160) (i32.const 15) (i32.const 0x10000) (i32.const 0)))
  (drop (call $fd_open (i32.const 192) (i32.const 12) (i32.const 0) (i32.const 0)))
  ;; One buffer of 64 MiB at 1 MiB; a path of many folders at 8,192.
  (i32.store (i32.const 1024) (i32.const 1048576))
  (i32.store (i32.const 1028) (i32.const 67108864))
  (i64.store (i32.const 8192) (i64.const 0x6361707378726f77))
  (memory.copy (i32.const 8192) (i32.const 97) (i32.const 9))
  (local.set $at (i32.const 8201))
  (loop $fill
    (i32.store16 (local.get $at) (i32.const 0x642f))
    (local.set $at (i32.add (local.get $at) (i32.const 2)))
    (br_if $fill (i32.lt_u (local.get $at) (i32.const 12281))))
  {first}
  (loop $again
    {again}
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $count) (i32.const {count}))))
  (call $proc_exit (i32.const 42)))"#
        );
        Guest {
            name: self.program(),
            text,
        }
    }
}

pub const CASES: &[Case] = &[
    case("clock_time_get", 1_000_000, "(call $ok (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 2048)))"),
    case("clock_res_get", 1_000_000, "(call $ok (call $clock_res_get (i32.const 1) (i32.const 2048)))"),
    case("args_get", 1_000_000, "(call $ok (call $args_get (i32.const 2048) (i32.const 4096)))"),
    case("environ_sizes_get", 1_000_000, "(call $ok (call $environ_sizes_get (i32.const 2048) (i32.const 4096)))"),
    case("random_get 1 byte", 500_000, "(call $ok (call $random_get (i32.const 2048) (i32.const 1)))"),
    case("random_get 1 MiB", 200, "(call $ok (call $random_get (i32.const 1048576) (i32.const 1048576)))"),
    case("fd_advise", 500_000, "(call $ok (call $fd_advise (i32.const 3) (i64.const 0) (i64.const 9) (i32.const 0)))"),
    case("fd_allocate", 500_000, "(call $ok (call $fd_allocate (i32.const 3) (i64.const 0) (i64.const 9)))"),
    case("fd_sync", 500_000, "(call $ok (call $fd_sync (i32.const 3)))"),
    case("fd_fdstat_get", 500_000, "(call $ok (call $fd_fdstat_get (i32.const 3) (i32.const 2048)))"),
    case("fd_fdstat_set_flags", 500_000, "(call $ok (call $fd_fdstat_set_flags (i32.const 3) (i32.const 0)))"),
    case("fd_filestat_get file", 500_000, "(call $ok (call $fd_filestat_get (i32.const 3) (i32.const 2048)))"),
    case("fd_filestat_get folder", 500_000, "(call $ok (call $fd_filestat_get (i32.const 4) (i32.const 2048)))"),
    case("fd_filestat_set_size", 2_000, "(call $ok (call $fd_filestat_set_size (i32.const 3) (i64.const 0)))
      (call $ok (call $fd_filestat_set_size (i32.const 3) (i64.const 65536)))"),
    case("fd_filestat_set_times", 20_000, "(call $ok (call $fd_filestat_set_times (i32.const 3) (i64.const 9) (i64.const 9) (i32.const 5)))"),
    Case {
        name: "fd_pwrite 1 byte",
        count: 50_000,
        first: "(i32.store (i32.const 1028) (i32.const 1))",
        again: "(call $ok (call $fd_pwrite (i32.const 3) (i32.const 1024) (i32.const 1) (i64.const 0) (i32.const 2048)))",
    },
    Case {
        name: "fd_pwrite 256 KiB",
        count: 500,
        first: "(i32.store (i32.const 1028) (i32.const 262144))",
        again: "(call $ok (call $fd_pwrite (i32.const 3) (i32.const 1024) (i32.const 1) (i64.const 0) (i32.const 2048)))",
    },
    Case {
        name: "fd_pwrite and cut 256 KiB",
        count: 300,
        first: "(i32.store (i32.const 1028) (i32.const 262144))",
        again: "(call $ok (call $fd_filestat_set_size (i32.const 3) (i64.const 0)))
          (call $ok (call $fd_pwrite (i32.const 3) (i32.const 1024) (i32.const 1) (i64.const 0) (i32.const 2048)))",
    },
    Case {
        name: "fd_pread 256 KiB",
        count: 500,
        first: "(i32.store (i32.const 1028) (i32.const 262144))
          (call $ok (call $fd_pwrite (i32.const 3) (i32.const 1024) (i32.const 1) (i64.const 0) (i32.const 2048)))",
        again: "(call $ok (call $fd_pread (i32.const 3) (i32.const 1024) (i32.const 1) (i64.const 0) (i32.const 2048)))",
    },
    case("fd_read of /dev/urandom", 200, "(call $ok (call $fd_read (i32.const 7) (i32.const 1024) (i32.const 1) (i32.const 2048)))"),
    case("fd_write of 64 MiB to /dev/null", 100, "(call $ok (call $fd_write (i32.const 5) (i32.const 1024) (i32.const 1) (i32.const 2048)))"),
    case("fd_write of 1,024 empty buffers", 20_000, "(call $ok (call $fd_write (i32.const 5) (i32.const 16384) (i32.const 1024) (i32.const 2048)))"),
    case("fd_write refused", 500_000, "(drop (call $fd_write (i32.const 99) (i32.const 1024) (i32.const 1) (i32.const 2048)))"),
    case("fd_readdir of 2,000 names", 100, "(call $ok (call $fd_readdir (i32.const 6) (i32.const 1048576) (i32.const 262144) (i64.const 0) (i32.const 2048)))"),
    Case {
        name: "fd_readdir again, no room",
        count: 500_000,
        first: "(call $ok (call $fd_readdir (i32.const 6) (i32.const 1048576) (i32.const 262144) (i64.const 0) (i32.const 2048)))",
        again: "(call $ok (call $fd_readdir (i32.const 6) (i32.const 1048576) (i32.const 1) (i64.const 9) (i32.const 2048)))",
    },
    case("fd_readdir from the start, no room", 100, "(call $ok (call $fd_readdir (i32.const 6) (i32.const 1048576) (i32.const 1) (i64.const 0) (i32.const 2048)))"),
    case("fd_seek", 500_000, "(call $ok (call $fd_seek (i32.const 3) (i64.const 0) (i32.const 0) (i32.const 2048)))"),
    case("fd_renumber", 500_000, "(call $ok (call $fd_renumber (i32.const 3) (i32.const 200))) (call $ok (call $fd_renumber (i32.const 200) (i32.const 3)))"),
    case("fd_dup, fd_close", 500_000, "(call $ok (call $fd_close (call $fd_dup (i32.const 3) (i32.const 250))))"),
    case("fd_pipe, fd_close twice", 50_000, "(drop (call $fd_pipe (i32.const 2048)))
      (call $ok (call $fd_close (i32.load (i32.const 2048)))) (call $ok (call $fd_close (i32.load (i32.const 2052))))"),
    case("fd_open, fd_close", 20_000, "(call $ok (call $fd_close (call $fd_open (i32.const 64) (i32.const 12) (i32.const 2) (i32.const 0))))"),
    case("fd_open to write to /dev/null", 50_000, "(call $ok (call $fd_close (call $fd_open (i32.const 128) (i32.const 9) (i32.const 2) (i32.const 0))))"),
    case("fd_open of a program", 10_000, "(call $ok (call $fd_close (call $fd_open (i32.const 224) (i32.const 11) (i32.const 0) (i32.const 0))))"),
    Case {
        name: "fd_open of a file with two names",
        count: 16,
        first: "",
        again: "(call $ok (call $fd_close (call $fd_open (i32.const 320) (i32.const 19) (i32.const 1) (i32.const 0))))
          (i32.store8 (i32.const 338) (i32.add (i32.load8_u (i32.const 338)) (i32.const 1)))",
    },
    case("path_create_directory, remove", 5_000, "(call $ok (call $path_create_directory (i32.const 0x40000000) (i32.const 256) (i32.const 13)))
      (call $ok (call $path_remove_directory (i32.const 0x40000000) (i32.const 256) (i32.const 13)))"),
    case("path_filestat_get", 50_000, "(call $ok (call $path_filestat_get (i32.const 0x40000000) (i32.const 1) (i32.const 65) (i32.const 11) (i32.const 2048)))"),
    case("path_filestat_get, 2,040 folders", 50, "(call $ok (call $path_filestat_get (i32.const 0x40000000) (i32.const 1) (i32.const 8192) (i32.const 4089) (i32.const 2048)))"),
    Case {
        name: "fs_stat of 4,089 slashes",
        count: 5_000,
        first: "(memory.fill (i32.const 12288) (i32.const 0x2f) (i32.const 4089))",
        again: "(call $ok (call $fs_stat (i32.const 12288) (i32.const 4089) (i32.const 1) (i32.const 2048)))",
    },
    Case {
        name: "fs_fstatat of 1,300 ..",
        count: 20,
        first: "(if (call $path_open (i32.const 0x40000000) (i32.const 0) (i32.const 8192) (i32.const 4089) (i32.const 2) (i64.const 0x4000) (i64.const 0) (i32.const 0) (i32.const 2048)) (then (call $proc_exit (i32.const 5))))
          (local.set $at (i32.const 16384)) (loop $up (i32.store (local.get $at) (i32.const 0x002f2e2e)) (local.set $at (i32.add (local.get $at) (i32.const 3)))
            (br_if $up (i32.lt_u (local.get $at) (i32.const 20284))))",
        again: "(call $ok (call $fs_fstatat (i32.load (i32.const 2048)) (i32.const 16384) (i32.const 3900) (i32.const 1) (i32.const 4096)))",
    },
    Case {
        name: "path_symlink, fs_stat through it",
        count: 20,
        first: "(drop (call $path_symlink (i32.const 8202) (i32.const 4078) (i32.const 0x40000000) (i32.const 353) (i32.const 17)))",
        again: "(call $ok (call $fs_stat (i32.const 352) (i32.const 18) (i32.const 1) (i32.const 4096)))",
    },
    case("path_open with create, unlink", 5_000, "(call $ok (call $path_open (i32.const 0x40000000) (i32.const 0) (i32.const 256) (i32.const 13) (i32.const 1) (i64.const 0x42) (i64.const 0) (i32.const 0) (i32.const 2048)))
      (call $ok (call $fd_close (i32.load (i32.const 2048))))
      (call $ok (call $path_unlink_file (i32.const 0x40000000) (i32.const 256) (i32.const 13)))"),
    case("path_link, unlink", 5_000, "(call $ok (call $path_link (i32.const 0x40000000) (i32.const 0) (i32.const 65) (i32.const 11) (i32.const 0x40000000) (i32.const 256) (i32.const 13)))
      (call $ok (call $path_unlink_file (i32.const 0x40000000) (i32.const 256) (i32.const 13)))"),
    case("path_symlink, readlink, unlink", 5_000, "(call $ok (call $path_symlink (i32.const 65) (i32.const 11) (i32.const 0x40000000) (i32.const 256) (i32.const 13)))
      (call $ok (call $path_readlink (i32.const 0x40000000) (i32.const 256) (i32.const 13) (i32.const 4096) (i32.const 99) (i32.const 2048)))
      (call $ok (call $path_unlink_file (i32.const 0x40000000) (i32.const 256) (i32.const 13)))"),
    Case {
        name: "path_rename there and back",
        count: 5_000,
        first: "(drop (call $path_create_directory (i32.const 0x40000000) (i32.const 256) (i32.const 13)))",
        again: "(call $ok (call $path_rename (i32.const 0x40000000) (i32.const 256) (i32.const 13) (i32.const 0x40000000) (i32.const 288) (i32.const 15)))
          (call $ok (call $path_rename (i32.const 0x40000000) (i32.const 288) (i32.const 15) (i32.const 0x40000000) (i32.const 256) (i32.const 13)))",
    },
    case("path_filestat_set_times", 10_000, "(call $ok (call $path_filestat_set_times (i32.const 0x40000000) (i32.const 1) (i32.const 65) (i32.const 11) (i64.const 9) (i64.const 9) (i32.const 5)))"),
    case("fs_stat", 50_000, "(call $ok (call $fs_stat (i32.const 64) (i32.const 12) (i32.const 1) (i32.const 2048)))"),
    case("fs_fstat", 500_000, "(call $ok (call $fs_fstat (i32.const 3) (i32.const 2048)))"),
    case("fs_chmod", 10_000, "(call $ok (call $fs_chmod (i32.const 64) (i32.const 12) (i32.const 0x1a4)))"),
    case("fs_fchmod", 20_000, "(call $ok (call $fs_fchmod (i32.const 3) (i32.const 0x1a4)))"),
    Case {
        name: "poll_oneoff of 300",
        count: 10_000,
        first: "(local.set $at (i32.const 65536)) (loop $each
          (i32.store8 offset=8 (local.get $at) (i32.const 1)) (i32.store offset=16 (local.get $at) (i32.const 3))
          (local.set $at (i32.add (local.get $at) (i32.const 48)))
          (br_if $each (i32.lt_u (local.get $at) (i32.const 79936))))",
        again: "(call $ok (call $poll_oneoff (i32.const 65536) (i32.const 131072) (i32.const 300) (i32.const 2048)))",
    },
    case("sched_yield", 50_000, "(call $ok (call $sched_yield))"),
    case("proc_identity", 1_000_000, "(call $ok (call $proc_identity (i32.const 2048)))"),
    case("proc_cwd", 1_000_000, "(drop (call $proc_cwd (i32.const 4096) (i32.const 99)))"),
    case("proc_umask", 1_000_000, "(drop (call $proc_umask (i32.const 18)))"),
    case("proc_kill of nobody", 500_000, "(drop (call $proc_kill (i32.const 4000) (i32.const 1)))"),
    case("proc_wait for nobody", 500_000, "(drop (call $proc_wait (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 2048)))"),
    Case {
        name: "proc_wait for 1,024",
        count: 5_000,
        first: "",
        again: "(drop (call $proc_wait (i32.const 65536) (i32.const 1024) (i64.const 0) (i32.const 2048)))",
    },
    Case {
        name: "proc_spawn, proc_wait",
        count: 500,
        first: "(i32.store (i32.const 3072) (i32.const 224)) (i32.store (i32.const 3076) (i32.const 11))
          (i32.store (i32.const 3096) (i32.const 96)) (i32.store (i32.const 3100) (i32.const 10))",
        again: "(if (i32.lt_s (call $proc_spawn (i32.const 3072)) (i32.const 0)) (then (call $proc_exit (i32.const 3))))
          (drop (call $proc_wait (i32.const 0) (i32.const 0) (i64.const -1) (i32.const 2048)))",
    },
    Case {
        name: "proc_spawn refused, 2 MiB",
        count: 200,
        first: "(i32.store (i32.const 3072) (i32.const 226)) (i32.store (i32.const 3076) (i32.const 9))
          (i32.store (i32.const 3080) (i32.const 1048576)) (i32.store (i32.const 3084) (i32.const 2000000))
          (i32.store (i32.const 3096) (i32.const 96)) (i32.store (i32.const 3100) (i32.const 10))",
        again: "(if (i32.ge_s (call $proc_spawn (i32.const 3072)) (i32.const 0)) (then (call $proc_exit (i32.const 3))))",
    },
    Case {
        name: "proc_fork, proc_wait",
        count: 200,
        first: "",
        again: "(if (i32.lt_s (call $proc_fork (i32.const 0)) (i32.const 0)) (then (call $proc_exit (i32.const 3))))
          (drop (call $proc_wait (i32.const 0) (i32.const 0) (i64.const -1) (i32.const 2048)))",
    },
    Case {
        name: "proc_fork of 64 MiB, proc_wait",
        count: 20,
        first: "(memory.fill (i32.const 1048576) (i32.const 7) (i32.const 67108864))",
        again: "(if (i32.lt_s (call $proc_fork (i32.const 0)) (i32.const 0)) (then (call $proc_exit (i32.const 3))))
          (drop (call $proc_wait (i32.const 0) (i32.const 0) (i64.const -1) (i32.const 2048)))",
    },
    case("sig_action", 1_000_000, "(drop (call $sig_action (i32.const 2) (i32.const 1)))"),
    case("sig_take", 1_000_000, "(drop (call $sig_take))"),
    case("state_load", 500_000, "(drop (call $state_load (i32.const 1048576) (i32.const 1048576)))"),
];
