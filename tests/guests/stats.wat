;; 10,000 host calls that move no bytes.
(memory (export "memory") 1)
(func (export "_start") (local $count i32)
  (loop $again
    (drop (call $fd_filestat_get (i32.const 1) (i32.const 1024)))
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $count) (i32.const 10000)))))
