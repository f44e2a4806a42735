// seconds: 20
// expect: size 300001
10n ** 300000n;
