;; Makes 100 folders inside each other, opens the innermost 200 times, goes up and down again from
;; the last of them (the result is the status: 42) and sleeps two seconds before it ends.
(memory (export "memory") 1)
(data (i32.const 64) "../../d")
(func (export "_start") (local $count i32) (local $fd i32)
  ;; "/workspace" and "/d" 100 times, at 1024.
  (i64.store (i32.const 1024) (i64.const 0x6170736b726f772f))
  (i32.store16 (i32.const 1032) (i32.const 0x6563))
  (loop $folders
    (i32.store16 (i32.add (i32.const 1034) (i32.mul (local.get $count) (i32.const 2))) (i32.const 0x642f))
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (drop (call $path_create_directory (i32.const 0x40000000) (i32.const 1025)
      (i32.add (i32.const 9) (i32.mul (local.get $count) (i32.const 2)))))
    (br_if $folders (i32.lt_u (local.get $count) (i32.const 100))))
  (local.set $count (i32.const 0))
  (loop $opens
    (local.set $fd (call $fd_open (i32.const 1024) (i32.const 210) (i32.const 0x10000) (i32.const 0)))
    (if (i32.lt_s (local.get $fd) (i32.const 0)) (then (call $proc_exit (i32.const 1))))
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (br_if $opens (i32.lt_u (local.get $count) (i32.const 200))))
  (if (call $path_open (local.get $fd) (i32.const 0) (i32.const 64) (i32.const 7) (i32.const 2)
      (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 16)) (then (call $proc_exit (i32.const 2))))
  (i32.store (i32.const 528) (i32.const 1))
  (i64.store (i32.const 536) (i64.const 2000000000))
  (drop (call $poll_oneoff (i32.const 512) (i32.const 600) (i32.const 1) (i32.const 700)))
  (call $proc_exit (i32.const 42)))
