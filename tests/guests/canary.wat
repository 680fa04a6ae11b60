;; Looks whether anybody was here before, then leaves a canary everywhere: in memory, in the data,
;; in the global; status 42 when all was as it begins (WASM-18).
(memory (export "memory") 8)
(global $global (mut i32) (i32.const 8))
(data (i32.const 16) "begins so")
(func (export "_start") (local $at i32)
  (if (i32.ne (global.get $global) (i32.const 8)) (then (call $proc_exit (i32.const 1))))
  (if (i64.ne (i64.load (i32.const 16)) (i64.const 0x7320736e69676562)) (then (call $proc_exit (i32.const 2))))
  (local.set $at (i32.const 32))
  (loop $again
    (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (call $proc_exit (i32.const 3))))
    (local.set $at (i32.add (local.get $at) (i32.const 8)))
    (br_if $again (i32.lt_u (local.get $at) (i32.const 524288))))
  (global.set $global (i32.const 0x5a5a5a5a))
  (memory.fill (i32.const 0) (i32.const 90) (i32.const 524288))
  (if (i32.ge_s (memory.grow (i32.const 8)) (i32.const 0))
    (then
      (if (i64.ne (i64.load (i32.const 1048568)) (i64.const 0)) (then (call $proc_exit (i32.const 4))))
      (memory.fill (i32.const 524288) (i32.const 90) (i32.const 524288))))
  (call $proc_exit (i32.const 42)))
