;; Copies a data segment into memory for ever (WASM-05).
(memory (export "memory") 2)
(data $text "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
(func (export "_start")
  (loop $again
    (memory.init $text (i32.const 4096) (i32.const 0) (i32.const 128))
    (br $again)))
