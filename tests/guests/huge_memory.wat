;; Wants 4 GiB of memory from its start.
(memory (export "memory") 65536)
(func (export "_start"))
