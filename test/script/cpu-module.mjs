// args: --cpu-ms 200
// expect: limit cpu
for (;;);
export default 1;
