// expect: limit stack
const down = () => down() + 1;
try {
  down();
} catch (error) {
  throw error;
}
