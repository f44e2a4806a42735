// args: --context '[null,true,1.5,"\ud83d\ude00",{"":[]},1e400]'
// expect: value [null,true,1.5,"😀",{"":[]},null]
context;
