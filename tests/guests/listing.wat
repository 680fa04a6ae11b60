;; Lists the workspace from its start for ever (WASM-07).
(memory (export "memory") 2)
(data (i32.const 64) "workspace")
(func (export "_start")
  (if (call $path_open (i32.const 0x40000000) (i32.const 0) (i32.const 64) (i32.const 9) (i32.const 2)
        (i64.const 0x4000) (i64.const 0) (i32.const 0) (i32.const 32))
    (then (call $proc_exit (i32.const 1))))
  (loop $again
    (br_if $again (i32.eqz
      (call $fd_readdir (i32.load (i32.const 32)) (i32.const 4096) (i32.const 65536) (i64.const 0) (i32.const 32768)))))
  (call $proc_exit (i32.const 2)))
