// expect: error script Error
throw new Error("a\0b\x1b[31mred\x07\nnext line");
