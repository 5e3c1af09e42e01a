;; The passes of resize-bicubic: `across` makes a row of pixels, four lanes are the colours of one; `down` makes a row out of rows, sixteen samples at a time.
;; Whole weights of 16 bits come in pairs for dot products; those of 22 bits are split into high and low 11 bits, and the two sums are put together at the
;; end: exact, as everything is modulo 2^32. The meaning stands in reference.ts. Built into wasm-bytes.ts by test/helpers/build-wat.ts.
(module
  (memory (export "memory") 1)

  (func $pack (param $a v128) (param $b v128) (param $c v128) (param $d v128) (param $bits i32) (result v128)
    (i8x16.narrow_i16x8_u
      (i16x8.narrow_i32x4_s (i32x4.shr_s (local.get $a) (local.get $bits)) (i32x4.shr_s (local.get $b) (local.get $bits)))
      (i16x8.narrow_i32x4_s (i32x4.shr_s (local.get $c) (local.get $bits)) (i32x4.shr_s (local.get $d) (local.get $bits)))))

  ;; One row at $source into $size pixels at $out. $pixels: of each the byte of its first source pixel, and its groups of four taps. $weights: for each group two words of two
  ;; weights. Reads up to 16 bytes past the last tap's pixel (weight 0), writes up to four bytes past the last pixel. Four pixels at a time share rounding,
  ;; packing and the store, which are a fifth of the work where a pixel has four taps.
  (func (export "across16") (param $source i32) (param $pixels i32) (param $weights i32) (param $size i32) (param $out i32) (param $bits i32)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128) (local $half v128) (local $row v128) (local $at i32) (local $left i32) (local $none v128) (local $lead v128) (local $trail v128)
    (local.set $lead (v128.const i8x16 0 16 3 16 1 16 4 16 2 16 5 16 16 16 16 16))
    (local.set $trail (v128.const i8x16 6 16 9 16 7 16 10 16 8 16 11 16 16 16 16 16))
    (local.set $half (i32x4.splat (i32.shl (i32.const 1) (i32.sub (local.get $bits) (i32.const 1)))))
    (block $few
      (br_if $few (i32.lt_u (local.get $size) (i32.const 4)))
      (loop $four
      (local.set $a (local.get $half))
      (local.set $at (i32.add (local.get $source) (i32.load (local.get $pixels))))
      (local.set $left (i32.load offset=4 (local.get $pixels)))
      (loop $next_a
        (local.set $row (v128.load (local.get $at)))
        (local.set $a
          (i32x4.add (local.get $a)
            (i32x4.add
              (i32x4.dot_i16x8_s
                (i8x16.swizzle (local.get $row) (local.get $lead))
                (v128.load32_splat (local.get $weights)))
              (i32x4.dot_i16x8_s
                (i8x16.swizzle (local.get $row) (local.get $trail))
                (v128.load32_splat offset=4 (local.get $weights))))))
        (local.set $at (i32.add (local.get $at) (i32.const 12)))
        (local.set $weights (i32.add (local.get $weights) (i32.const 8)))
        (br_if $next_a (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (local.set $b (local.get $half))
      (local.set $at (i32.add (local.get $source) (i32.load offset=8 (local.get $pixels))))
      (local.set $left (i32.load offset=12 (local.get $pixels)))
      (loop $next_b
        (local.set $row (v128.load (local.get $at)))
        (local.set $b
          (i32x4.add (local.get $b)
            (i32x4.add
              (i32x4.dot_i16x8_s
                (i8x16.swizzle (local.get $row) (local.get $lead))
                (v128.load32_splat (local.get $weights)))
              (i32x4.dot_i16x8_s
                (i8x16.swizzle (local.get $row) (local.get $trail))
                (v128.load32_splat offset=4 (local.get $weights))))))
        (local.set $at (i32.add (local.get $at) (i32.const 12)))
        (local.set $weights (i32.add (local.get $weights) (i32.const 8)))
        (br_if $next_b (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (local.set $c (local.get $half))
      (local.set $at (i32.add (local.get $source) (i32.load offset=16 (local.get $pixels))))
      (local.set $left (i32.load offset=20 (local.get $pixels)))
      (loop $next_c
        (local.set $row (v128.load (local.get $at)))
        (local.set $c
          (i32x4.add (local.get $c)
            (i32x4.add
              (i32x4.dot_i16x8_s
                (i8x16.swizzle (local.get $row) (local.get $lead))
                (v128.load32_splat (local.get $weights)))
              (i32x4.dot_i16x8_s
                (i8x16.swizzle (local.get $row) (local.get $trail))
                (v128.load32_splat offset=4 (local.get $weights))))))
        (local.set $at (i32.add (local.get $at) (i32.const 12)))
        (local.set $weights (i32.add (local.get $weights) (i32.const 8)))
        (br_if $next_c (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (local.set $d (local.get $half))
      (local.set $at (i32.add (local.get $source) (i32.load offset=24 (local.get $pixels))))
      (local.set $left (i32.load offset=28 (local.get $pixels)))
      (loop $next_d
        (local.set $row (v128.load (local.get $at)))
        (local.set $d
          (i32x4.add (local.get $d)
            (i32x4.add
              (i32x4.dot_i16x8_s
                (i8x16.swizzle (local.get $row) (local.get $lead))
                (v128.load32_splat (local.get $weights)))
              (i32x4.dot_i16x8_s
                (i8x16.swizzle (local.get $row) (local.get $trail))
                (v128.load32_splat offset=4 (local.get $weights))))))
        (local.set $at (i32.add (local.get $at) (i32.const 12)))
        (local.set $weights (i32.add (local.get $weights) (i32.const 8)))
        (br_if $next_d (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (v128.store (local.get $out)
        (i8x16.shuffle 0 1 2 4 5 6 8 9 10 12 13 14 16 16 16 16
          (call $pack (local.get $a) (local.get $b) (local.get $c) (local.get $d) (local.get $bits))
          (local.get $none)))
      (local.set $pixels (i32.add (local.get $pixels) (i32.const 32)))
      (local.set $out (i32.add (local.get $out) (i32.const 12)))
      (br_if $four (i32.ge_u (local.tee $size (i32.sub (local.get $size) (i32.const 4))) (i32.const 4)))))
    (if (i32.eqz (local.get $size)) (then (return)))
    (loop $pixel
      (local.set $a (local.get $half))
      (local.set $at (i32.add (local.get $source) (i32.load (local.get $pixels))))
      (local.set $left (i32.load offset=4 (local.get $pixels)))
      (loop $next
        (local.set $row (v128.load (local.get $at)))
        (local.set $a
          (i32x4.add (local.get $a)
            (i32x4.add
              (i32x4.dot_i16x8_s
                (i8x16.swizzle (local.get $row) (local.get $lead))
                (v128.load32_splat (local.get $weights)))
              (i32x4.dot_i16x8_s
                (i8x16.swizzle (local.get $row) (local.get $trail))
                (v128.load32_splat offset=4 (local.get $weights))))))
        (local.set $at (i32.add (local.get $at) (i32.const 12)))
        (local.set $weights (i32.add (local.get $weights) (i32.const 8)))
        (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (v128.store32_lane 0 (local.get $out)
        (call $pack (local.get $a) (local.get $a) (local.get $a) (local.get $a) (local.get $bits)))
      (local.set $pixels (i32.add (local.get $pixels) (i32.const 8)))
      (local.set $out (i32.add (local.get $out) (i32.const 3)))
      (br_if $pixel (local.tee $size (i32.sub (local.get $size) (i32.const 1))))))

  ;; The same with weights of 22 bits: for each group of four taps the words of the high halves, then those of the low halves.
  (func (export "across22") (param $source i32) (param $pixels i32) (param $weights i32) (param $size i32) (param $out i32) (param $bits i32)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128) (local $high v128) (local $first v128) (local $second v128) (local $row v128) (local $at i32) (local $left i32) (local $none v128) (local $lead v128) (local $trail v128)
    (local.set $lead (v128.const i8x16 0 16 3 16 1 16 4 16 2 16 5 16 16 16 16 16))
    (local.set $trail (v128.const i8x16 6 16 9 16 7 16 10 16 8 16 11 16 16 16 16 16))
    (block $few
      (br_if $few (i32.lt_u (local.get $size) (i32.const 4)))
      (loop $four
      (local.set $high (local.get $none))
      (local.set $a (v128.const i32x4 2097152 2097152 2097152 2097152))
      (local.set $at (i32.add (local.get $source) (i32.load (local.get $pixels))))
      (local.set $left (i32.load offset=4 (local.get $pixels)))
      (loop $next_a
        (local.set $row (v128.load (local.get $at)))
        (local.set $first (i8x16.swizzle (local.get $row) (local.get $lead)))
        (local.set $second (i8x16.swizzle (local.get $row) (local.get $trail)))
        (local.set $high
          (i32x4.add (local.get $high)
            (i32x4.add
              (i32x4.dot_i16x8_s (local.get $first) (v128.load32_splat (local.get $weights)))
              (i32x4.dot_i16x8_s (local.get $second) (v128.load32_splat offset=4 (local.get $weights))))))
        (local.set $a
          (i32x4.add (local.get $a)
            (i32x4.add
              (i32x4.dot_i16x8_s (local.get $first) (v128.load32_splat offset=8 (local.get $weights)))
              (i32x4.dot_i16x8_s (local.get $second) (v128.load32_splat offset=12 (local.get $weights))))))
        (local.set $at (i32.add (local.get $at) (i32.const 12)))
        (local.set $weights (i32.add (local.get $weights) (i32.const 16)))
        (br_if $next_a (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (local.set $a (i32x4.add (local.get $a) (i32x4.shl (local.get $high) (i32.const 11))))
      (local.set $high (local.get $none))
      (local.set $b (v128.const i32x4 2097152 2097152 2097152 2097152))
      (local.set $at (i32.add (local.get $source) (i32.load offset=8 (local.get $pixels))))
      (local.set $left (i32.load offset=12 (local.get $pixels)))
      (loop $next_b
        (local.set $row (v128.load (local.get $at)))
        (local.set $first (i8x16.swizzle (local.get $row) (local.get $lead)))
        (local.set $second (i8x16.swizzle (local.get $row) (local.get $trail)))
        (local.set $high
          (i32x4.add (local.get $high)
            (i32x4.add
              (i32x4.dot_i16x8_s (local.get $first) (v128.load32_splat (local.get $weights)))
              (i32x4.dot_i16x8_s (local.get $second) (v128.load32_splat offset=4 (local.get $weights))))))
        (local.set $b
          (i32x4.add (local.get $b)
            (i32x4.add
              (i32x4.dot_i16x8_s (local.get $first) (v128.load32_splat offset=8 (local.get $weights)))
              (i32x4.dot_i16x8_s (local.get $second) (v128.load32_splat offset=12 (local.get $weights))))))
        (local.set $at (i32.add (local.get $at) (i32.const 12)))
        (local.set $weights (i32.add (local.get $weights) (i32.const 16)))
        (br_if $next_b (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (local.set $b (i32x4.add (local.get $b) (i32x4.shl (local.get $high) (i32.const 11))))
      (local.set $high (local.get $none))
      (local.set $c (v128.const i32x4 2097152 2097152 2097152 2097152))
      (local.set $at (i32.add (local.get $source) (i32.load offset=16 (local.get $pixels))))
      (local.set $left (i32.load offset=20 (local.get $pixels)))
      (loop $next_c
        (local.set $row (v128.load (local.get $at)))
        (local.set $first (i8x16.swizzle (local.get $row) (local.get $lead)))
        (local.set $second (i8x16.swizzle (local.get $row) (local.get $trail)))
        (local.set $high
          (i32x4.add (local.get $high)
            (i32x4.add
              (i32x4.dot_i16x8_s (local.get $first) (v128.load32_splat (local.get $weights)))
              (i32x4.dot_i16x8_s (local.get $second) (v128.load32_splat offset=4 (local.get $weights))))))
        (local.set $c
          (i32x4.add (local.get $c)
            (i32x4.add
              (i32x4.dot_i16x8_s (local.get $first) (v128.load32_splat offset=8 (local.get $weights)))
              (i32x4.dot_i16x8_s (local.get $second) (v128.load32_splat offset=12 (local.get $weights))))))
        (local.set $at (i32.add (local.get $at) (i32.const 12)))
        (local.set $weights (i32.add (local.get $weights) (i32.const 16)))
        (br_if $next_c (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (local.set $c (i32x4.add (local.get $c) (i32x4.shl (local.get $high) (i32.const 11))))
      (local.set $high (local.get $none))
      (local.set $d (v128.const i32x4 2097152 2097152 2097152 2097152))
      (local.set $at (i32.add (local.get $source) (i32.load offset=24 (local.get $pixels))))
      (local.set $left (i32.load offset=28 (local.get $pixels)))
      (loop $next_d
        (local.set $row (v128.load (local.get $at)))
        (local.set $first (i8x16.swizzle (local.get $row) (local.get $lead)))
        (local.set $second (i8x16.swizzle (local.get $row) (local.get $trail)))
        (local.set $high
          (i32x4.add (local.get $high)
            (i32x4.add
              (i32x4.dot_i16x8_s (local.get $first) (v128.load32_splat (local.get $weights)))
              (i32x4.dot_i16x8_s (local.get $second) (v128.load32_splat offset=4 (local.get $weights))))))
        (local.set $d
          (i32x4.add (local.get $d)
            (i32x4.add
              (i32x4.dot_i16x8_s (local.get $first) (v128.load32_splat offset=8 (local.get $weights)))
              (i32x4.dot_i16x8_s (local.get $second) (v128.load32_splat offset=12 (local.get $weights))))))
        (local.set $at (i32.add (local.get $at) (i32.const 12)))
        (local.set $weights (i32.add (local.get $weights) (i32.const 16)))
        (br_if $next_d (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (local.set $d (i32x4.add (local.get $d) (i32x4.shl (local.get $high) (i32.const 11))))
      (v128.store (local.get $out)
        (i8x16.shuffle 0 1 2 4 5 6 8 9 10 12 13 14 16 16 16 16
          (call $pack (local.get $a) (local.get $b) (local.get $c) (local.get $d) (local.get $bits))
          (local.get $none)))
      (local.set $pixels (i32.add (local.get $pixels) (i32.const 32)))
      (local.set $out (i32.add (local.get $out) (i32.const 12)))
      (br_if $four (i32.ge_u (local.tee $size (i32.sub (local.get $size) (i32.const 4))) (i32.const 4)))))
    (if (i32.eqz (local.get $size)) (then (return)))
    (loop $pixel
      (local.set $high (local.get $none))
      (local.set $a (v128.const i32x4 2097152 2097152 2097152 2097152))
      (local.set $at (i32.add (local.get $source) (i32.load (local.get $pixels))))
      (local.set $left (i32.load offset=4 (local.get $pixels)))
      (loop $next
        (local.set $row (v128.load (local.get $at)))
        (local.set $first (i8x16.swizzle (local.get $row) (local.get $lead)))
        (local.set $second (i8x16.swizzle (local.get $row) (local.get $trail)))
        (local.set $high
          (i32x4.add (local.get $high)
            (i32x4.add
              (i32x4.dot_i16x8_s (local.get $first) (v128.load32_splat (local.get $weights)))
              (i32x4.dot_i16x8_s (local.get $second) (v128.load32_splat offset=4 (local.get $weights))))))
        (local.set $a
          (i32x4.add (local.get $a)
            (i32x4.add
              (i32x4.dot_i16x8_s (local.get $first) (v128.load32_splat offset=8 (local.get $weights)))
              (i32x4.dot_i16x8_s (local.get $second) (v128.load32_splat offset=12 (local.get $weights))))))
        (local.set $at (i32.add (local.get $at) (i32.const 12)))
        (local.set $weights (i32.add (local.get $weights) (i32.const 16)))
        (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (local.set $a (i32x4.add (local.get $a) (i32x4.shl (local.get $high) (i32.const 11))))
      (v128.store32_lane 0 (local.get $out)
        (call $pack (local.get $a) (local.get $a) (local.get $a) (local.get $a) (local.get $bits)))
      (local.set $pixels (i32.add (local.get $pixels) (i32.const 8)))
      (local.set $out (i32.add (local.get $out) (i32.const 3)))
      (br_if $pixel (local.tee $size (i32.sub (local.get $size) (i32.const 1))))))

  ;; A fused multiply-add of two float32, as float64 that hold float32: the product is exact, and the sum is rounded to float32.
  (func $fused (param $sum v128) (param $value v128) (param $weight v128) (result v128)
    (f64x2.promote_low_f32x4
      (f32x4.demote_f64x2_zero (f64x2.add (local.get $sum) (f64x2.mul (local.get $value) (local.get $weight))))))

  ;; The same in float32: one tap at a time, its weight as float64; float32 sums out, 12 bytes a pixel; writes four bytes past the last one.
  (func (export "acrossFloat") (param $source i32) (param $pixels i32) (param $weights i32) (param $size i32) (param $out i32)
    (local $sum v128) (local $blue v128) (local $value v128) (local $weight v128) (local $at i32) (local $left i32) (local $none v128)
    (loop $pixel
      (local.set $sum (local.get $none))
      (local.set $blue (local.get $none))
      (local.set $at (i32.add (local.get $source) (i32.load (local.get $pixels))))
      (local.set $left (i32.load offset=4 (local.get $pixels)))
      (loop $next
        (local.set $value (i32x4.extend_low_i16x8_u (i16x8.extend_low_i8x16_u (v128.load32_zero (local.get $at)))))
        (local.set $weight (v128.load64_splat (local.get $weights)))
        (local.set $sum (call $fused (local.get $sum) (f64x2.convert_low_i32x4_s (local.get $value)) (local.get $weight)))
        (local.set $blue
          (call $fused (local.get $blue)
            (f64x2.convert_low_i32x4_s (i8x16.shuffle 8 9 10 11 12 13 14 15 16 16 16 16 16 16 16 16 (local.get $value) (local.get $none)))
            (local.get $weight)))
        (local.set $at (i32.add (local.get $at) (i32.const 3)))
        (local.set $weights (i32.add (local.get $weights) (i32.const 8)))
        (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (v128.store (local.get $out) (call $together (local.get $sum) (local.get $blue)))
      (local.set $pixels (i32.add (local.get $pixels) (i32.const 8)))
      (local.set $out (i32.add (local.get $out) (i32.const 12)))
      (br_if $pixel (local.tee $size (i32.sub (local.get $size) (i32.const 1))))))

  ;; Two pairs of float64 as four float32.
  (func $together (param $a v128) (param $b v128) (result v128)
    (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23
      (f32x4.demote_f64x2_zero (local.get $a))
      (f32x4.demote_f64x2_zero (local.get $b))))

  ;; One new row of $length bytes at $out, out of 2 * $pairs rows from $source on, $stride bytes apart. $weights: a word of two weights for each pair of rows.
  ;; Works in steps of 16 bytes, so it reads and writes up to 15 bytes too many.
  (func (export "down16") (param $source i32) (param $stride i32) (param $length i32) (param $weights i32) (param $pairs i32) (param $out i32) (param $bits i32)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128) (local $half v128) (local $row v128) (local $next v128) (local $mixed v128) (local $weight v128)
    (local $at i32) (local $from i32) (local $w i32) (local $left i32)
    (local.set $half (i32x4.splat (i32.shl (i32.const 1) (i32.sub (local.get $bits) (i32.const 1)))))
    (loop $block
      (local.set $a (local.get $half))
      (local.set $b (local.get $half))
      (local.set $c (local.get $half))
      (local.set $d (local.get $half))
      (local.set $from (i32.add (local.get $source) (local.get $at)))
      (local.set $w (local.get $weights))
      (local.set $left (local.get $pairs))
      (loop $pair
        (local.set $row (v128.load (local.get $from)))
        (local.set $from (i32.add (local.get $from) (local.get $stride)))
        (local.set $next (v128.load (local.get $from)))
        (local.set $from (i32.add (local.get $from) (local.get $stride)))
        (local.set $weight (v128.load32_splat (local.get $w)))
        (local.set $w (i32.add (local.get $w) (i32.const 4)))
        (local.set $mixed (i8x16.shuffle 0 16 1 17 2 18 3 19 4 20 5 21 6 22 7 23 (local.get $row) (local.get $next)))
        (local.set $a (i32x4.add (local.get $a) (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_u (local.get $mixed)) (local.get $weight))))
        (local.set $b (i32x4.add (local.get $b) (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_u (local.get $mixed)) (local.get $weight))))
        (local.set $mixed (i8x16.shuffle 8 24 9 25 10 26 11 27 12 28 13 29 14 30 15 31 (local.get $row) (local.get $next)))
        (local.set $c (i32x4.add (local.get $c) (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_u (local.get $mixed)) (local.get $weight))))
        (local.set $d (i32x4.add (local.get $d) (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_u (local.get $mixed)) (local.get $weight))))
        (br_if $pair (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (v128.store (i32.add (local.get $out) (local.get $at))
        (call $pack (local.get $a) (local.get $b) (local.get $c) (local.get $d) (local.get $bits)))
      (br_if $block (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $length)))))

  ;; The same with weights of 22 bits: for each pair of rows a word of high halves and a word of low halves.
  (func (export "down22") (param $source i32) (param $stride i32) (param $length i32) (param $weights i32) (param $pairs i32) (param $out i32) (param $bits i32)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128) (local $row v128) (local $next v128) (local $mixed v128) (local $value v128)
    (local $e v128) (local $f v128) (local $g v128) (local $h v128) (local $high v128) (local $low v128) (local $none v128)
    (local $at i32) (local $from i32) (local $w i32) (local $left i32)
    (loop $block
      (local.set $a (v128.const i32x4 2097152 2097152 2097152 2097152))
      (local.set $b (local.get $a))
      (local.set $c (local.get $a))
      (local.set $d (local.get $a))
      (local.set $e (local.get $none))
      (local.set $f (local.get $none))
      (local.set $g (local.get $none))
      (local.set $h (local.get $none))
      (local.set $from (i32.add (local.get $source) (local.get $at)))
      (local.set $w (local.get $weights))
      (local.set $left (local.get $pairs))
      (loop $pair
        (local.set $row (v128.load (local.get $from)))
        (local.set $from (i32.add (local.get $from) (local.get $stride)))
        (local.set $next (v128.load (local.get $from)))
        (local.set $from (i32.add (local.get $from) (local.get $stride)))
        (local.set $high (v128.load32_splat (local.get $w)))
        (local.set $low (v128.load32_splat offset=4 (local.get $w)))
        (local.set $w (i32.add (local.get $w) (i32.const 8)))
        (local.set $mixed (i8x16.shuffle 0 16 1 17 2 18 3 19 4 20 5 21 6 22 7 23 (local.get $row) (local.get $next)))
        (local.set $value (i16x8.extend_low_i8x16_u (local.get $mixed)))
        (local.set $a (i32x4.add (local.get $a) (i32x4.dot_i16x8_s (local.get $value) (local.get $low))))
        (local.set $e (i32x4.add (local.get $e) (i32x4.dot_i16x8_s (local.get $value) (local.get $high))))
        (local.set $value (i16x8.extend_high_i8x16_u (local.get $mixed)))
        (local.set $b (i32x4.add (local.get $b) (i32x4.dot_i16x8_s (local.get $value) (local.get $low))))
        (local.set $f (i32x4.add (local.get $f) (i32x4.dot_i16x8_s (local.get $value) (local.get $high))))
        (local.set $mixed (i8x16.shuffle 8 24 9 25 10 26 11 27 12 28 13 29 14 30 15 31 (local.get $row) (local.get $next)))
        (local.set $value (i16x8.extend_low_i8x16_u (local.get $mixed)))
        (local.set $c (i32x4.add (local.get $c) (i32x4.dot_i16x8_s (local.get $value) (local.get $low))))
        (local.set $g (i32x4.add (local.get $g) (i32x4.dot_i16x8_s (local.get $value) (local.get $high))))
        (local.set $value (i16x8.extend_high_i8x16_u (local.get $mixed)))
        (local.set $d (i32x4.add (local.get $d) (i32x4.dot_i16x8_s (local.get $value) (local.get $low))))
        (local.set $h (i32x4.add (local.get $h) (i32x4.dot_i16x8_s (local.get $value) (local.get $high))))
        (br_if $pair (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (v128.store (i32.add (local.get $out) (local.get $at))
        (call $pack
          (i32x4.add (local.get $a) (i32x4.shl (local.get $e) (i32.const 11)))
          (i32x4.add (local.get $b) (i32x4.shl (local.get $f) (i32.const 11)))
          (i32x4.add (local.get $c) (i32x4.shl (local.get $g) (i32.const 11)))
          (i32x4.add (local.get $d) (i32x4.shl (local.get $h) (i32.const 11)))
          (local.get $bits)))
      (br_if $block (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $length)))))

  (func $round (param $sum v128) (result v128)
    (i32x4.trunc_sat_f32x4_s
      (f32x4.nearest (f32x4.min (f32x4.max (local.get $sum) (v128.const f32x4 0 0 0 0)) (v128.const f32x4 255 255 255 255)))))

  (func $tap (param $sum v128) (param $at i32) (param $weight v128) (result v128)
    (call $fused (local.get $sum) (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $at))) (local.get $weight)))

  ;; The same in float32, eight samples at a time: $length samples (rows of float32, $stride bytes apart), $taps rows, weights as float64; cut and rounded to
  ;; bytes, halves to even. Reads and writes up to seven samples too many.
  (func (export "downFloat") (param $source i32) (param $stride i32) (param $length i32) (param $weights i32) (param $taps i32) (param $out i32)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128) (local $weight v128) (local $none v128)
    (local $at i32) (local $from i32) (local $w i32) (local $left i32)
    (loop $block
      (local.set $a (local.get $none))
      (local.set $b (local.get $none))
      (local.set $c (local.get $none))
      (local.set $d (local.get $none))
      (local.set $from (i32.add (local.get $source) (i32.shl (local.get $at) (i32.const 2))))
      (local.set $w (local.get $weights))
      (local.set $left (local.get $taps))
      (loop $next
        (local.set $weight (v128.load64_splat (local.get $w)))
        (local.set $a (call $tap (local.get $a) (local.get $from) (local.get $weight)))
        (local.set $b (call $tap (local.get $b) (i32.add (local.get $from) (i32.const 8)) (local.get $weight)))
        (local.set $c (call $tap (local.get $c) (i32.add (local.get $from) (i32.const 16)) (local.get $weight)))
        (local.set $d (call $tap (local.get $d) (i32.add (local.get $from) (i32.const 24)) (local.get $weight)))
        (local.set $from (i32.add (local.get $from) (local.get $stride)))
        (local.set $w (i32.add (local.get $w) (i32.const 8)))
        (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (local.set $a (call $round (call $together (local.get $a) (local.get $b))))
      (local.set $c (call $round (call $together (local.get $c) (local.get $d))))
      (v128.store64_lane 0 (i32.add (local.get $out) (local.get $at))
        (call $pack (local.get $a) (local.get $c) (local.get $a) (local.get $c) (i32.const 0)))
      (br_if $block (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (local.get $length))))))
