;; Starts children that trap, one after the other, then a hundred at once, and takes every one's
;; status; status 42 when each was ABRT (WASM-09).
(memory (export "memory") 1)
(data (i32.const 128) "/workspace/bin/trap")
(func $start
  (if (i32.lt_s (call $proc_spawn (i32.const 16)) (i32.const 0)) (then (call $proc_exit (i32.const 1)))))
(func $take
  (if (i32.ne (call $proc_wait (i32.const 0) (i32.const 0) (i64.const -1) (i32.const 80)) (i32.const 1))
    (then (call $proc_exit (i32.const 2))))
  (if (i32.ne (i32.load (i32.const 88)) (i32.const 6)) (then (call $proc_exit (i32.const 3)))))
(func (export "_start") (local $count i32)
  (i32.store (i32.const 16) (i32.const 138))
  (i32.store (i32.const 20) (i32.const 9))
  (i32.store (i32.const 40) (i32.const 128))
  (i32.store (i32.const 44) (i32.const 10))
  (loop $one
    (call $start)
    (call $take)
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (br_if $one (i32.lt_u (local.get $count) (i32.const 200))))
  (loop $many
    (call $start)
    (local.set $count (i32.sub (local.get $count) (i32.const 1)))
    (br_if $many (i32.gt_u (local.get $count) (i32.const 100))))
  (loop $each
    (call $take)
    (local.set $count (i32.sub (local.get $count) (i32.const 1)))
    (br_if $each (local.get $count)))
  (call $proc_exit (i32.const 42)))
