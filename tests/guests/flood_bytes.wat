;; Writes single bytes for ever.
(memory (export "memory") 1)
(func (export "_start")
  (i32.store (i32.const 16) (i32.const 1024))
  (i32.store (i32.const 20) (i32.const 1))
  (loop $again
    (drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 32)))
    (br $again)))
