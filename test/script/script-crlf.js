// expect: value "a\nb"
`a
b`;
