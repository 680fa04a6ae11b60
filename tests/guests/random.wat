;; Asks for too many random bytes, then for as many as one call gives; status 42 when the first
;; asks were refused and the last changed every page.
(memory (export "memory") 1100)
(func $or_leave (param i32) (if (i32.eqz (local.get 0)) (then (call $proc_exit (i32.const 1)))))
(func (export "_start") (local $at i32)
  (call $or_leave (call $random_get (i32.const 0) (i32.const -1)))
  (call $or_leave (call $random_get (i32.const 4096) (i32.const 67108864)))
  (call $or_leave (call $random_get (i32.const 71303168) (i32.const 1048576)))
  (if (call $random_get (i32.const 4096) (i32.const 1048576)) (then (call $proc_exit (i32.const 2))))
  (local.set $at (i32.const 4096))
  (loop $pages
    (call $or_leave (i64.ne (i64.const 0) (i64.or (i64.load (local.get $at)) (i64.load offset=8 (local.get $at)))))
    (local.set $at (i32.add (local.get $at) (i32.const 4096)))
    (br_if $pages (i32.lt_u (local.get $at) (i32.const 1052672))))
  (call $proc_exit (i32.const 42)))
