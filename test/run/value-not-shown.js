'the completion value'
