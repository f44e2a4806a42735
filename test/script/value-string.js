// expect: value "a\"b\\c\n\t\u0001\u001f é 😀 </script>"
"a\"b\\c\n\t\u0001\u001f é 😀 </script>";
