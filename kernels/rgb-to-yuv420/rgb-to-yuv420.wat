;; RGB to YUV 4:2:0, sixteen pixels of two rows at a time; the formula stands in reference.ts, the rest of a row in cpu.ts.
;; Built into wasm-bytes.ts by test/helpers/build-wat.ts; a test compares the two.
(module
  (memory (export "memory") 1)

  ;; (a r + b g + c v + rounding) >> shift for eight 16-bit lanes. $ab: pairs a b; $c: pairs c 16384; $one: what times 16384 is offset and rounding.
  (func $weigh (param $r v128) (param $g v128) (param $v v128) (param $ab v128) (param $c v128) (param $one v128) (param $shift i32) (result v128)
    (i16x8.narrow_i32x4_s
      (i32x4.shr_s
        (i32x4.add
          (i32x4.dot_i16x8_s
            (i8x16.shuffle 0 1 16 17 2 3 18 19 4 5 20 21 6 7 22 23 (local.get $r) (local.get $g)) (local.get $ab))
          (i32x4.dot_i16x8_s
            (i8x16.shuffle 0 1 16 17 2 3 18 19 4 5 20 21 6 7 22 23 (local.get $v) (local.get $one)) (local.get $c)))
        (local.get $shift))
      (i32x4.shr_s
        (i32x4.add
          (i32x4.dot_i16x8_s
            (i8x16.shuffle 8 9 24 25 10 11 26 27 12 13 28 29 14 15 30 31 (local.get $r) (local.get $g)) (local.get $ab))
          (i32x4.dot_i16x8_s
            (i8x16.shuffle 8 9 24 25 10 11 26 27 12 13 28 29 14 15 30 31 (local.get $v) (local.get $one)) (local.get $c)))
        (local.get $shift))))

  ;; Luma of sixteen pixels; 33 * 16384 is 16 and a half, times 2^15.
  (func $luma (param $r v128) (param $g v128) (param $b v128) (result v128)
    (i8x16.narrow_i16x8_u
      (call $weigh
        (i16x8.extend_low_i8x16_u (local.get $r)) (i16x8.extend_low_i8x16_u (local.get $g)) (i16x8.extend_low_i8x16_u (local.get $b))
        (v128.const i16x8 5983 20127 5983 20127 5983 20127 5983 20127)
        (v128.const i16x8 2032 16384 2032 16384 2032 16384 2032 16384)
        (v128.const i16x8 33 33 33 33 33 33 33 33)
        (i32.const 15))
      (call $weigh
        (i16x8.extend_high_i8x16_u (local.get $r)) (i16x8.extend_high_i8x16_u (local.get $g)) (i16x8.extend_high_i8x16_u (local.get $b))
        (v128.const i16x8 5983 20127 5983 20127 5983 20127 5983 20127)
        (v128.const i16x8 2032 16384 2032 16384 2032 16384 2032 16384)
        (v128.const i16x8 33 33 33 33 33 33 33 33)
        (i32.const 15))))

  ;; Sums of two rows in the even columns, then in the odd ones.
  (func $columns (param $top v128) (param $low v128) (result v128 v128)
    (local $first v128) (local $second v128)
    (local.set $first (i16x8.add (i16x8.extend_low_i8x16_u (local.get $top)) (i16x8.extend_low_i8x16_u (local.get $low))))
    (local.set $second (i16x8.add (i16x8.extend_high_i8x16_u (local.get $top)) (i16x8.extend_high_i8x16_u (local.get $low))))
    (i8x16.shuffle 0 1 4 5 8 9 12 13 16 17 20 21 24 25 28 29 (local.get $first) (local.get $second))
    (i8x16.shuffle 2 3 6 7 10 11 14 15 18 19 22 23 26 27 30 31 (local.get $first) (local.get $second)))

  ;; Weights 1 2 1: the odd column before each even one is the last of $before, then those of $odd.
  (func $taps (param $even v128) (param $odd v128) (param $before v128) (result v128)
    (i16x8.add
      (i16x8.add (i8x16.shuffle 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 (local.get $before) (local.get $odd)) (local.get $odd))
      (i16x8.shl (local.get $even) (i32.const 1))))

  (func $edge (param $top i32) (param $low i32) (result v128)
    (i16x8.splat (i32.add (i32.load8_u (local.get $top)) (i32.load8_u (local.get $low)))))

  ;; Of $pairs times two rows of $width pixels at $rgb the first 16 * $blocks pixels: luma at $y, chroma at $u and $v (rows of (width + 1) / 2).
  (func (export "rows") (param $rgb i32) (param $width i32) (param $blocks i32) (param $pairs i32) (param $y i32) (param $u i32) (param $v i32)
    (local $top i32) (local $low i32) (local $yTop i32) (local $uAt i32) (local $vAt i32) (local $left i32)
    (local $a v128) (local $b v128) (local $c v128)
    (local $r0 v128) (local $g0 v128) (local $b0 v128) (local $r1 v128) (local $g1 v128) (local $b1 v128)
    (local $rBefore v128) (local $gBefore v128) (local $bBefore v128)
    (local $even v128) (local $odd v128) (local $r v128) (local $g v128) (local $bl v128)
    (loop $pair
      (local.set $top (local.get $rgb))
      (local.set $low (i32.add (local.get $rgb) (i32.mul (local.get $width) (i32.const 3))))
      (local.set $yTop (local.get $y))
      (local.set $uAt (local.get $u))
      (local.set $vAt (local.get $v))
      (local.set $left (local.get $blocks))
      (local.set $rBefore (call $edge (local.get $top) (local.get $low)))
      (local.set $gBefore (call $edge (i32.add (local.get $top) (i32.const 1)) (i32.add (local.get $low) (i32.const 1))))
      (local.set $bBefore (call $edge (i32.add (local.get $top) (i32.const 2)) (i32.add (local.get $low) (i32.const 2))))
      (loop $block
        (local.set $a (v128.load (local.get $top)))
        (local.set $b (v128.load offset=16 (local.get $top)))
        (local.set $c (v128.load offset=32 (local.get $top)))
        (local.set $r0 (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 17 20 23 26 29
          (i8x16.shuffle 0 3 6 9 12 15 18 21 24 27 30 0 0 0 0 0 (local.get $a) (local.get $b)) (local.get $c)))
        (local.set $g0 (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 18 21 24 27 30
          (i8x16.shuffle 1 4 7 10 13 16 19 22 25 28 31 0 0 0 0 0 (local.get $a) (local.get $b)) (local.get $c)))
        (local.set $b0 (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 16 19 22 25 28 31
          (i8x16.shuffle 2 5 8 11 14 17 20 23 26 29 0 0 0 0 0 0 (local.get $a) (local.get $b)) (local.get $c)))
        (local.set $a (v128.load (local.get $low)))
        (local.set $b (v128.load offset=16 (local.get $low)))
        (local.set $c (v128.load offset=32 (local.get $low)))
        (local.set $r1 (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 17 20 23 26 29
          (i8x16.shuffle 0 3 6 9 12 15 18 21 24 27 30 0 0 0 0 0 (local.get $a) (local.get $b)) (local.get $c)))
        (local.set $g1 (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 18 21 24 27 30
          (i8x16.shuffle 1 4 7 10 13 16 19 22 25 28 31 0 0 0 0 0 (local.get $a) (local.get $b)) (local.get $c)))
        (local.set $b1 (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 16 19 22 25 28 31
          (i8x16.shuffle 2 5 8 11 14 17 20 23 26 29 0 0 0 0 0 0 (local.get $a) (local.get $b)) (local.get $c)))
        (v128.store (local.get $yTop) (call $luma (local.get $r0) (local.get $g0) (local.get $b0)))
        (v128.store (i32.add (local.get $yTop) (local.get $width)) (call $luma (local.get $r1) (local.get $g1) (local.get $b1)))
        (call $columns (local.get $r0) (local.get $r1))
        (local.set $odd)
        (local.set $even)
        (local.set $r (call $taps (local.get $even) (local.get $odd) (local.get $rBefore)))
        (local.set $rBefore (local.get $odd))
        (call $columns (local.get $g0) (local.get $g1))
        (local.set $odd)
        (local.set $even)
        (local.set $g (call $taps (local.get $even) (local.get $odd) (local.get $gBefore)))
        (local.set $gBefore (local.get $odd))
        (call $columns (local.get $b0) (local.get $b1))
        (local.set $odd)
        (local.set $even)
        (local.set $bl (call $taps (local.get $even) (local.get $odd) (local.get $bBefore)))
        (local.set $bBefore (local.get $odd))
        ;; 2056 * 16384 is 128 and a half, times 2^18.
        (local.set $a (call $weigh (local.get $r) (local.get $g) (local.get $bl)
          (v128.const i16x8 -3298 -11094 -3298 -11094 -3298 -11094 -3298 -11094)
          (v128.const i16x8 14392 16384 14392 16384 14392 16384 14392 16384)
          (v128.const i16x8 2056 2056 2056 2056 2056 2056 2056 2056)
          (i32.const 18)))
        (v128.store64_lane 0 (local.get $uAt) (i8x16.narrow_i16x8_u (local.get $a) (local.get $a)))
        (local.set $a (call $weigh (local.get $r) (local.get $g) (local.get $bl)
          (v128.const i16x8 14392 -13072 14392 -13072 14392 -13072 14392 -13072)
          (v128.const i16x8 -1320 16384 -1320 16384 -1320 16384 -1320 16384)
          (v128.const i16x8 2056 2056 2056 2056 2056 2056 2056 2056)
          (i32.const 18)))
        (v128.store64_lane 0 (local.get $vAt) (i8x16.narrow_i16x8_u (local.get $a) (local.get $a)))
        (local.set $top (i32.add (local.get $top) (i32.const 48)))
        (local.set $low (i32.add (local.get $low) (i32.const 48)))
        (local.set $yTop (i32.add (local.get $yTop) (i32.const 16)))
        (local.set $uAt (i32.add (local.get $uAt) (i32.const 8)))
        (local.set $vAt (i32.add (local.get $vAt) (i32.const 8)))
        (br_if $block (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (local.set $rgb (i32.add (local.get $rgb) (i32.mul (local.get $width) (i32.const 6))))
      (local.set $y (i32.add (local.get $y) (i32.shl (local.get $width) (i32.const 1))))
      (local.set $u (i32.add (local.get $u) (i32.shr_u (i32.add (local.get $width) (i32.const 1)) (i32.const 1))))
      (local.set $v (i32.add (local.get $v) (i32.shr_u (i32.add (local.get $width) (i32.const 1)) (i32.const 1))))
      (br_if $pair (local.tee $pairs (i32.sub (local.get $pairs) (i32.const 1)))))))
