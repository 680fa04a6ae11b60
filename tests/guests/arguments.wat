;; Starts programs with too many bytes of arguments, then children with a million arguments each
;; that it never waits for; status 1 when it ran into a limit within 1,200 starts.
(memory (export "memory") 60)
(data (i32.const 128) "/workspace/bin/sleep")
(func (export "_start") (local $count i32)
  (i32.store (i32.const 16) (i32.const 138))
  (i32.store (i32.const 20) (i32.const 10))
  (i32.store (i32.const 24) (i32.const 4096))
  (i32.store (i32.const 28) (i32.const 3000000))
  (i32.store (i32.const 40) (i32.const 128))
  (i32.store (i32.const 44) (i32.const 10))
  (if (i32.ne (call $proc_spawn (i32.const 16)) (i32.const -1)) (then (call $proc_exit (i32.const 2))))
  (i32.store (i32.const 28) (i32.const 2000000))
  (loop $again
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (if (i32.gt_u (local.get $count) (i32.const 1200)) (then (call $proc_exit (i32.const 3))))
    (br_if $again (i32.ge_s (call $proc_spawn (i32.const 16)) (i32.const 0))))
  (call $proc_exit (i32.const 1)))
