// expect: error script TypeError
const { proxy, revoke } = Proxy.revocable({}, {});
revoke();
({ proxy });
