;; Starts children that end at once and never waits for them; status 1 when starts were refused
;; for good between the 16,000th and the 20,000th, 2 before, 3 never.
(memory (export "memory") 1)
(data (i32.const 128) "/workspace/bin/ok")
(func (export "_start") (local $count i32) (local $refused i32)
  (i32.store (i32.const 16) (i32.const 138))
  (i32.store (i32.const 20) (i32.const 7))
  (i32.store (i32.const 40) (i32.const 128))
  (i32.store (i32.const 44) (i32.const 10))
  (i32.store (i32.const 528) (i32.const 1))
  (i64.store (i32.const 536) (i64.const 5000000))
  (loop $again
    (if (i32.ge_s (call $proc_spawn (i32.const 16)) (i32.const 0))
      (then
        (local.set $refused (i32.const 0))
        (local.set $count (i32.add (local.get $count) (i32.const 1))))
      (else
        ;; Perhaps only too many are alive: they get time to end.
        (drop (call $poll_oneoff (i32.const 512) (i32.const 600) (i32.const 1) (i32.const 700)))
        (local.set $refused (i32.add (local.get $refused) (i32.const 1)))))
    (if (i32.gt_u (local.get $count) (i32.const 20000)) (then (call $proc_exit (i32.const 3))))
    (br_if $again (i32.lt_u (local.get $refused) (i32.const 200))))
  (call $proc_exit (select (i32.const 1) (i32.const 2) (i32.gt_u (local.get $count) (i32.const 16000)))))
