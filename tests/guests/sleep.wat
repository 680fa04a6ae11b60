;; Sleeps a thousand million seconds.
(memory (export "memory") 1)
(func (export "_start")
  (i32.store (i32.const 16) (i32.const 1))
  (i64.store (i32.const 24) (i64.const 1000000000000000000))
  (drop (call $poll_oneoff (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))
