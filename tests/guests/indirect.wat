;; A loop of indirect calls of an empty function.
(type $empty (func))
(memory (export "memory") 1)
(table 1 1 funcref)
(elem (i32.const 0) $nothing)
(func $nothing)
(func (export "_start") (loop $again (call_indirect (type $empty) (i32.const 0)) (br $again)))
