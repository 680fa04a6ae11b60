;; A loop of calls of a function of one instruction (WASM-04).
(memory (export "memory") 1)
(func $one (result i32) (i32.const 1))
(func (export "_start") (loop $again (br_if $again (call $one))))
