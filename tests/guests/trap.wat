;; Traps at once, with a megabyte written.
(memory (export "memory") 16)
(func (export "_start")
  (memory.fill (i32.const 0) (i32.const 90) (i32.const 1048576))
  (unreachable))
