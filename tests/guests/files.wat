;; Prints "ok".
(memory (export "memory") 1)
(data (i32.const 64) "ok\n")
(data (i32.const 16) "\40\00\00\00\03\00\00\00")
(func (export "_start")
  (drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 32))))
