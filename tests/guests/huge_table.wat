;; Wants four thousand million table elements from its start.
(memory (export "memory") 1)
(table 4000000000 funcref)
(func (export "_start"))
