// expect: value "completion"
// Only a top-level main counts.
{
  const main = () => "inner";
}
"completion";
