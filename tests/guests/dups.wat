;; Duplicates a descriptor until that is refused; status 1 when it got fewer than 256, else 2.
(memory (export "memory") 1)
(func (export "_start") (local $count i32)
  (loop $again
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (br_if $again (i32.ge_s (call $fd_dup (i32.const 1) (i32.const 0)) (i32.const 0))))
  (call $proc_exit (select (i32.const 1) (i32.const 2) (i32.lt_u (local.get $count) (i32.const 256)))))
