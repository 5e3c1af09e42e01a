;; One patch of normalize-patchify: bytes of three colours side by side become three planes, through a table (`floats`) or as they are (`bytes`). The meaning
;; stands in reference.ts. Built into wasm-bytes.ts by test/helpers/build-wat.ts.
(module
  (memory (export "memory") 1)

  ;; $source: the patch's first pixel, rows $stride bytes apart. $levels: 3 x 256 float32. $out: its first plane, the others $channel bytes apart; each plane
  ;; is then repeated $copies times behind itself.
  (func (export "floats") (param $source i32) (param $stride i32) (param $side i32) (param $levels i32) (param $out i32) (param $channel i32) (param $copies i32)
    (local $at i32) (local $end i32) (local $red i32) (local $green i32) (local $blue i32) (local $left i32)
    (local.set $red (local.get $out))
    (local.set $green (i32.add (local.get $red) (local.get $channel)))
    (local.set $blue (i32.add (local.get $green) (local.get $channel)))
    (local.set $left (local.get $side))
    (loop $row
      (local.set $at (local.get $source))
      (local.set $end (i32.add (local.get $at) (i32.mul (local.get $side) (i32.const 3))))
      (loop $pixel
        (i32.store (local.get $red)
          (i32.load (i32.add (local.get $levels) (i32.shl (i32.load8_u (local.get $at)) (i32.const 2)))))
        (i32.store (local.get $green)
          (i32.load offset=1024 (i32.add (local.get $levels) (i32.shl (i32.load8_u offset=1 (local.get $at)) (i32.const 2)))))
        (i32.store (local.get $blue)
          (i32.load offset=2048 (i32.add (local.get $levels) (i32.shl (i32.load8_u offset=2 (local.get $at)) (i32.const 2)))))
        (local.set $red (i32.add (local.get $red) (i32.const 4)))
        (local.set $green (i32.add (local.get $green) (i32.const 4)))
        (local.set $blue (i32.add (local.get $blue) (i32.const 4)))
        (br_if $pixel (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 3))) (local.get $end))))
      (local.set $source (i32.add (local.get $source) (local.get $stride)))
      (br_if $row (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (call $repeat (local.get $out) (local.get $channel) (i32.sub (local.get $red) (local.get $out)) (local.get $copies)))

  ;; As "floats", four pixels at a time, where the table is (byte - mean) / deviation: three means and three deviations stand at $steps. $side is 4 at least, $copies 1 at most.
  (func (export "quotients") (param $source i32) (param $stride i32) (param $side i32) (param $steps i32) (param $out i32) (param $channel i32) (param $copies i32)
    (local $x i32) (local $last i32) (local $bytes i32) (local $left i32) (local $again i32) (local $red i32) (local $green i32) (local $blue i32)
    (local $pixels v128) (local $four v128)
    (local $redMean v128) (local $greenMean v128) (local $blueMean v128) (local $redDeviation v128) (local $greenDeviation v128) (local $blueDeviation v128)
    (local.set $redMean (v128.load32_splat (local.get $steps)))
    (local.set $greenMean (v128.load32_splat offset=4 (local.get $steps)))
    (local.set $blueMean (v128.load32_splat offset=8 (local.get $steps)))
    (local.set $redDeviation (v128.load32_splat offset=12 (local.get $steps)))
    (local.set $greenDeviation (v128.load32_splat offset=16 (local.get $steps)))
    (local.set $blueDeviation (v128.load32_splat offset=20 (local.get $steps)))
    (local.set $red (local.get $out))
    (local.set $green (i32.add (local.get $red) (local.get $channel)))
    (local.set $blue (i32.add (local.get $green) (local.get $channel)))
    (local.set $bytes (i32.shl (local.get $side) (i32.const 2)))
    ;; The last four of a row may be partly the four before.
    (local.set $last (i32.sub (local.get $bytes) (i32.const 16)))
    (local.set $again (i32.mul (local.get $copies) (i32.mul (local.get $side) (local.get $bytes))))
    (local.set $left (local.get $side))
    (loop $row
      (local.set $x (i32.const 0))
      (loop $pixel
        (local.set $x (select (local.get $x) (local.get $last) (i32.lt_u (local.get $x) (local.get $last))))
        (local.set $pixels (v128.load (i32.add (local.get $source) (i32.sub (local.get $x) (i32.shr_u (local.get $x) (i32.const 2))))))
        (local.set $four (f32x4.div
          (f32x4.sub (f32x4.convert_i32x4_u (i8x16.shuffle 0 16 16 16 3 16 16 16 6 16 16 16 9 16 16 16 (local.get $pixels) (v128.const i32x4 0 0 0 0))) (local.get $redMean))
          (local.get $redDeviation)))
        (v128.store (i32.add (local.get $red) (local.get $x)) (local.get $four))
        (v128.store (i32.add (i32.add (local.get $red) (local.get $x)) (local.get $again)) (local.get $four))
        (local.set $four (f32x4.div
          (f32x4.sub (f32x4.convert_i32x4_u (i8x16.shuffle 1 16 16 16 4 16 16 16 7 16 16 16 10 16 16 16 (local.get $pixels) (v128.const i32x4 0 0 0 0))) (local.get $greenMean))
          (local.get $greenDeviation)))
        (v128.store (i32.add (local.get $green) (local.get $x)) (local.get $four))
        (v128.store (i32.add (i32.add (local.get $green) (local.get $x)) (local.get $again)) (local.get $four))
        (local.set $four (f32x4.div
          (f32x4.sub (f32x4.convert_i32x4_u (i8x16.shuffle 2 16 16 16 5 16 16 16 8 16 16 16 11 16 16 16 (local.get $pixels) (v128.const i32x4 0 0 0 0))) (local.get $blueMean))
          (local.get $blueDeviation)))
        (v128.store (i32.add (local.get $blue) (local.get $x)) (local.get $four))
        (v128.store (i32.add (i32.add (local.get $blue) (local.get $x)) (local.get $again)) (local.get $four))
        (br_if $pixel (i32.lt_u (local.tee $x (i32.add (local.get $x) (i32.const 16))) (local.get $bytes))))
      (local.set $red (i32.add (local.get $red) (local.get $bytes)))
      (local.set $green (i32.add (local.get $green) (local.get $bytes)))
      (local.set $blue (i32.add (local.get $blue) (local.get $bytes)))
      (local.set $source (i32.add (local.get $source) (local.get $stride)))
      (br_if $row (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))

  (func (export "bytes") (param $source i32) (param $stride i32) (param $side i32) (param $levels i32) (param $out i32) (param $channel i32) (param $copies i32)
    (local $at i32) (local $end i32) (local $red i32) (local $green i32) (local $blue i32) (local $left i32)
    (local.set $red (local.get $out))
    (local.set $green (i32.add (local.get $red) (local.get $channel)))
    (local.set $blue (i32.add (local.get $green) (local.get $channel)))
    (local.set $left (local.get $side))
    (loop $row
      (local.set $at (local.get $source))
      (local.set $end (i32.add (local.get $at) (i32.mul (local.get $side) (i32.const 3))))
      (loop $pixel
        (i32.store8 (local.get $red) (i32.load8_u (local.get $at)))
        (i32.store8 (local.get $green) (i32.load8_u offset=1 (local.get $at)))
        (i32.store8 (local.get $blue) (i32.load8_u offset=2 (local.get $at)))
        (local.set $red (i32.add (local.get $red) (i32.const 1)))
        (local.set $green (i32.add (local.get $green) (i32.const 1)))
        (local.set $blue (i32.add (local.get $blue) (i32.const 1)))
        (br_if $pixel (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 3))) (local.get $end))))
      (local.set $source (i32.add (local.get $source) (local.get $stride)))
      (br_if $row (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (call $repeat (local.get $out) (local.get $channel) (i32.sub (local.get $red) (local.get $out)) (local.get $copies)))

  (func $repeat (param $out i32) (param $channel i32) (param $plane i32) (param $copies i32)
    (local $left i32) (local $to i32)
    (if (i32.eqz (local.get $copies)) (then (return)))
    (local.set $left (i32.const 3))
    (loop $next
      (local.set $to (i32.mul (local.get $copies) (local.get $plane)))
      (loop $copy
        (memory.copy (i32.add (local.get $out) (local.get $to)) (local.get $out) (local.get $plane))
        (br_if $copy (local.tee $to (i32.sub (local.get $to) (local.get $plane)))))
      (local.set $out (i32.add (local.get $out) (local.get $channel)))
      (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))))
