// expect: error script
const { proxy, revoke } = Proxy.revocable({}, {});
revoke();
throw proxy;
