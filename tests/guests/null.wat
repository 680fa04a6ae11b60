;; Writes 10 times 64 MiB to /dev/null: work of the host, not of the guest.
(memory (export "memory") 1030)
(data (i32.const 64) "/dev/null")
(func (export "_start") (local $count i32) (local $fd i32)
  (local.set $fd (call $fd_open (i32.const 64) (i32.const 9) (i32.const 1) (i32.const 0)))
  (i32.store (i32.const 16) (i32.const 1024))
  (i32.store (i32.const 20) (i32.const 67108864))
  (loop $again
    (if (call $fd_write (local.get $fd) (i32.const 16) (i32.const 1) (i32.const 32)) (then (call $proc_exit (i32.const 1))))
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $count) (i32.const 10)))))
