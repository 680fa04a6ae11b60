;; Writes 128 MiB in single writes of as much as is taken, for ever.
(memory (export "memory") 2060)
(func (export "_start")
  (i32.store (i32.const 16) (i32.const 1024))
  (i32.store (i32.const 20) (i32.const 134217728))
  (loop $again
    (drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 32)))
    (br $again)))
