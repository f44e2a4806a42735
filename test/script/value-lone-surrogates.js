// expect: value {"\udc00":"a\ud800b","pair":"😀"}
({ "\udc00": "a\ud800b", pair: "\ud83d\ude00" });
