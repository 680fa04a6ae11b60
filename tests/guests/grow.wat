;; Grows its memory page by page until that is refused; status 1 when it got no more than 4,096
;; pages (256 MiB), 2 when more.
(memory (export "memory") 1)
(func (export "_start")
  (if (i32.ne (memory.grow (i32.const 65535)) (i32.const -1)) (then (call $proc_exit (i32.const 3))))
  (loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
  (call $proc_exit (select (i32.const 1) (i32.const 2) (i32.le_u (memory.size) (i32.const 4096)))))
