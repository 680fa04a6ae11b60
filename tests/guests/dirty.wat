;; Fills 64 MiB with a canary and leaves.
(memory (export "memory") 1024)
(func (export "_start") (memory.fill (i32.const 0) (i32.const 90) (i32.const 67108864)))
