;; Opens the file `large` for writing; status 42 when it may.
(memory (export "memory") 1)
(data (i32.const 64) "/workspace/large")
(func (export "_start")
  (if (i32.lt_s (call $fd_open (i32.const 64) (i32.const 16) (i32.const 1) (i32.const 0)) (i32.const 0))
    (then (call $proc_exit (i32.const 1))))
  (call $proc_exit (i32.const 42)))
