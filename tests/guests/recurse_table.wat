;; Calls itself through the table for ever (WASM-03).
(type $down (func (param i32) (result i32)))
(memory (export "memory") 1)
(table 1 1 funcref)
(elem (i32.const 0) $down)
(func $down (type $down)
  (i32.add (local.get 0)
    (call_indirect (type $down) (i32.add (local.get 0) (i32.const 1)) (i32.const 0))))
(func (export "_start") (drop (call $down (i32.const 0))))
