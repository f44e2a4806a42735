// expect: value ["aGk=","hi","InvalidCharacterError"]
let name;
try { btoa("😀"); } catch (error) { name = error.name; }
[btoa("hi"), atob("aGk="), name];
