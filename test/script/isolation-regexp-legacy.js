// expect: value ["undefined","undefined"]
// No state of matches beside the match.
/(secret)/.exec("a secret");
[typeof RegExp.$1, typeof RegExp.lastMatch];
