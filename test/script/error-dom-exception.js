// expect: error script DataCloneError
// message: from the platform
throw new DOMException("from the platform", "DataCloneError");
