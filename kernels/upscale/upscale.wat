;; The sharpening of upscale, sixteen bytes at a time in 16-bit lanes: 32 * (4c - n) + 32 is between -32608 and 32672. The meaning stands in reference.ts.
;; Built into wasm-bytes.ts by test/helpers/build-wat.ts; a test compares the two.
(module
  (memory (export "memory") 1)

  ;; c + ((32 * (4c - sum of four) + 32) >> 6), eight lanes.
  (func $sharp (param $c v128) (param $n v128) (result v128)
    (i16x8.add (local.get $c)
      (i16x8.shr_s
        (i16x8.add
          (i16x8.shl (i16x8.sub (i16x8.shl (local.get $c) (i32.const 2)) (local.get $n)) (i32.const 5))
          (v128.const i16x8 32 32 32 32 32 32 32 32))
        (i32.const 6))))

  ;; Rows of $stride bytes; three bytes before and after $row repeat its first and last pixel. Reads and writes up to 15 bytes more.
  (func (export "sharpen") (param $above i32) (param $row i32) (param $below i32) (param $stride i32) (param $out i32)
    (local $end i32) (local $a v128) (local $b v128) (local $l v128) (local $r v128) (local $c v128) (local $low v128) (local $high v128)
    (local.set $end (i32.add (local.get $row) (local.get $stride)))
    (loop $block
      (local.set $a (v128.load (local.get $above)))
      (local.set $b (v128.load (local.get $below)))
      (local.set $l (v128.load (i32.sub (local.get $row) (i32.const 3))))
      (local.set $r (v128.load offset=3 (local.get $row)))
      (local.set $c (v128.load (local.get $row)))
      (local.set $low
        (i8x16.min_u (local.get $c)
          (i8x16.min_u (i8x16.min_u (local.get $a) (local.get $b)) (i8x16.min_u (local.get $l) (local.get $r)))))
      (local.set $high
        (i8x16.max_u (local.get $c)
          (i8x16.max_u (i8x16.max_u (local.get $a) (local.get $b)) (i8x16.max_u (local.get $l) (local.get $r)))))
      (v128.store (local.get $out)
        (i8x16.min_u (local.get $high)
          (i8x16.max_u (local.get $low)
            (i8x16.narrow_i16x8_u
              (call $sharp (i16x8.extend_low_i8x16_u (local.get $c))
                (i16x8.add
                  (i16x8.add (i16x8.extend_low_i8x16_u (local.get $a)) (i16x8.extend_low_i8x16_u (local.get $b)))
                  (i16x8.add (i16x8.extend_low_i8x16_u (local.get $l)) (i16x8.extend_low_i8x16_u (local.get $r)))))
              (call $sharp (i16x8.extend_high_i8x16_u (local.get $c))
                (i16x8.add
                  (i16x8.add (i16x8.extend_high_i8x16_u (local.get $a)) (i16x8.extend_high_i8x16_u (local.get $b)))
                  (i16x8.add (i16x8.extend_high_i8x16_u (local.get $l)) (i16x8.extend_high_i8x16_u (local.get $r)))))))))
      (local.set $above (i32.add (local.get $above) (i32.const 16)))
      (local.set $below (i32.add (local.get $below) (i32.const 16)))
      (local.set $out (i32.add (local.get $out) (i32.const 16)))
      (br_if $block (i32.lt_u (local.tee $row (i32.add (local.get $row) (i32.const 16))) (local.get $end))))))
