// args: --cpu-ms 200
// expect: limit cpu
`${{ toString() { for (;;); } }}`;
