;; Climbs a ladder of branches that are never taken, for ever (WASM-04).
(memory (export "memory") 1)
(func (export "_start") (local $never i32)
  (loop $again
    (block $a (block $b (block $c (block $d (block $e (block $f (block $g (block $h
      (br_if $h (local.get $never)) (br_if $g (local.get $never)) (br_if $f (local.get $never))
      (br_if $e (local.get $never)) (br_if $d (local.get $never)) (br_if $c (local.get $never))
      (br_if $b (local.get $never)) (br_if $a (local.get $never))
      (br_table $a $b $c $d $e $f $g $h (i32.const 7))))))))))
    (br $again)))
