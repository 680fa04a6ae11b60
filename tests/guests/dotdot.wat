;; Goes up thirteen hundred folders from two thousand deep, for ever (WASM-07).
(memory (export "memory") 1)
(data (i32.const 64) "workspace")
(func (export "_start") (local $at i32)
  (local.set $at (i32.const 73))
  (loop $down
    (i32.store16 (local.get $at) (i32.const 0x642f))
    (local.set $at (i32.add (local.get $at) (i32.const 2)))
    (br_if $down (i32.lt_u (local.get $at) (i32.const 4153))))
  (if (call $path_open (i32.const 0x40000000) (i32.const 0) (i32.const 64) (i32.const 4089) (i32.const 2)
        (i64.const 0x4000) (i64.const 0) (i32.const 0) (i32.const 32))
    (then (call $proc_exit (i32.const 1))))
  (local.set $at (i32.const 8192))
  (loop $up
    (i32.store (local.get $at) (i32.const 0x002f2e2e))
    (local.set $at (i32.add (local.get $at) (i32.const 3)))
    (br_if $up (i32.lt_u (local.get $at) (i32.const 12092))))
  (loop $again
    (br_if $again (i32.eqz (call $fs_fstatat
      (i32.load (i32.const 32)) (i32.const 8192) (i32.const 3900) (i32.const 1) (i32.const 16384)))))
  (call $proc_exit (i32.const 2)))
