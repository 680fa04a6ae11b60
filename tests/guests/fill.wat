;; Fills and copies 255 MiB for ever: the longest single instructions there are.
(memory (export "memory") 4090)
(func (export "_start")
  (loop $again
    (memory.fill (i32.const 0) (i32.const 90) (i32.const 268000000))
    (memory.copy (i32.const 1) (i32.const 0) (i32.const 267999999))
    (br $again)))
