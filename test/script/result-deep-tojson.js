// expect: limit result
// An object that gets deeper as one looks.
class Endless { toJSON() { return { again: new Endless() }; } }
new Endless();
