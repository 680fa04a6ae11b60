;; Reads a pipe that only it could write.
(memory (export "memory") 1)
(func (export "_start")
  (drop (call $fd_pipe (i32.const 16)))
  (i32.store (i32.const 32) (i32.const 64))
  (i32.store (i32.const 36) (i32.const 10))
  (drop (call $fd_read (i32.load (i32.const 16)) (i32.const 32) (i32.const 1) (i32.const 48))))
