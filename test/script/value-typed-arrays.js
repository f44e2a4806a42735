// expect: value {"i8":[-1,127],"u16":[65535],"i16":[-2],"u32":[4294967295],"i32":[-3],"f32":[0.5,null],"f64":[0.1,-0.5],"i64":[-1],"u64":[18446744073709551615]}
({
  i8: new Int8Array([-1, 127]),
  u16: new Uint16Array([65535]),
  i16: new Int16Array([-2]),
  u32: new Uint32Array([4294967295]),
  i32: new Int32Array([-3]),
  f32: new Float32Array([0.5, NaN]),
  f64: new Float64Array([0.1, -0.5]),
  i64: new BigInt64Array([-1n]),
  u64: new BigUint64Array([2n ** 64n - 1n]),
});
