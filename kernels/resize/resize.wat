;; The two passes of resize: four lanes are the three colours of a pixel (across) or sixteen bytes of a row are sixteen sums (down). The meaning stands in
;; reference.ts. Weights are 22-bit; 2^21 rounds. Built into wasm-bytes.ts by test/helpers/build-wat.ts; a test compares the two.
(module
  (memory (export "memory") 1)

  (func $bytes (param $a v128) (param $b v128) (param $c v128) (param $d v128) (result v128)
    (i8x16.narrow_i16x8_u
      (i16x8.narrow_i32x4_s (i32x4.shr_s (local.get $a) (i32.const 22)) (i32x4.shr_s (local.get $b) (i32.const 22)))
      (i16x8.narrow_i32x4_s (i32x4.shr_s (local.get $c) (i32.const 22)) (i32x4.shr_s (local.get $d) (i32.const 22)))))

  ;; One row at $source into $size pixels at $out. $offsets: for each the byte of its first source pixel; $weights: $count for each.
  ;; Reads up to 3 * $count + 1 bytes past a first pixel (with weight 0 where there is none), and writes one byte past the last pixel.
  (func (export "across") (param $source i32) (param $offsets i32) (param $weights i32) (param $count i32) (param $size i32) (param $out i32)
    (local $sum v128) (local $at i32) (local $tap i32)
    (loop $pixel
      (local.set $sum (v128.const i32x4 2097152 2097152 2097152 2097152))
      (local.set $at (i32.add (local.get $source) (i32.load (local.get $offsets))))
      (local.set $tap (local.get $count))
      (loop $next
        (local.set $sum
          (i32x4.add (local.get $sum)
            (i32x4.mul
              (i32x4.extend_low_i16x8_u (i16x8.extend_low_i8x16_u (v128.load32_zero (local.get $at))))
              (v128.load32_splat (local.get $weights)))))
        (local.set $at (i32.add (local.get $at) (i32.const 3)))
        (local.set $weights (i32.add (local.get $weights) (i32.const 4)))
        (br_if $next (local.tee $tap (i32.sub (local.get $tap) (i32.const 1)))))
      (v128.store32_lane 0 (local.get $out) (call $bytes (local.get $sum) (local.get $sum) (local.get $sum) (local.get $sum)))
      (local.set $offsets (i32.add (local.get $offsets) (i32.const 4)))
      (local.set $out (i32.add (local.get $out) (i32.const 3)))
      (br_if $pixel (local.tee $size (i32.sub (local.get $size) (i32.const 1))))))

  ;; One new row of $stride bytes (a multiple of 16) at $out, out of $count rows from $source on.
  (func (export "down") (param $source i32) (param $stride i32) (param $weights i32) (param $count i32) (param $out i32)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128) (local $row v128) (local $half v128) (local $weight v128)
    (local $at i32) (local $from i32) (local $tap i32) (local $w i32)
    (loop $block
      (local.set $a (v128.const i32x4 2097152 2097152 2097152 2097152))
      (local.set $b (local.get $a))
      (local.set $c (local.get $a))
      (local.set $d (local.get $a))
      (local.set $from (i32.add (local.get $source) (local.get $at)))
      (local.set $w (local.get $weights))
      (local.set $tap (local.get $count))
      (loop $next
        (local.set $row (v128.load (local.get $from)))
        (local.set $weight (v128.load32_splat (local.get $w)))
        (local.set $half (i16x8.extend_low_i8x16_u (local.get $row)))
        (local.set $a (i32x4.add (local.get $a) (i32x4.mul (i32x4.extend_low_i16x8_u (local.get $half)) (local.get $weight))))
        (local.set $b (i32x4.add (local.get $b) (i32x4.mul (i32x4.extend_high_i16x8_u (local.get $half)) (local.get $weight))))
        (local.set $half (i16x8.extend_high_i8x16_u (local.get $row)))
        (local.set $c (i32x4.add (local.get $c) (i32x4.mul (i32x4.extend_low_i16x8_u (local.get $half)) (local.get $weight))))
        (local.set $d (i32x4.add (local.get $d) (i32x4.mul (i32x4.extend_high_i16x8_u (local.get $half)) (local.get $weight))))
        (local.set $from (i32.add (local.get $from) (local.get $stride)))
        (local.set $w (i32.add (local.get $w) (i32.const 4)))
        (br_if $next (local.tee $tap (i32.sub (local.get $tap) (i32.const 1)))))
      (v128.store (i32.add (local.get $out) (local.get $at)) (call $bytes (local.get $a) (local.get $b) (local.get $c) (local.get $d)))
      (br_if $block (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $stride))))))
