;; Fills 64 MiB ten times and copies it ten times: few instructions, many bytes (WASM-06).
(memory (export "memory") 2050)
(func (export "_start") (local $count i32)
  (loop $again
    (memory.fill (i32.const 0) (i32.const 90) (i32.const 67108864))
    (memory.copy (i32.const 67108864) (i32.const 0) (i32.const 67108864))
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $count) (i32.const 10)))))
