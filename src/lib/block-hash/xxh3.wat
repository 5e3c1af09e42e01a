;; XXH3-64 over the blocks of a prompt, and Dynamo's chain over those hashes; the meaning stands in xxh3.ts and plain.ts.
;; Memory: 0 the algorithm's secret, 192 the same moved by the seed, 384 what the caller puts in and takes out.
;; Built into xxh3-wasm.ts by test/helpers/build-wat.ts; a test compares the two.
(module
  (memory (export "memory") 2)
  (data (i32.const 0)
    "\b8\fe\6c\39\23\a4\4b\be\7c\01\81\2c\f7\21\ad\1c\de\d4\6d\e9\83\90\97\db\72\40\a4\a4\b7\b3\67\1f"
    "\cb\79\e6\4e\cc\c0\e5\78\82\5a\d0\7d\cc\ff\72\21\b8\08\46\74\f7\43\24\8e\e0\35\90\e6\81\3a\26\4c"
    "\3c\28\52\bb\91\c3\00\cb\88\d0\65\8b\1b\53\2e\a3\71\64\48\97\a2\0d\f9\4e\38\19\ef\46\a9\de\ac\d8"
    "\a8\fa\76\3f\e3\9c\34\3f\f9\dc\bb\c7\c7\0b\4f\1d\8a\51\e0\4b\cd\b4\59\31\c8\9f\7e\c9\d9\78\73\64"
    "\ea\c5\ac\83\34\d3\eb\c3\c5\81\a0\ff\fa\13\63\eb\17\0d\dd\51\b7\f0\da\49\d3\16\55\26\29\d4\68\9e"
    "\2b\16\be\58\7d\47\a1\fc\8f\f8\b8\d1\7a\d0\31\ce\45\cb\3a\8f\95\16\04\28\af\d7\fb\ca\bb\4b\40\7e")
  (global $seed (mut i64) (i64.const 0))

  ;; Sets the seed of `hash` and `blocks`.
  (func (export "seed") (param $seed i64)
    (local $at i32)
    (global.set $seed (local.get $seed))
    (loop $next
      (i64.store offset=192 (local.get $at) (i64.add (i64.load (local.get $at)) (local.get $seed)))
      (i64.store offset=200 (local.get $at) (i64.sub (i64.load offset=8 (local.get $at)) (local.get $seed)))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (i32.const 192)))))

  ;; The two halves of the 128-bit product, xored.
  (func $fold (param $a i64) (param $b i64) (result i64)
    (local $a0 i64) (local $a1 i64) (local $b0 i64) (local $b1 i64) (local $high_low i64) (local $cross i64)
    (local.set $a0 (i64.and (local.get $a) (i64.const 0xffffffff)))
    (local.set $a1 (i64.shr_u (local.get $a) (i64.const 32)))
    (local.set $b0 (i64.and (local.get $b) (i64.const 0xffffffff)))
    (local.set $b1 (i64.shr_u (local.get $b) (i64.const 32)))
    (local.set $high_low (i64.mul (local.get $a1) (local.get $b0)))
    (local.set $cross
      (i64.add
        (i64.add (i64.shr_u (i64.mul (local.get $a0) (local.get $b0)) (i64.const 32)) (i64.and (local.get $high_low) (i64.const 0xffffffff)))
        (i64.mul (local.get $a0) (local.get $b1))))
    (i64.xor
      (i64.mul (local.get $a) (local.get $b))
      (i64.add
        (i64.add (i64.shr_u (local.get $high_low) (i64.const 32)) (i64.shr_u (local.get $cross) (i64.const 32)))
        (i64.mul (local.get $a1) (local.get $b1)))))

  (func $avalanche (param $h i64) (result i64)
    (local.set $h (i64.mul (i64.xor (local.get $h) (i64.shr_u (local.get $h) (i64.const 37))) (i64.const 0x165667919E3779F9)))
    (i64.xor (local.get $h) (i64.shr_u (local.get $h) (i64.const 32))))

  ;; 16 bytes at $p with the 16 bytes of a moved secret at $s.
  (func $mix (param $p i32) (param $s i32) (result i64)
    (call $fold
      (i64.xor (i64.load (local.get $p)) (i64.load (local.get $s)))
      (i64.xor (i64.load offset=8 (local.get $p)) (i64.load offset=8 (local.get $s)))))

  ;; The same with the fixed secret at $s, moved here: between its 16-byte steps the moved one does not serve.
  (func $mix_fixed (param $p i32) (param $s i32) (result i64)
    (call $fold
      (i64.xor (i64.load (local.get $p)) (i64.add (i64.load (local.get $s)) (global.get $seed)))
      (i64.xor (i64.load offset=8 (local.get $p)) (i64.sub (i64.load offset=8 (local.get $s)) (global.get $seed)))))

  (func $swap32 (param $x i32) (result i32)
    (i32.or
      (i32.rotl (i32.and (local.get $x) (i32.const 0x00ff00ff)) (i32.const 24))
      (i32.rotl (i32.and (local.get $x) (i32.const 0xff00ff00)) (i32.const 8))))

  (func $swap64 (param $x i64) (result i64)
    (local.set $x (i64.or
      (i64.and (i64.shr_u (local.get $x) (i64.const 8)) (i64.const 0x00ff00ff00ff00ff))
      (i64.shl (i64.and (local.get $x) (i64.const 0x00ff00ff00ff00ff)) (i64.const 8))))
    (local.set $x (i64.or
      (i64.and (i64.shr_u (local.get $x) (i64.const 16)) (i64.const 0x0000ffff0000ffff))
      (i64.shl (i64.and (local.get $x) (i64.const 0x0000ffff0000ffff)) (i64.const 16))))
    (i64.rotl (local.get $x) (i64.const 32)))

  (func $up_to_8 (param $p i32) (param $length i32) (result i64)
    (local $h i64) (local $seed i64)
    (local.set $seed (i64.xor (global.get $seed)
      (i64.shl (i64.extend_i32_u (call $swap32 (i32.wrap_i64 (global.get $seed)))) (i64.const 32))))
    (local.set $h (i64.xor
      (i64.add (i64.load32_u (i32.sub (i32.add (local.get $p) (local.get $length)) (i32.const 4))) (i64.shl (i64.load32_u (local.get $p)) (i64.const 32)))
      (i64.sub (i64.xor (i64.load (i32.const 8)) (i64.load (i32.const 16))) (local.get $seed))))
    (local.set $h (i64.mul
      (i64.xor (local.get $h) (i64.xor (i64.rotl (local.get $h) (i64.const 49)) (i64.rotl (local.get $h) (i64.const 24))))
      (i64.const 0x9FB21C651E98DF25)))
    (local.set $h (i64.mul
      (i64.xor (local.get $h) (i64.add (i64.shr_u (local.get $h) (i64.const 35)) (i64.extend_i32_u (local.get $length))))
      (i64.const 0x9FB21C651E98DF25)))
    (i64.xor (local.get $h) (i64.shr_u (local.get $h) (i64.const 28))))

  ;; 9 to 16 bytes: their first 8 as $low, their last 8 as $high.
  (func $up_to_16 (param $low i64) (param $high i64) (param $length i64) (param $seed i64) (result i64)
    (local.set $low (i64.xor (local.get $low) (i64.add (i64.xor (i64.load (i32.const 24)) (i64.load (i32.const 32))) (local.get $seed))))
    (local.set $high (i64.xor (local.get $high) (i64.sub (i64.xor (i64.load (i32.const 40)) (i64.load (i32.const 48))) (local.get $seed))))
    (call $avalanche (i64.add
      (i64.add (local.get $length) (call $swap64 (local.get $low)))
      (i64.add (local.get $high) (call $fold (local.get $low) (local.get $high))))))

  (func $up_to_128 (param $p i32) (param $length i32) (result i64)
    (local $sum i64) (local $first i32) (local $last i32) (local $s i32)
    (local.set $sum (i64.mul (i64.extend_i32_u (local.get $length)) (i64.const 0x9E3779B185EBCA87)))
    (local.set $first (local.get $p))
    (local.set $last (i32.sub (i32.add (local.get $p) (local.get $length)) (i32.const 16)))
    (local.set $s (i32.const 192))
    (loop $next
      (local.set $sum (i64.add (local.get $sum) (i64.add
        (call $mix (local.get $first) (local.get $s))
        (call $mix (local.get $last) (i32.add (local.get $s) (i32.const 16))))))
      (local.set $s (i32.add (local.get $s) (i32.const 32)))
      (local.set $first (i32.add (local.get $first) (i32.const 16)))
      (local.set $last (i32.sub (local.get $last) (i32.const 16)))
      ;; As long as 32 bytes a round have not covered everything.
      (br_if $next (i32.lt_u (i32.sub (local.get $s) (i32.const 192)) (local.get $length))))
    (call $avalanche (local.get $sum)))

  (func $up_to_240 (param $p i32) (param $length i32) (result i64)
    (local $sum i64) (local $i i32) (local $end i32)
    (local.set $sum (i64.mul (i64.extend_i32_u (local.get $length)) (i64.const 0x9E3779B185EBCA87)))
    (loop $next
      (local.set $sum (i64.add (local.get $sum) (call $mix (i32.add (local.get $p) (local.get $i)) (i32.add (local.get $i) (i32.const 192)))))
      (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 16))) (i32.const 128))))
    (local.set $sum (i64.add
      (call $avalanche (local.get $sum))
      (call $mix_fixed (i32.sub (i32.add (local.get $p) (local.get $length)) (i32.const 16)) (i32.const 119))))
    (local.set $end (i32.and (local.get $length) (i32.const -16)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $end)))
        (local.set $sum (i64.add (local.get $sum) (call $mix_fixed (i32.add (local.get $p) (local.get $i)) (i32.sub (local.get $i) (i32.const 125)))))
        (local.set $i (i32.add (local.get $i) (i32.const 16)))
        (br $next)))
    (call $avalanche (local.get $sum)))

  ;; More than 240 bytes: eight lanes over stripes of 64 bytes, the last stripe being the last 64 bytes.
  (func $long (param $p i32) (param $length i32) (result i64)
    (local $i i32) (local $stripes i32) (local $s i32) (local $d i32) (local $v i64) (local $w i64) (local $k i64) (local $j i64)
    (local $l0 i64) (local $l1 i64) (local $l2 i64) (local $l3 i64)
    (local $l4 i64) (local $l5 i64) (local $l6 i64) (local $l7 i64)
    (local.set $l0 (i64.const 0xC2B2AE3D))
    (local.set $l1 (i64.const 0x9E3779B185EBCA87))
    (local.set $l2 (i64.const 0xC2B2AE3D27D4EB4F))
    (local.set $l3 (i64.const 0x165667B19E3779F9))
    (local.set $l4 (i64.const 0x85EBCA77C2B2AE63))
    (local.set $l5 (i64.const 0x85EBCA77))
    (local.set $l6 (i64.const 0x27D4EB2F165667C5))
    (local.set $l7 (i64.const 0x9E3779B1))
    (local.set $stripes (i32.shr_u (i32.sub (local.get $length) (i32.const 1)) (i32.const 6)))
    (local.set $d (local.get $p))
    (loop $next
      (local.set $s (i32.add (i32.shl (i32.and (local.get $i) (i32.const 15)) (i32.const 3)) (i32.const 192)))
      (if (i32.eq (local.get $i) (local.get $stripes)) (then
        (local.set $d (i32.sub (i32.add (local.get $p) (local.get $length)) (i32.const 64)))
        (local.set $s (i32.const 313))))
      (local.set $k (i64.xor (local.tee $v (i64.load (local.get $d))) (i64.load (local.get $s))))
      (local.set $j (i64.xor (local.tee $w (i64.load offset=8 (local.get $d))) (i64.load offset=8 (local.get $s))))
      (local.set $l0 (i64.add (i64.add (local.get $l0) (local.get $w)) (i64.mul (i64.and (local.get $k) (i64.const 0xffffffff)) (i64.shr_u (local.get $k) (i64.const 32)))))
      (local.set $l1 (i64.add (i64.add (local.get $l1) (local.get $v)) (i64.mul (i64.and (local.get $j) (i64.const 0xffffffff)) (i64.shr_u (local.get $j) (i64.const 32)))))
      (local.set $k (i64.xor (local.tee $v (i64.load offset=16 (local.get $d))) (i64.load offset=16 (local.get $s))))
      (local.set $j (i64.xor (local.tee $w (i64.load offset=24 (local.get $d))) (i64.load offset=24 (local.get $s))))
      (local.set $l2 (i64.add (i64.add (local.get $l2) (local.get $w)) (i64.mul (i64.and (local.get $k) (i64.const 0xffffffff)) (i64.shr_u (local.get $k) (i64.const 32)))))
      (local.set $l3 (i64.add (i64.add (local.get $l3) (local.get $v)) (i64.mul (i64.and (local.get $j) (i64.const 0xffffffff)) (i64.shr_u (local.get $j) (i64.const 32)))))
      (local.set $k (i64.xor (local.tee $v (i64.load offset=32 (local.get $d))) (i64.load offset=32 (local.get $s))))
      (local.set $j (i64.xor (local.tee $w (i64.load offset=40 (local.get $d))) (i64.load offset=40 (local.get $s))))
      (local.set $l4 (i64.add (i64.add (local.get $l4) (local.get $w)) (i64.mul (i64.and (local.get $k) (i64.const 0xffffffff)) (i64.shr_u (local.get $k) (i64.const 32)))))
      (local.set $l5 (i64.add (i64.add (local.get $l5) (local.get $v)) (i64.mul (i64.and (local.get $j) (i64.const 0xffffffff)) (i64.shr_u (local.get $j) (i64.const 32)))))
      (local.set $k (i64.xor (local.tee $v (i64.load offset=48 (local.get $d))) (i64.load offset=48 (local.get $s))))
      (local.set $j (i64.xor (local.tee $w (i64.load offset=56 (local.get $d))) (i64.load offset=56 (local.get $s))))
      (local.set $l6 (i64.add (i64.add (local.get $l6) (local.get $w)) (i64.mul (i64.and (local.get $k) (i64.const 0xffffffff)) (i64.shr_u (local.get $k) (i64.const 32)))))
      (local.set $l7 (i64.add (i64.add (local.get $l7) (local.get $v)) (i64.mul (i64.and (local.get $j) (i64.const 0xffffffff)) (i64.shr_u (local.get $j) (i64.const 32)))))
      (if (i32.and (i32.eq (i32.and (local.get $i) (i32.const 15)) (i32.const 15)) (i32.lt_u (local.get $i) (local.get $stripes))) (then
        (local.set $l0 (call $scramble (local.get $l0) (i64.load (i32.const 320))))
        (local.set $l1 (call $scramble (local.get $l1) (i64.load (i32.const 328))))
        (local.set $l2 (call $scramble (local.get $l2) (i64.load (i32.const 336))))
        (local.set $l3 (call $scramble (local.get $l3) (i64.load (i32.const 344))))
        (local.set $l4 (call $scramble (local.get $l4) (i64.load (i32.const 352))))
        (local.set $l5 (call $scramble (local.get $l5) (i64.load (i32.const 360))))
        (local.set $l6 (call $scramble (local.get $l6) (i64.load (i32.const 368))))
        (local.set $l7 (call $scramble (local.get $l7) (i64.load (i32.const 376))))))
      (local.set $d (i32.add (local.get $d) (i32.const 64)))
      (br_if $next (i32.le_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $stripes))))
    (local.set $v (i64.mul (i64.extend_i32_u (local.get $length)) (i64.const 0x9E3779B185EBCA87)))
    (local.set $v (i64.add (local.get $v) (call $fold (i64.xor (local.get $l0) (i64.load (i32.const 203))) (i64.xor (local.get $l1) (i64.load (i32.const 211))))))
    (local.set $v (i64.add (local.get $v) (call $fold (i64.xor (local.get $l2) (i64.load (i32.const 219))) (i64.xor (local.get $l3) (i64.load (i32.const 227))))))
    (local.set $v (i64.add (local.get $v) (call $fold (i64.xor (local.get $l4) (i64.load (i32.const 235))) (i64.xor (local.get $l5) (i64.load (i32.const 243))))))
    (local.set $v (i64.add (local.get $v) (call $fold (i64.xor (local.get $l6) (i64.load (i32.const 251))) (i64.xor (local.get $l7) (i64.load (i32.const 259))))))
    (call $avalanche (local.get $v)))

  (func $scramble (param $lane i64) (param $key i64) (result i64)
    (i64.mul (i64.xor (i64.xor (local.get $lane) (i64.shr_u (local.get $lane) (i64.const 47))) (local.get $key)) (i64.const 0x9E3779B1)))

  (func $hash (export "hash") (param $p i32) (param $length i32) (result i64)
    (if (i32.gt_u (local.get $length) (i32.const 240)) (then (return (call $long (local.get $p) (local.get $length)))))
    (if (i32.gt_u (local.get $length) (i32.const 128)) (then (return (call $up_to_240 (local.get $p) (local.get $length)))))
    (if (i32.gt_u (local.get $length) (i32.const 16)) (then (return (call $up_to_128 (local.get $p) (local.get $length)))))
    (if (i32.gt_u (local.get $length) (i32.const 8)) (then (return (call $up_to_16
      (i64.load (local.get $p))
      (i64.load (i32.sub (i32.add (local.get $p) (local.get $length)) (i32.const 8)))
      (i64.extend_i32_u (local.get $length)) (global.get $seed)))))
    (call $up_to_8 (local.get $p) (local.get $length)))

  ;; Hashes of $count blocks of $width bytes (4 or more) that begin $stride bytes apart, to $out.
  (func (export "blocks") (param $p i32) (param $stride i32) (param $width i32) (param $count i32) (param $out i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $out) (i32.shl (local.get $count) (i32.const 3))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $out) (local.get $end)))
        (i64.store (local.get $out) (call $hash (local.get $p) (local.get $width)))
        (local.set $p (i32.add (local.get $p) (local.get $stride)))
        (local.set $out (i32.add (local.get $out) (i32.const 8)))
        (br $next))))

  ;; $count local hashes at $local to chained ones at $out. With $follows, the parent's stands just before $out.
  (func (export "chain") (param $local i32) (param $count i32) (param $out i32) (param $follows i32)
    (local $end i32) (local $before i64)
    (local.set $end (i32.add (local.get $out) (i32.shl (local.get $count) (i32.const 3))))
    (if (i32.eqz (local.get $count)) (then (return)))
    (if (local.get $follows)
      (then (local.set $before (i64.load (i32.sub (local.get $out) (i32.const 8)))))
      (else
        (i64.store (local.get $out) (local.tee $before (i64.load (local.get $local))))
        (local.set $local (i32.add (local.get $local) (i32.const 8)))
        (local.set $out (i32.add (local.get $out) (i32.const 8)))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $out) (local.get $end)))
        (local.set $before (call $up_to_16 (local.get $before) (i64.load (local.get $local)) (i64.const 16) (i64.const 1337)))
        (i64.store (local.get $out) (local.get $before))
        (local.set $local (i32.add (local.get $local) (i32.const 8)))
        (local.set $out (i32.add (local.get $out) (i32.const 8)))
        (br $next))))
)
