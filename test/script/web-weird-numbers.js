// expect: value [0.30000000000000004,"1e+21","0.1","ff"]
[0.1 + 0.2, String(1e21), (0.1).toString(), (255).toString(16)];
