;; Asks about a path of 4,095 bytes and two thousand folders for ever (WASM-07).
(memory (export "memory") 1)
(data (i32.const 64) "/workspace/")
(func (export "_start") (local $at i32)
  (local.set $at (i32.const 75))
  (loop $fill
    (i32.store16 (local.get $at) (i32.const 0x2f64))
    (local.set $at (i32.add (local.get $at) (i32.const 2)))
    (br_if $fill (i32.lt_u (local.get $at) (i32.const 4159))))
  (loop $again
    (br_if $again (i32.eqz (call $fs_stat (i32.const 64) (i32.const 4095) (i32.const 1) (i32.const 8192)))))
  (call $proc_exit (i32.const 2)))
